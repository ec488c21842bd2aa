//! What must be known to open an account: declared as data, so that command line, API and pages draw the same form.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use zeroize::Zeroizing;

/// One thing to ask for.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SettingField {
    /// Its name in requests and configuration.
    pub name: &'static str,
    /// What people see beside the field.
    pub label: &'static str,
    /// Where to find the value, in a sentence or two.
    pub help: &'static str,
    /// What it may hold.
    pub kind: SettingKind,
    /// Must be given.
    pub required: bool,
    /// Used when it is not given.
    pub default: Option<&'static str>,
}

impl SettingField {
    /// Declares something that must be given.
    pub fn required(
        name: &'static str,
        kind: SettingKind,
        label: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            label,
            help,
            kind,
            required: true,
            default: None,
        }
    }

    /// Declares something that may be left out.
    pub fn optional(
        name: &'static str,
        kind: SettingKind,
        label: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            required: false,
            ..Self::required(name, kind, label, help)
        }
    }

    /// Sets what is used when it is not given.
    #[must_use]
    pub fn with_default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

/// What a setting may hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SettingKind {
    /// A line of text.
    Text,
    /// Text that is never shown again.
    Secret,
    /// An `http` or `https` address.
    Url,
    /// One of these.
    Choice(Vec<&'static str>),
    /// The path of a folder on the service's machine, inside a root that its operator allowed.
    Folder,
    /// The text of a file, given as a path on the command line.
    Document,
}

/// The values of an account's settings. All are treated as secrets: none is shown by `Debug`.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, SecretString>,
}

impl Settings {
    /// Takes values by name.
    pub fn new<K: Into<String>, V: Into<String>>(values: impl IntoIterator<Item = (K, V)>) -> Self {
        let values = values
            .into_iter()
            .map(|(name, value)| (name.into(), SecretString::from(value.into())))
            .collect();
        Self { values }
    }

    /// Returns a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(ExposeSecret::expose_secret)
    }

    /// Returns a value as a secret.
    pub fn secret(&self, name: &str) -> Option<&SecretString> {
        self.values.get(name)
    }

    /// Checks names and values against the declaration, and fills in defaults.
    ///
    /// # Errors
    /// Names every field that is missing, unknown or not of its kind, and no value.
    pub fn validated(mut self, fields: &[SettingField]) -> Result<Self, SettingsError> {
        let mut faults = Vec::new();
        for name in self.values.keys() {
            if !fields.iter().any(|field| field.name == name) {
                faults.push((name.clone(), "is not a setting of this system".to_owned()));
            }
        }
        for field in fields {
            match self
                .get(field.name)
                .map(str::trim)
                .filter(|value| !value.is_empty())
            {
                Some(value) => {
                    if let Some(fault) = field.kind.fault(value) {
                        faults.push((field.name.to_owned(), fault));
                    }
                }
                None => {
                    self.values.remove(field.name);
                    if let Some(default) = field.default {
                        self.values
                            .insert(field.name.to_owned(), SecretString::from(default));
                    } else if field.required {
                        faults.push((field.name.to_owned(), "is required".to_owned()));
                    }
                }
            }
        }
        if faults.is_empty() {
            Ok(self)
        } else {
            Err(SettingsError { faults })
        }
    }

    /// Writes all values as one JSON object, to be sealed. The text is wiped when dropped.
    ///
    /// # Errors
    /// Never in practice: a map of texts can always be written.
    pub fn to_json(&self) -> serde_json::Result<Zeroizing<String>> {
        let values: BTreeMap<&str, &str> = self
            .values
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose_secret()))
            .collect();
        serde_json::to_string(&values).map(Zeroizing::new)
    }

    /// Reads back what [`Settings::to_json`] wrote.
    ///
    /// # Errors
    /// When it is no JSON object of texts.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        let values: BTreeMap<String, String> = serde_json::from_str(text)?;
        Ok(Self::new(values))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl SettingKind {
    fn fault(&self, value: &str) -> Option<String> {
        match self {
            Self::Url if !value.starts_with("https://") && !value.starts_with("http://") => {
                Some("must be an address that begins with https:// or http://".to_owned())
            }
            Self::Choice(choices) if !choices.contains(&value) => {
                Some(format!("must be one of {}", choices.join(", ")))
            }
            Self::Text
            | Self::Secret
            | Self::Url
            | Self::Choice(_)
            | Self::Folder
            | Self::Document => None,
        }
    }
}

/// Settings that do not fit their declaration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsError {
    /// Field and what is wrong with it. No values.
    pub faults: Vec<(String, String)>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(field, fault)| format!("{field} {fault}"))
            .collect();
        write!(f, "settings do not fit: {}", faults.join("; "))
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<SettingField> {
        vec![
            SettingField::required("company", SettingKind::Text, "Company", "The name."),
            SettingField::required("secret", SettingKind::Secret, "Secret", "The secret."),
            SettingField::optional(
                "region",
                SettingKind::Choice(vec!["am", "emea"]),
                "Region",
                "Where.",
            )
            .with_default("am"),
        ]
    }

    #[test]
    fn defaults_are_filled_in() {
        let settings = Settings::new([("company", "Acme"), ("secret", "s3cr3t")]);
        let settings = settings.validated(&fields()).unwrap();
        assert_eq!(settings.get("region"), Some("am"));
    }

    #[test]
    fn every_fault_is_named_and_no_value() {
        let settings = Settings::new([("secret", "  "), ("region", "mars"), ("colour", "red")]);
        let error = settings.validated(&fields()).unwrap_err();
        let names: Vec<&str> = error.faults.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["colour", "company", "secret", "region"]);
        assert!(!error.to_string().contains("mars"));
    }

    #[test]
    fn nothing_is_shown_by_debug() {
        let settings = Settings::new([("secret", "s3cr3t")]);
        assert_eq!(format!("{settings:?}"), r#"{"secret"}"#);
    }

    #[test]
    fn values_survive_sealing() {
        let settings = Settings::new([("secret", "s\"3\u{1F511}")]);
        let back = Settings::from_json(&settings.to_json().unwrap()).unwrap();
        assert_eq!(back.get("secret"), Some("s\"3\u{1F511}"));
    }
}
