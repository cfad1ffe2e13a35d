//! One file per subcommand.

mod backup;
mod config;
mod coordinator;
mod key;
mod member;
mod restore;
mod runtime;
mod standalone;
mod status;
mod task;
mod verify;
mod worker;

use std::process::ExitCode;

pub use self::task::Rate;
use crate::args::{Arguments, Command};

/// Runs what was asked for, to its end.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Verify(arguments) => return Ok(verify::run(&arguments)),
        Command::Coordinator(arguments) => coordinator::run(&arguments),
        Command::Worker(arguments) => worker::run(&arguments),
        Command::Standalone(arguments) => standalone::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Task(command) => task::run(&command),
        Command::Member(command) => member::run(&command),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Config(command) => config::run(&command),
        Command::Key(command) => key::run(&command),
    }
    .map(|()| ExitCode::SUCCESS)
}
