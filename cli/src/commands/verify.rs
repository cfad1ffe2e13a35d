//! `harrier verify`: is what the source has at the target?

use std::process::ExitCode;

use crate::api;
use crate::args::VerifyArguments;
use crate::verify::{self, Verdict};

/// Not everything could be compared.
const INCOMPLETE: u8 = 2;

/// Runs the subcommand. Exit code 0: equal; 1: something differs; 2: nothing differs as far as could be seen.
#[allow(clippy::print_stdout, clippy::print_stderr)] // the answer of a command-line tool
pub fn run(arguments: &VerifyArguments) -> ExitCode {
    match api::block_on(verify::run(arguments)) {
        Ok(report) => {
            print!("{}", report.text(arguments.first));
            match report.verdict() {
                Verdict::Equal => ExitCode::SUCCESS,
                Verdict::Different => ExitCode::FAILURE,
                Verdict::Incomplete => ExitCode::from(INCOMPLETE),
            }
        }
        Err(error) => {
            eprintln!("harrier: {error:#}");
            ExitCode::from(INCOMPLETE)
        }
    }
}
