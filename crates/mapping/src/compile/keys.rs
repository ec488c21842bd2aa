//! A table of the mapping's text, read key by key; what is wrong with a key is noted and the key passed over.

use toml::{Table, Value};

use crate::fault::{Faults, nearest};

#[derive(Clone)]
pub(super) struct Keys<'t> {
    table: &'t Table,
    place: String,
    faults: &'t Faults,
    hidden: Option<&'static str>,
}

impl<'t> Keys<'t> {
    pub(super) fn new(table: &'t Table, place: String, faults: &'t Faults) -> Self {
        Self {
            table,
            place,
            faults,
            hidden: None,
        }
    }

    /// Returns the same table under another name.
    pub(super) fn at(&self, place: String) -> Self {
        Self {
            place,
            ..self.clone()
        }
    }

    /// Returns the same table without a key that was read already.
    pub(super) fn hiding(&self, key: &'static str) -> Self {
        Self {
            hidden: Some(key),
            ..self.clone()
        }
    }

    /// Returns another table that stands under a key of this one.
    pub(super) fn inner<'o>(&self, key: &str, table: &'o Table) -> Keys<'o>
    where
        't: 'o,
    {
        Keys {
            table,
            place: self.place_of(key),
            faults: self.faults,
            hidden: None,
        }
    }

    pub(super) fn place_of(&self, key: &str) -> String {
        if self.place.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.place)
        }
    }

    pub(super) fn faults(&self) -> &'t Faults {
        self.faults
    }

    pub(super) fn fault(&self, key: &str, message: impl Into<String>) {
        self.fault_with(key, message, None);
    }

    pub(super) fn fault_with(
        &self,
        key: &str,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        self.faults.add(self.place_of(key), message, suggestion);
    }

    /// Notes a fault of the table as a whole.
    pub(super) fn fault_here(&self, message: impl Into<String>) {
        self.faults.add(self.place.clone(), message, None);
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'t str> {
        let names = self.table.keys().map(String::as_str);
        names.filter(|name| self.hidden != Some(*name))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&'t Value> {
        self.table.get(key)
    }

    /// Notes every key beyond these.
    pub(super) fn only(&self, owner: &str, allowed: &[&str]) {
        for name in self.names().filter(|name| !allowed.contains(name)) {
            let message = format!(
                "{owner} has no key `{name}`; it may have {}",
                allowed.join(", ")
            );
            self.fault_with(name, message, nearest(name, allowed.iter().copied()));
        }
    }

    fn typed<T>(
        &self,
        key: &str,
        kind: &str,
        read: impl FnOnce(&'t Value) -> Option<T>,
    ) -> Option<T> {
        let found = read(self.get(key)?);
        if found.is_none() {
            self.fault(key, format!("this must be {kind}"));
        }
        found
    }

    /// Returns a text without noting anything.
    pub(super) fn raw_text(&self, key: &str) -> Option<&'t str> {
        self.get(key)?.as_str()
    }

    pub(super) fn text(&self, key: &str) -> Option<&'t str> {
        self.typed(key, "a text", Value::as_str)
    }

    pub(super) fn required_text(&self, key: &str) -> Option<&'t str> {
        if !self.has(key) {
            self.fault_here(format!("`{key}` is missing"));
        }
        self.text(key)
    }

    pub(super) fn text_or_flag(&self, key: &str) -> Option<&'t str> {
        self.typed(key, "a text", |value| match value {
            Value::Boolean(true) => Some("true"),
            Value::Boolean(false) => Some("false"),
            other => other.as_str(),
        })
    }

    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        self.typed(key, "a whole number", Value::as_integer)
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(super) fn texts(&self, key: &str) -> Option<Vec<&'t str>> {
        self.typed(key, "a list of texts", |value| {
            value.as_array()?.iter().map(Value::as_str).collect()
        })
    }

    /// Returns a list of texts, numbers and flags, each as a source's value would be written.
    pub(super) fn literals(&self, key: &str) -> Option<Vec<String>> {
        self.typed(
            key,
            "a list of texts, whole numbers, true and false",
            |value| value.as_array()?.iter().map(literal).collect(),
        )
    }

    pub(super) fn table(&self, key: &str) -> Option<Self> {
        let table = self.typed(key, "a table", Value::as_table)?;
        Some(self.inner(key, table))
    }

    /// Returns the tables of a list, each with its place from 0.
    pub(super) fn tables(&self, key: &str) -> Vec<Self> {
        let tables = self.typed(key, "a list of tables", |value| {
            value
                .as_array()?
                .iter()
                .map(Value::as_table)
                .collect::<Option<Vec<_>>>()
        });
        let tables = tables.unwrap_or_default().into_iter().enumerate();
        tables
            .map(|(index, table)| self.inner(&format!("{key}[{index}]"), table))
            .collect()
    }
}

fn literal(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
