//! `harrier config check`

use crate::args::ConfigCommand;

/// Runs the subcommand.
#[allow(clippy::print_stdout)] // the answer of a command-line tool
pub fn run(command: &ConfigCommand) -> anyhow::Result<()> {
    let ConfigCommand::Check(file) = command;
    let config = file.layers().load()?;
    println!("the configuration is right");
    println!("  HTTP API      {}", config.coordinator.http_address);
    println!("  for workers   {}", config.coordinator.grpc_address);
    println!("  data folder   {}", config.coordinator.data_dir.display());
    println!(
        "  source etcd   {} (root path {})",
        config.source.etcd.endpoints.join(", "),
        config.source.etcd.root_path
    );
    println!("  source log    {:?} at {}", config.source.log.kind, config.source.log.address);
    println!("  coordinators  {}", config.worker.coordinators.join(", "));
    Ok(())
}
