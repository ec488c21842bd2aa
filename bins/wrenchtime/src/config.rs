//! Configuration: defaults, then a file, then the environment, then flags. What nobody knows is an error.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use wrenchtime_egress::AllowRule;
use wrenchtime_host::HostOptions;
use wrenchtime_service::Options;

/// Environment variables of this program begin with it.
const PREFIX: &str = "WRENCHTIME_";
/// Values of connectors' settings in the environment begin with it; they are no configuration.
pub(crate) const SETTING_PREFIX: &str = "WRENCHTIME_SETTING_";

/// One layer of configuration; what it leaves out, the layer below says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    /// Where everything is kept. `wrenchtime-data` by default.
    pub(crate) data_dir: Option<PathBuf>,
    /// A PostgreSQL database, `postgres://user:password@host:port/database`. A file in the data directory by default.
    #[serde(deserialize_with = "secret")]
    pub(crate) database: Option<SecretString>,
    /// Where the API listens. `127.0.0.1:8321` by default.
    pub(crate) listen: Option<SocketAddr>,
    /// What is logged, as `level` or `target=level,...`. `info` by default.
    pub(crate) log: Option<String>,
    /// `text` or `json`. `text` by default.
    pub(crate) log_format: Option<LogFormat>,
    /// The master key, 64 hexadecimal digits: in the environment only. From `master.key` by default.
    #[serde(skip)]
    pub(crate) master_key: Option<SecretString>,
    /// A file that holds the master key, instead of `master.key` in the data directory.
    pub(crate) master_key_file: Option<PathBuf>,
    /// Private hosts and networks that may be reached, such as `10.2.0.0/16` or `cmms.plant.local`. None by default.
    pub(crate) allow: Option<Vec<String>>,
    /// Folders inside of which on-premises exports may be read. None by default.
    pub(crate) folders: Option<Vec<PathBuf>>,
    /// Seconds between two syncs of a connection that says nothing else, 60 to 86400. 900 by default.
    pub(crate) sync_interval_seconds: Option<u64>,
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl Layer {
    /// Puts the layers together: the file that `path` or `WRENCHTIME_CONFIG` names, the environment, and flags.
    pub(crate) fn load(
        path: Option<&Path>,
        environment: &BTreeMap<String, String>,
        flags: Self,
    ) -> Result<Self> {
        let named = environment.get("WRENCHTIME_CONFIG").map(PathBuf::from);
        let file = match path.map(Path::to_owned).or(named) {
            Some(path) => Self::from_file(&path)?,
            None => Self::default(),
        };
        Ok(flags.over(Self::from_environment(environment)?).over(file))
    }

    fn from_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        toml::from_str(&text)
            .map_err(|error| without_secret(error, &text))
            .with_context(|| format!("the configuration {} has a mistake", path.display()))
    }

    fn from_environment(environment: &BTreeMap<String, String>) -> Result<Self> {
        let mut layer = Self::default();
        for (name, value) in environment {
            let Some(field) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if name.starts_with(SETTING_PREFIX) || field == "CONFIG" {
                continue;
            }
            layer
                .set(field, value)
                .with_context(|| format!("the environment variable {name}"))?;
        }
        Ok(layer)
    }

    fn set(&mut self, field: &str, value: &str) -> Result<()> {
        match field {
            "DATA_DIR" => self.data_dir = Some(value.into()),
            "DATABASE" => self.database = Some(SecretString::from(value)),
            "LISTEN" => {
                self.listen = Some(
                    value
                        .parse()
                        .context("is no address such as 127.0.0.1:8321")?,
                );
            }
            "LOG" => self.log = Some(value.to_owned()),
            "LOG_FORMAT" => {
                self.log_format = Some(match value {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => bail!("must be text or json"),
                });
            }
            "MASTER_KEY" => self.master_key = Some(SecretString::from(value)),
            "MASTER_KEY_FILE" => self.master_key_file = Some(value.into()),
            "ALLOW" => self.allow = Some(list(value)),
            "FOLDERS" => self.folders = Some(list(value).into_iter().map(PathBuf::from).collect()),
            "SYNC_INTERVAL_SECONDS" => {
                self.sync_interval_seconds =
                    Some(value.parse().context("is no number of seconds")?);
            }
            _ => bail!(
                "is not known; known are {PREFIX}DATA_DIR, DATABASE, LISTEN, LOG, LOG_FORMAT, MASTER_KEY, MASTER_KEY_FILE, ALLOW, FOLDERS, SYNC_INTERVAL_SECONDS, CONFIG and SETTING_..."
            ),
        }
        Ok(())
    }

    fn over(self, below: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(below.data_dir),
            database: self.database.or(below.database),
            listen: self.listen.or(below.listen),
            log: self.log.or(below.log),
            log_format: self.log_format.or(below.log_format),
            master_key: self.master_key.or(below.master_key),
            master_key_file: self.master_key_file.or(below.master_key_file),
            allow: self.allow.or(below.allow),
            folders: self.folders.or(below.folders),
            sync_interval_seconds: self.sync_interval_seconds.or(below.sync_interval_seconds),
        }
    }

    /// Returns the data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data_dir
            .clone()
            .unwrap_or_else(|| PathBuf::from("wrenchtime-data"))
    }

    /// Returns what a service is to be.
    pub(crate) fn host_options(&self) -> Result<HostOptions> {
        let allow = self.allow.iter().flatten().map(|rule| {
            rule.parse::<AllowRule>()
                .with_context(|| format!("`allow` lists {rule:?}"))
        });
        let mut service = Options::default();
        if let Some(seconds) = self.sync_interval_seconds {
            if !(60..=86_400).contains(&seconds) {
                bail!("sync_interval_seconds is {seconds}, but must be 60 to 86400");
            }
            service.schedule = Duration::from_secs(seconds);
        }
        let mut options = HostOptions::new(self.data_dir())
            .with_database(self.database.clone())
            .with_master_key(self.master_key()?)
            .with_allow(allow.collect::<Result<_>>()?)
            .with_folders(self.folders.clone().unwrap_or_default())
            .with_service(service);
        if let Some(listen) = self.listen {
            options = options.with_listen(listen);
        }
        Ok(options)
    }

    fn master_key(&self) -> Result<Option<SecretString>> {
        if self.master_key.is_some() {
            return Ok(self.master_key.clone());
        }
        let Some(path) = &self.master_key_file else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the master key from {}", path.display()))?;
        Ok(Some(SecretString::from(text.trim().to_owned())))
    }
}

