//! The one binary: `harrier coordinator | worker | standalone | status | verify | task | member | backup | restore | config | key`.

mod api;
mod args;
mod cluster;
mod commands;
mod config;
mod logging;
mod sealing;
mod signals;
mod verify;

use clap::Parser;

fn main() -> std::process::ExitCode {
    let arguments = args::Arguments::parse();
    match commands::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            // Before logging is set up there is nowhere else to say it; afterwards it is still the last line.
            #[allow(clippy::print_stderr)]
            {
                eprintln!("harrier: {error:#}");
            }
            std::process::ExitCode::FAILURE
        }
    }
}
