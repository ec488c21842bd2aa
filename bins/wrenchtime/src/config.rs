//! Configuration: defaults, then a file, then the environment, then flags. What nobody knows is an error.

mod directives;
mod field;
mod value;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use secrecy::SecretString;
use serde::Deserialize;
use wrenchtime_egress::AllowRule;
use wrenchtime_host::HostOptions;
use wrenchtime_service::{MasterKey, Options};

pub(crate) use directives::Directives;
pub(crate) use value::listen;

/// Environment variables of this program begin with it.
const PREFIX: &str = "WRENCHTIME_";
/// Values of connectors' settings in the environment begin with it; they are no configuration.
pub(crate) const SETTING_PREFIX: &str = "WRENCHTIME_SETTING_";

/// Names where a test has the process die. Nobody knows it but the build for tests.
pub(crate) const FAILPOINT: &str = "WRENCHTIME_FAILPOINT";

/// One layer of configuration; what it leaves out, the layer below says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    /// Where everything is kept. `wrenchtime-data` by default.
    #[serde(deserialize_with = "field::data_dir")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A PostgreSQL database, `postgres://user:password@host:port/database`. A file in the data directory by default.
    #[serde(deserialize_with = "field::database")]
    pub(crate) database: Option<SecretString>,
    /// Where the API listens; port 0 takes a free one. `127.0.0.1:8321` by default.
    #[serde(deserialize_with = "field::listen")]
    pub(crate) listen: Option<SocketAddr>,
    /// What is logged, as `level` or `target=level,...`. `info` by default for the service, `warn` for other commands.
    #[serde(deserialize_with = "field::log")]
    pub(crate) log: Option<Directives>,
    /// `text` or `json`. `text` by default.
    #[serde(deserialize_with = "field::log_format")]
    pub(crate) log_format: Option<LogFormat>,
    /// The master key, 64 hexadecimal digits: in the environment only. From `master.key` by default.
    #[serde(skip)]
    pub(crate) master_key: Option<SecretString>,
    /// A file that holds the master key, instead of `master.key` in the data directory.
    #[serde(deserialize_with = "field::master_key_file")]
    pub(crate) master_key_file: Option<PathBuf>,
    /// Private hosts and networks that may be reached, such as `10.2.0.0/16` or `cmms.plant.local`. Metadata services of
    /// cloud providers are refused here, and left out of networks that hold them. None by default.
    #[serde(deserialize_with = "field::allow")]
    pub(crate) allow: Option<Vec<AllowRule>>,
    /// Folders inside of which on-premises exports may be read; a relative path begins at the working directory. One that
    /// does not exist is warned of, and read as soon as it does. None by default.
    #[serde(deserialize_with = "field::folders")]
    pub(crate) folders: Option<Vec<PathBuf>>,
    /// Seconds between two syncs of a connection that says nothing else, 60 to 86400. 900 by default.
    #[serde(deserialize_with = "field::sync_interval_seconds")]
    pub(crate) sync_interval_seconds: Option<u64>,
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
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
        let file = match path.map(Path::to_owned).or(named_file(environment)?) {
            Some(path) => Self::from_file(&path)?,
            None => Self::default(),
        };
        Ok(flags.over(Self::from_environment(environment)?).over(file))
    }

    fn from_file(path: &Path) -> Result<Self> {
        let advice = "name a TOML file that exists, or none";
        let text = value::read_text(path, "the configuration", advice)?;
        toml::from_str(&text)
            .map_err(|error| mistake(&error, &text))
            .with_context(|| format!("the configuration {} has a mistake", path.display()))
    }

    fn from_environment(environment: &BTreeMap<String, String>) -> Result<Self> {
        let mut layer = Self::default();
        for (name, value) in environment {
            let Some(field) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let is_for_tests = wrenchtime_failpoint::ENABLED && name == FAILPOINT;
            if name.starts_with(SETTING_PREFIX) || field == "CONFIG" || is_for_tests {
                continue;
            }
            layer
                .set(field, value)
                .map_err(Error::msg)
                .with_context(|| format!("the environment variable {name}"))?;
        }
        Ok(layer)
    }

    fn set(&mut self, field: &str, value: &str) -> Result<(), String> {
        match field {
            "DATA_DIR" => self.data_dir = Some(value::path("data_dir", value)?),
            "DATABASE" => self.database = Some(SecretString::from(value)),
            "LISTEN" => self.listen = Some(value::listen(value)?),
            "LOG" => self.log = Some(value.parse()?),
            "LOG_FORMAT" => self.log_format = Some(value::log_format(value)?),
            "MASTER_KEY" => self.master_key = Some(SecretString::from(value)),
            "MASTER_KEY_FILE" => {
                self.master_key_file = Some(value::path("master_key_file", value)?);
            }
            "ALLOW" => self.allow = Some(value::list("allow", value, value::allow)?),
            "FOLDERS" => {
                self.folders = Some(value::list("folders", value, |path| Ok(path.into()))?);
            }
            "SYNC_INTERVAL_SECONDS" => self.sync_interval_seconds = Some(value::interval(value)?),
            _ => {
                return Err(format!(
                    "is not known; known are {PREFIX}DATA_DIR, DATABASE, LISTEN, LOG, LOG_FORMAT, MASTER_KEY, MASTER_KEY_FILE, ALLOW, FOLDERS, SYNC_INTERVAL_SECONDS, CONFIG and SETTING_..."
                ));
            }
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
        let mut service = Options::default();
        if let Some(seconds) = self.sync_interval_seconds {
            service.schedule = Duration::from_secs(seconds);
        }
        let mut options = HostOptions::new(self.data_dir())
            .with_database(self.database.clone())
            .with_master_key(self.master_key()?)
            .with_allow(self.allow.clone().unwrap_or_default())
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
        let advice = "`master_key_file` must name a file with the key";
        let text = value::read_text(path, "the master key from", advice)?;
        let key = SecretString::from(text.trim().to_owned());
        if MasterKey::from_hex(&key).is_err() {
            bail!(
                "the master key from {} is not 64 hexadecimal digits; give the key that the data was sealed under",
                path.display()
            );
        }
        Ok(Some(key))
    }
}

