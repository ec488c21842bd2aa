//! `sandbox`: a simulated system to build against.

use anyhow::{Context, Result};
use serde_json::json;
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox};

use crate::Setting;
use crate::terminal::say;

/// Run a simulated system to build against.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    system: System,
}

#[derive(Debug, clap::Subcommand)]
enum System {
    /// A Corrigo tenant over HTTP.
    Corrigo {
        /// Where it listens on the loopback; a free port when absent.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Makes the same plant again.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many work orders it has.
        #[arg(long, default_value_t = 2_000, value_parser = super::work_orders())]
        work_orders: usize,
    },
}

pub(crate) async fn run(arguments: Arguments, setting: &Setting) -> Result<()> {
    let System::Corrigo {
        port,
        seed,
        work_orders,
    } = arguments.system;
    let sandbox = CorrigoSandbox::start_on(CorrigoOptions::new(seed, work_orders), port)
        .await
        .with_context(|| format!("cannot start the sandbox on 127.0.0.1:{port}"))?;
    let settings = json!({
        "company": sandbox.company(),
        "client_id": sandbox.client_id(),
        "client_secret": sandbox.client_secret(),
        "token_url": sandbox.token_url(),
        "locator_url": sandbox.host_url(),
    });
    if setting.json {
        say(json!({ "system": "corrigo", "settings": settings }))?;
    } else {
        say(format!(
            "a Corrigo tenant with {work_orders} work orders; all its data is invented. Connect it with\n\n  \
             WRENCHTIME_ALLOW=127.0.0.0/8 WRENCHTIME_SETTING_CLIENT_SECRET={} \\\n  \
             wrenchtime connect corrigo --set company='{}' --set client_id={} \\\n    \
             --set token_url={} --set locator_url={}\n\n\
             Where a service runs already, it is the one that needs WRENCHTIME_ALLOW=127.0.0.0/8.",
            sandbox.client_secret(),
            sandbox.company(),
            sandbox.client_id(),
            sandbox.token_url(),
            sandbox.host_url()
        ))?;
    }
    let ended = super::serve::stopped().await;
    sandbox.stop().await;
    ended
}
