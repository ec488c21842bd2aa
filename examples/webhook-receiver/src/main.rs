//! Runs the receiver until Ctrl-C and prints what arrives.
//!
//! `WEBHOOK_SECRET=whsec_... cargo run -p webhook-receiver`

#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person at the terminal"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use webhook_receiver::{Receiver, Verifier};

/// Receives Wrenchtime's webhooks into a queue.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// The file that messages are written to.
    #[arg(long, default_value = "messages.jsonl")]
    queue: PathBuf,
    /// The endpoint's signing secret, as its creation returned it.
    #[arg(long, env = "WEBHOOK_SECRET", hide_env_values = true)]
    secret: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let receiver = Receiver::start(arguments.listen, &arguments.queue).await?;
    receiver.trust(Verifier::from_secret(&arguments.secret)?);
    println!("listening on {}", receiver.url());
    let mut shown = 0;
    loop {
        let messages = receiver.messages();
        for message in messages.iter().skip(shown) {
            println!(
                "{} {}",
                message.id,
                message.body["type"].as_str().unwrap_or("?")
            );
        }
        shown = messages.len();
        tokio::select! {
            ended = tokio::signal::ctrl_c() => {
                ended?;
                break;
            }
            () = pause() => {}
        }
    }
    receiver.stop().await;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program of its own, by the machine's clock"
)]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}
