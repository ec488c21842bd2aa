//! `demo`: see it work.

use anyhow::{Result, bail};
use wrenchtime_demo::{Audience, DemoOptions};

use crate::Setting;
use crate::terminal::say;

/// See it work: sandbox systems, the service and a webhook receiver, in a temporary directory.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// End after the second sync instead of staying up.
    #[arg(long)]
    once: bool,
    /// How many work orders the sandbox has.
    #[arg(long, default_value_t = 2_000, value_parser = super::work_orders())]
    work_orders: usize,
    /// Makes the same plant again.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) async fn run(arguments: Arguments, setting: &Setting) -> Result<()> {
    let audience = if setting.json {
        Audience::Program
    } else {
        Audience::Person
    };
    let options = DemoOptions::new(audience).with_plant(arguments.seed, arguments.work_orders);
    let options = if arguments.once {
        options.ending_at_once()
    } else {
        options
    };
    let demo = tokio::select! {
        demo = wrenchtime_demo::run(&options) => demo?,
        // What was begun is dropped, and its directory with it.
        ended = super::serve::stopped() => {
            ended?;
            bail!("the demonstration was stopped before its end");
        }
    };
    if setting.json {
        say(demo.summary())?;
    }
    if !arguments.once {
        super::serve::stopped().await?;
    }
    demo.stop().await
}
