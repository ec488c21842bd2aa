//! Finding the server, and what it is told of each connection.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use url::Url;

use super::mark::Mark;
use super::migrate::{self, SCHEMA};
use super::statistics::Statistics;
use super::{Inner, PostgresOptions, PostgresStore};
use crate::OpenError;
use crate::lock::DirectoryLock;

/// The oldest release that its makers still mend.
const OLDEST_SERVER: u32 = 14;
/// How long the first connection may take. Later ones wait as long as the options say.
const FIRST_CONTACT: Duration = Duration::from_secs(10);
/// A process that stopped in the middle of a transaction holds a lock for so long.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(60);
/// A connection that nobody used for so long is given up.
const IDLE: Duration = Duration::from_secs(600);
/// Addresses change, and so do servers behind one.
const LIFETIME: Duration = Duration::from_secs(1800);
/// Long texts are packed by LZ4 where the server was built with it: a page takes a fifth less time to write than with what
/// the server packs by else. Rows that are there stay as they are, and both are read.
const PACK_BY_LZ4: &str = "SELECT set_config(name, 'lz4', false) FROM pg_settings \
     WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)";
/// What an address may say behind its question mark. A mistyped password would else be logged as what is not known.
const PARAMETERS: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Where a database is, for people: no password in it.
#[derive(Clone, Debug)]
pub(super) struct Place(String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Place {
    fn new(options: &PgConnectOptions) -> Self {
        let user = options.get_username();
        let database = options.get_database().unwrap_or(user);
        let host = options.get_socket().map_or_else(
            || format!("{}:{}", options.get_host(), options.get_port()),
            |socket| socket.display().to_string(),
        );
        Self(format!("{database} at {host} as {user}"))
    }

    /// Says why a server did not do it.
    pub(super) fn refused(&self, source: sqlx::Error) -> OpenError {
        let database = self.to_string();
        let code = source
            .as_database_error()
            .and_then(|error| error.code().map(std::borrow::Cow::into_owned));
        let is_unreachable = matches!(source, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut);
        let source = Box::new(source);
        match code.as_deref() {
            Some("28P01" | "28000") => OpenError::Unauthorized { database, source },
            Some("3D000") => OpenError::NoDatabase { database, source },
            Some("42501") => OpenError::NotPermitted { database, source },
            None if is_unreachable => OpenError::Unreachable { database, source },
            _ => OpenError::Server { database, source },
        }
    }
}

pub(super) async fn open(options: PostgresOptions) -> Result<PostgresStore, OpenError> {
    let connect = connect_options(&options)?;
    let place = Place::new(&connect);
    let lock = options
        .directory
        .as_deref()
        .map(DirectoryLock::take)
        .transpose()?;
    let mark = Mark::read(options.directory.as_ref())
        .map_err(|(path, source)| OpenError::Directory { path, source })?;
    let mark = Arc::new(mark);
    let mut first = first_contact(&connect, &place).await?;
    migrate::migrate(&mut first, &place).await?;
    let compared = mark.compare(&mut first).await;
    compared.map_err(|error| OpenError::Server {
        database: place.to_string(),
        source: Box::new(error),
    })?;
    first
        .close()
        .await
        .map_err(|source| place.refused(source))?;
    let pool = |connections| pool(connections, &options, connect.clone(), &mark);
    Ok(PostgresStore {
        inner: Arc::new(Inner {
            writers: pool(options.writers),
            readers: pool(options.readers),
            place: place.to_string(),
            clock: Arc::clone(&options.clock),
            mark: Arc::clone(&mark),
            statistics: Statistics::default(),
            lock,
        }),
    })
}

/// Connects once: a pool would try again and again, and say nothing but that it took long.
async fn first_contact(
    connect: &PgConnectOptions,
    place: &Place,
) -> Result<PgConnection, OpenError> {
    let connecting = PgConnection::connect_with(connect);
    let mut connection = tokio::time::timeout(FIRST_CONTACT, connecting)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .map_err(|source| place.refused(source))?;
    check_version(connection.server_version_num(), place)?;
    let encoding: String = sqlx::query_scalar("SELECT current_setting('server_encoding')")
        .fetch_one(&mut connection)
        .await
        .map_err(|source| place.refused(source))?;
    if encoding != "UTF8" {
        return Err(OpenError::Encoding {
            database: place.to_string(),
            encoding,
        });
    }
    Ok(connection)
}

/// Compares the server's version, as in `150018` for 15.18.
fn check_version(version: Option<u32>, place: &Place) -> Result<(), OpenError> {
    let found = version.unwrap_or(0) / 10_000;
    if found >= OLDEST_SERVER {
        return Ok(());
    }
    Err(OpenError::OldServer {
        database: place.to_string(),
        found,
        needed: OLDEST_SERVER,
    })
}

fn connect_options(options: &PostgresOptions) -> Result<PgConnectOptions, OpenError> {
    let connect = parse(&options.url)?;
    let millis = |time: Duration| time.as_millis().to_string();
    let connect = connect
        .options([
            ("search_path", SCHEMA.to_owned()),
            ("statement_timeout", millis(options.statement_timeout)),
            (
                "idle_in_transaction_session_timeout",
                millis(IDLE_IN_TRANSACTION),
            ),
            // A plan that is kept stays as it was for a table of a few rows, and a first sync makes a million of them.
            ("plan_cache_mode", "force_custom_plan".to_owned()),
        ])
        // Statements hold no values, but they are long and many.
        .disable_statement_logging();
    Ok(if connect.get_application_name().is_some() {
        connect
    } else {
        connect.application_name("wrenchtime")
    })
}

/// Reads the address. What is wrong with it is told without it: it may hold a password.
fn parse(url: &SecretString) -> Result<PgConnectOptions, OpenError> {
    let text = url.expose_secret();
    let address = Url::parse(text).map_err(|_| OpenError::Address)?;
    if !matches!(address.scheme(), "postgres" | "postgresql") {
        return Err(OpenError::Address);
    }
    for (name, _) in address.query_pairs() {
        if !PARAMETERS.contains(&&*name) {
            return Err(OpenError::Parameter {
                name: name.into_owned(),
                known: PARAMETERS.join(", "),
            });
        }
    }
    PgConnectOptions::from_str(text).map_err(|_| OpenError::Address)
}

fn pool(
    connections: u32,
    options: &PostgresOptions,
    connect: PgConnectOptions,
    mark: &Arc<Mark>,
) -> PgPool {
    let mark = Arc::clone(mark);
    PgPoolOptions::new()
        .max_connections(connections.max(1))
        .acquire_timeout(options.acquire_timeout)
        .acquire_slow_threshold(options.acquire_timeout)
        .idle_timeout(IDLE)
        .max_lifetime(LIFETIME)
        // One round trip, so that a server that was restarted costs nobody an error.
        .test_before_acquire(true)
        .after_connect(move |connection, _| {
            let mark = Arc::clone(&mark);
            Box::pin(async move {
                sqlx::query(PACK_BY_LZ4).execute(&mut *connection).await?;
                let compared = mark.compare(connection).await;
                compared.map_err(|error| sqlx::Error::Protocol(error.to_string()))
            })
        })
        .connect_lazy_with(connect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(url: &str, word: &str) {
        let refused = parse(&SecretString::from(url)).unwrap_err();
        let shown = format!("{refused} {refused:?}");
        assert!(shown.contains(word), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_wrong_address_is_told_without_its_password() {
        check_refused("canary", "postgres://USER");
        check_refused("mysql://me:canary@host/db", "postgres://USER");
        check_refused("postgres://me:canary@host:port/db", "postgres://USER");
        check_refused("postgres://me@host/db?sslmode=canary", "postgres://USER");
        check_refused("postgres://me@host/db?pasword=canary", "pasword");
    }

    #[test]
    fn a_place_names_database_server_and_user_and_nothing_else() {
        let url = "postgres://me:canary@db.example:6432/plant?sslmode=require";
        let place = Place::new(&parse(&SecretString::from(url)).unwrap());
        assert_eq!(place.to_string(), "plant at db.example:6432 as me");
    }

    #[test]
    fn an_old_server_is_told_by_its_release() {
        let place = Place("plant at db:1 as me".to_owned());
        check_version(Some(140_000), &place).unwrap();
        check_version(Some(170_002), &place).unwrap();
        let refused = check_version(Some(130_021), &place).unwrap_err();
        assert!(
            refused.to_string().contains("is PostgreSQL 13"),
            "{refused}"
        );
        check_version(None, &place).unwrap_err();
    }
}
