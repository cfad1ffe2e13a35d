//! `harrier standalone`: a coordinator that founds its own group, and a worker, in one process.

use harrier_worker::Worker;

use super::coordinator;
use super::runtime::{self, Process};
use crate::args::StandaloneArguments;
use crate::cluster;
use crate::config::Config;
use crate::sealing;
use crate::signals::Signals;

/// Runs the subcommand until a signal ends it.
pub fn run(arguments: &StandaloneArguments) -> anyhow::Result<()> {
    let mut layers = arguments.file.layers();
    arguments.source.apply(&mut layers);
    arguments.coordinator.apply(&mut layers);
    arguments.worker.apply(&mut layers);
    layers.flag("coordinator.bootstrap", Some(true));
    runtime::run(layers.load()?, serve)
}

async fn serve(config: Config, process: Process) -> anyhow::Result<()> {
    let mut signals = Signals::install()?;
    let sealer = sealing::sealer(&config, true)?;
    let secret = cluster::secret(&config)?;
    let mut worker_config = config.worker.clone();
    let metrics = process.metrics.clone();
    let coordinator = coordinator::start(config, process, sealer).await?;
    // The coordinator may have been given port 0; the worker in the same process always meets its own.
    worker_config.coordinators = vec![coordinator.grpc_address().to_string()];
    let worker = Worker::start(worker_config, secret, metrics).await?;
    tracing::info!(worker_id = worker.id(), "worker is up");
    let signal = tokio::select! {
        signal = signals.received() => signal,
        reason = coordinator.failed() => anyhow::bail!("the coordinator cannot go on: {reason}"),
    };
    tracing::info!(signal, "draining: finishing what is in flight and giving the senders back");
    // The worker first: its last reports still need a coordinator.
    worker.shutdown().await;
    coordinator.shutdown().await;
    Ok(())
}
