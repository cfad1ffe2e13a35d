//! `harrier coordinator`

use harrier_coordinator::{Coordinator, CoordinatorParts};

use super::runtime::{self, Process};
use crate::args::CoordinatorArguments;
use crate::cluster;
use crate::config::Config;
use crate::sealing;
use crate::signals::Signals;

/// Runs the subcommand until a signal ends it.
pub fn run(arguments: &CoordinatorArguments) -> anyhow::Result<()> {
    let mut layers = arguments.file.layers();
    arguments.source.apply(&mut layers);
    arguments.coordinator.apply(&mut layers);
    layers.flag("coordinator.bootstrap", arguments.bootstrap.then_some(true));
    runtime::run(layers.load()?, serve)
}

async fn serve(config: Config, process: Process) -> anyhow::Result<()> {
    let mut signals = Signals::install()?;
    let sealer = sealing::sealer(&config, false)?;
    let coordinator = start(config, process, sealer).await?;
    let signal = tokio::select! {
        signal = signals.received() => signal,
        reason = coordinator.failed() => anyhow::bail!("the coordinator cannot go on: {reason}"),
    };
    tracing::info!(signal, "draining");
    coordinator.shutdown().await;
    Ok(())
}

/// Starts the role in this process.
pub(super) async fn start(
    config: Config,
    process: Process,
    sealer: harrier_coordinator::seal::Sealer,
) -> anyhow::Result<Coordinator> {
    let cluster_secret = cluster::secret(&config)?;
    let parts = CoordinatorParts {
        config: config.coordinator,
        source: config.source,
        sealer,
        cluster_secret,
        metrics: process.metrics,
        set_log_level: process.set_log_level,
    };
    let coordinator = Coordinator::start(parts).await?;
    tracing::info!(
        http_address = %coordinator.http_address(),
        grpc_address = %coordinator.grpc_address(),
        version = env!("CARGO_PKG_VERSION"),
        "coordinator is up"
    );
    Ok(coordinator)
}
