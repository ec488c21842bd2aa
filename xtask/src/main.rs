//! The one runner of this workspace: what continuous integration runs, and what you run.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a runner talks to the person at the terminal"
)]

mod bench;
mod deep;
mod judge;
mod lint;
mod oracle;
mod process;
mod test;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  test     build the service, then run every test: unit, doc, conformance, integration, end to end
  lint     formatting, clippy on all targets, documentation, tidy
  tidy     the house rules that no other tool checks
  judge    what third parties say of us, and all that needs PostgreSQL: says how to install what is missing
  oracle   random histories of random sources: [--seeds N] [--first S] [--store memory|sqlite|postgres] [--threads T]
  bench    NAME: measure against bare loops; without a name, lists what there is
  deep     everything with the long counts, each feature alone, licences
  ci       lint, test, judge: what continuous integration runs";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let result = match command.as_str() {
        "test" => test::run(&rest),
        "lint" => lint::run_all(),
        "tidy" => tidy::run(),
        "judge" => judge::run_judges(),
        "oracle" => oracle::run_with(&rest),
        "bench" => bench::run_named(&rest),
        "deep" => deep::run_all(),
        "ci" => lint::run_all()
            .and_then(|()| test::run(&[]))
            .and_then(|()| judge::run_judges()),
        "" | "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(anyhow::anyhow!("no command is named {other:?}\n\n{HELP}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