/// Returns those variables that are this program's own. What others put into the environment need not be text.
pub(crate) fn own_variables(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>> {
    let mut own = BTreeMap::new();
    for (name, value) in all {
        let name = name.to_string_lossy();
        if !name.starts_with(PREFIX) {
            continue;
        }
        // Not repeated: it may be a secret.
        let Ok(value) = value.into_string() else {
            bail!("the environment variable {name} is not UTF-8 text; set it anew, or unset it");
        };
        own.insert(name.into_owned(), value);
    }
    Ok(own)
}

fn named_file(environment: &BTreeMap<String, String>) -> Result<Option<PathBuf>> {
    match environment.get("WRENCHTIME_CONFIG") {
        Some(path) if path.trim().is_empty() => {
            bail!("the environment variable WRENCHTIME_CONFIG is empty; name a file, or unset it")
        }
        path => Ok(path.map(PathBuf::from)),
    }
}

/// Tells what is wrong with the file's text and in which line, but not what stands there: it may be a key.
fn mistake(error: &toml::de::Error, text: &str) -> Error {
    let table = text.parse::<toml::Table>().unwrap_or_default();
    if table.contains_key("master_key") {
        return Error::msg(
            "`master_key` does not belong into it; put the key into the environment variable \
             WRENCHTIME_MASTER_KEY, or into a file of its own that `master_key_file` names",
        );
    }
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            Error::msg(format!("line {line}: {}", error.message()))
        }
        None => Error::msg(error.message().to_owned()),
    }
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
            log: Some("error".parse().unwrap()),
            ..Layer::default()
        };
        let config = Layer::load(Some(file.path()), &environment, flags).unwrap();
        assert_eq!(config.data_dir(), PathBuf::from("file"));
        assert_eq!(config.host_options().unwrap().listen.port(), 2);
        assert_eq!(config.log, Some("error".parse().unwrap()));
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
    fn mistakes_in_the_file_are_named() {
        for (text, word) in [
            ("\ncolour = \"red\"", "line 2: unknown field `colour`"),
            ("[serve]\nlisten = \"x\"", "unknown field `serve`"),
            ("colour", "line 1: "),
            ("log = \"info\"\nlog = \"warn\"", "line 2: duplicate key"),
            ("data_dir = \" \"", "`data_dir` is empty"),
            ("data_dir = 3", "`data_dir` to be a path"),
            ("data_dir = \"a\\u0000b\"", "NUL"),
            ("listen = 8321", "`listen` to be an address with its port"),
            ("listen = \"127.0.0.1\"", "127.0.0.1:8321"),
            ("listen = \"localhost:1\"", "must be an IP address"),
            ("log = \"loud\"", "\"loud\" is no level"),
            ("log = 3", "`log` to be a level"),
            ("[log]\nlevel = \"info\"", "`log` to be a level"),
            ("log_format = \"xml\"", "must be text or json"),
            ("log_format = true", "`log_format` to be"),
            ("master_key_file = \"\"", "`master_key_file` is empty"),
            ("master_key_file = \"absent-file\"", "absent-file"),
            ("master_key_file = \"/\"", "must name a file"),
            ("allow = \"10.0.0.0/8\"", "`allow` to be a list"),
            ("allow = [8]", "`allow` to be a list"),
            ("allow = [\"\"]", "`allow`"),
            ("allow = [\"10.0.0.0/64\"]", "10.0.0.0/64"),
            ("allow = [\"169.254.169.254\"]", "is never reached"),
            ("folders = \"/srv\"", "`folders` to be a list"),
            ("folders = [[\"/srv\"]]", "`folders` to be a list"),
            ("sync_interval_seconds = 5", "is 5, but must be"),
            ("sync_interval_seconds = 0", "60 to 86400"),
            ("sync_interval_seconds = -1", "60 to 86400"),
            (
                "sync_interval_seconds = 99999999999999999999",
                "60 to 86400",
            ),
            ("sync_interval_seconds = 900.0", "60 to 86400"),
            ("sync_interval_seconds = \"900\"", "60 to 86400"),
        ] {
            check_fails(text, &[], word);
        }
    }

    #[test]
    fn mistakes_in_the_environment_are_named() {
        for (name, value, word) in [
            ("COLOUR", "red", "is not known"),
            ("", "red", "is not known"),
            ("CONFIG", "", "is empty"),
            ("DATA_DIR", "", "`data_dir` is empty"),
            ("LISTEN", "here", "must be an IP address"),
            ("LISTEN", "127.0.0.1:65536", "must be an IP address"),
            ("LOG", "", "a level is missing"),
            ("LOG", "loud", "is no level"),
            ("LOG_FORMAT", "JSON", "must be text or json"),
            ("MASTER_KEY_FILE", " ", "`master_key_file` is empty"),
            ("ALLOW", "10.0.0.0/8,", "comma"),
            ("ALLOW", "http://plant.local", "without scheme"),
            ("FOLDERS", ",", "comma"),
            ("SYNC_INTERVAL_SECONDS", "soon", "60 to 86400"),
        ] {
            let name = format!("WRENCHTIME_{name}");
            let environment = environment(&[(&name, value)]);
            let error = Layer::load(None, &environment, Layer::default()).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(&name) && error.contains(word), "{error}");
        }
    }

    #[test]
    fn an_empty_list_takes_away_what_the_file_lists() {
        let file = file("allow = [\"10.0.0.0/8\"]\nfolders = [\"/srv\"]\n");
        let environment = environment(&[("WRENCHTIME_ALLOW", ""), ("WRENCHTIME_FOLDERS", "")]);
        let config = Layer::load(Some(file.path()), &environment, Layer::default()).unwrap();
        let options = config.host_options().unwrap();
        assert!(options.allow.is_empty() && options.folders.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn variables_that_are_no_text_are_refused_when_they_are_ours() {
        use std::os::unix::ffi::OsStringExt;
        let bytes = || OsString::from_vec(b"canary\xff".to_vec());
        let foreign = [("PATH".into(), bytes()), (bytes(), "x".into())];
        assert!(own_variables(foreign.into_iter()).unwrap().is_empty());
        let own = [("WRENCHTIME_SETTING_X".into(), bytes())];
        let error = own_variables(own.into_iter()).unwrap_err().to_string();
        assert!(error.contains("WRENCHTIME_SETTING_X"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }

    #[test]
    fn what_may_be_a_key_is_in_no_mistake() {
        let absent = |text: &str, word: &str| {
            let file = file(text);
            let error =
                Layer::load(Some(file.path()), &BTreeMap::new(), Layer::default()).unwrap_err();
            let error = format!("{error:#} {error:?}");
            assert!(!error.contains("canary"), "{error}");
            assert!(error.contains(word), "{error}");
        };
        absent("master_key = \"canary\"", "WRENCHTIME_MASTER_KEY");
        absent("key = \"canary\"", "unknown field `key`");
        // A key file in the place of the configuration.
        absent("\"canary\"", "line 1: ");
        let key = file("canary");
        let config = format!("master_key_file = {:?}", key.path());
        let config = file(&config);
        let config = Layer::load(Some(config.path()), &BTreeMap::new(), Layer::default()).unwrap();
        let error = format!("{:#}", config.host_options().unwrap_err());
        assert!(error.contains("64 hexadecimal digits"), "{error}");
        assert!(error.contains(key.path().to_str().unwrap()), "{error}");
        assert!(!error.contains("canary"), "{error}");
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
