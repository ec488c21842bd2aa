//! `wrenchtime`: the service and its command line.

mod client;
mod command;
mod config;
mod session;
mod terminal;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use secrecy::SecretString;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Directives, Layer, LogFormat};
use crate::terminal::{Closed, note, say};

/// One API for every CMMS.
#[derive(Debug, Parser)]
#[command(name = "wrenchtime", version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
struct Global {
    /// Configuration file (TOML).
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Where everything is kept [default: ./wrenchtime-data].
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
    /// PostgreSQL database, as postgres://USER:PASSWORD@HOST:PORT/DATABASE [default: a file in the data directory]. Other
    /// users of this machine see arguments: give a password in the environment or the configuration file.
    #[arg(long, global = true, value_name = "URL")]
    database: Option<SecretString>,
    /// What is logged: a level, or target=level,... [default: info for serve, warn else].
    #[arg(long, global = true)]
    log: Option<Directives>,
    /// How log lines are written [default: text].
    #[arg(long, global = true, value_enum)]
    log_format: Option<LogFormat>,
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service.
    Serve {
        /// Where the API listens; port 0 takes a free one [default: 127.0.0.1:8321].
        #[arg(long, value_parser = config::listen)]
        listen: Option<SocketAddr>,
    },
    /// See it work: sandbox systems, the service and a webhook receiver, in a temporary directory.
    Demo(command::demo::Arguments),
    /// Connect a customer's system and start its first sync.
    Connect(command::connect::Arguments),
    /// List, show, pause, reauthorize and end connections.
    Connections(command::connections::Arguments),
    /// Sync a connection now.
    Sync(command::sync::Arguments),
    /// List listings of a connection that lack too many rows, and decide whether these are gone.
    Suspicions(command::suspicions::Arguments),
    /// List the rows of a connection that cannot be read or mapped, and why, or try them again.
    Quarantine(command::quarantine::Arguments),
    /// List the systems that can be connected, and what they ask for.
    Systems(command::systems::Arguments),
    /// Run a simulated system to build against.
    Sandbox(command::sandbox::Arguments),
    /// Print the OpenAPI document.
    Openapi,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            note(format!("wrenchtime: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    // The one place that reads the environment.
    let environment = config::own_variables(std::env::vars_os())?;
    let Arguments { global, command } = arguments;
    let listen = match &command {
        Command::Serve { listen } => *listen,
        _ => None,
    };
    let flags = Layer {
        data_dir: global.data_dir.clone(),
        database: global.database.clone(),
        log: global.log.clone(),
        log_format: global.log_format,
        listen,
        ..Layer::default()
    };
    let config = Layer::load(global.config.as_deref(), &environment, flags)?;
    arm(&environment)?;
    start_logging(&config, matches!(command, Command::Serve { .. }));
    wrenchtime_egress::install_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(dispatch(
        command,
        Setting {
            config,
            environment,
            json: global.json,
        },
    ))
}

/// Has this process die where the environment says, in a build for tests.
fn arm(environment: &BTreeMap<String, String>) -> Result<()> {
    let name = config::FAILPOINT;
    // In any other build the configuration has refused it.
    environment.get(name).map_or(Ok(()), |text| {
        wrenchtime_failpoint::arm(text).with_context(|| format!("the environment variable {name}"))
    })
}

/// What every command works with.
#[derive(Debug)]
struct Setting {
    config: Layer,
    environment: BTreeMap<String, String>,
    json: bool,
}

async fn dispatch(command: Command, setting: Setting) -> Result<()> {
    match command {
        Command::Serve { .. } => command::serve::run(&setting).await,
        Command::Demo(arguments) => command::demo::run(arguments, &setting).await,
        Command::Connect(arguments) => command::connect::run(arguments, &setting).await,
        Command::Connections(arguments) => command::connections::run(arguments, &setting).await,
        Command::Sync(arguments) => command::sync::run(arguments, &setting).await,
        Command::Suspicions(arguments) => command::suspicions::run(arguments, &setting).await,
        Command::Quarantine(arguments) => command::quarantine::run(arguments, &setting).await,
        Command::Systems(arguments) => command::systems::run(arguments, &setting).await,
        Command::Sandbox(arguments) => command::sandbox::run(arguments, &setting).await,
        Command::Openapi => {
            say(serde_json::to_string_pretty(
                &wrenchtime_api::openapi_document(),
            )?)?;
            Ok(())
        }
    }
}

fn start_logging(config: &Layer, is_service: bool) {
    let usual = if is_service {
        LevelFilter::INFO
    } else {
        LevelFilter::WARN
    };
    let directives = config.log.clone();
    let filter = directives
        .unwrap_or_else(|| Directives::down_to(usual))
        .into_filter();
    let lines = tracing_subscriber::fmt::layer()
        // Told on the very stream that failed, it would end whoever logs: a full disk must not.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let lines = match config.log_format.unwrap_or_default() {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
}
