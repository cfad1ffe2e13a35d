//! `harrier key generate`

use harrier_coordinator::seal::SealingKey;

use crate::args::KeyCommand;

/// Runs the subcommand.
#[allow(clippy::print_stdout)] // the answer of a command-line tool
pub fn run(command: &KeyCommand) -> anyhow::Result<()> {
    let KeyCommand::Generate { file } = command;
    SealingKey::generate_to(file)?;
    println!("made a sealing key in {}; give every coordinator of the group the same file", file.display());
    Ok(())
}