fn secret<'de, D: Deserializer<'de>>(value: D) -> Result<Option<SecretString>, D::Error> {
    String::deserialize(value).map(|text| Some(SecretString::from(text)))
}

/// A mistake is shown with its line, unless that line may hold a password.
fn without_secret(mut error: toml::de::Error, text: &str) -> toml::de::Error {
    let before = error.span().and_then(|span| text.get(..span.start));
    let number = before.map_or(0, |before| before.matches('\n').count());
    let line = text.lines().nth(number).unwrap_or_default();
    if line.contains("database") || line.contains("://") {
        error.set_input(None);
    }
    error
}

fn list(value: &str) -> Vec<String> {
    value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn flags_win_over_the_environment_over_the_file_over_defaults() {
        let file = file("data_dir = \"file\"\nlisten = \"127.0.0.1:1\"\nlog = \"debug\"\n");
        let environment = environment(&[
            ("WRENCHTIME_LISTEN", "127.0.0.1:2"),
            ("WRENCHTIME_LOG", "warn"),
            ("PATH", "/"),
        ]);
        let flags = Layer {
            log: Some("error".to_owned()),
            ..Layer::default()
        };
        let config = Layer::load(Some(file.path()), &environment, flags).unwrap();
        assert_eq!(config.data_dir(), PathBuf::from("file"));
        assert_eq!(config.host_options().unwrap().listen.port(), 2);
        assert_eq!(config.log.as_deref(), Some("error"));
        let config = Layer::load(None, &BTreeMap::new(), Layer::default()).unwrap();
        assert_eq!(
            config.host_options().unwrap().listen.to_string(),
            "127.0.0.1:8321"
        );
    }

    #[track_caller]
    fn check_fails(text: &str, pairs: &[(&str, &str)], word: &str) {
        let file = file(text);
        let error = Layer::load(Some(file.path()), &environment(pairs), Layer::default())
            .and_then(|config| config.host_options().map(drop))
            .unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(word), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        check_fails("colour = \"red\"", &[], "colour");
        check_fails("listen = 8321", &[], "listen");
        check_fails("", &[("WRENCHTIME_COLOUR", "red")], "WRENCHTIME_COLOUR");
        check_fails("", &[("WRENCHTIME_LISTEN", "here")], "WRENCHTIME_LISTEN");
        check_fails("allow = [\"10.0.0.0/64\"]", &[], "10.0.0.0/64");
        check_fails("sync_interval_seconds = 5", &[], "60 to 86400");
        check_fails("master_key_file = \"absent-file\"", &[], "absent-file");
    }

    #[test]
    fn a_mistake_beside_a_password_is_told_without_it() {
        for text in [
            "database = \"postgres://me:canary@host/db\" x",
            "database = [\"canary\"]",
            "database = \"\"\"\npostgres://me:canary@host/db\"\"\" x",
        ] {
            let file = file(text);
            let error = Layer::load(Some(file.path()), &BTreeMap::new(), Layer::default());
            let error = error.unwrap_err();
            let shown = format!("{error:#} {error:?}");
            assert!(!shown.contains("canary"), "{shown}");
            assert!(shown.contains("has a mistake"), "{shown}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let environment = environment(&[
            ("WRENCHTIME_MASTER_KEY", "canary"),
            ("WRENCHTIME_DATABASE", "postgres://me:canary@host/db"),
        ]);
        let config = Layer::load(None, &environment, Layer::default()).unwrap();
        assert!(!format!("{config:?}").contains("canary"));
    }
}
