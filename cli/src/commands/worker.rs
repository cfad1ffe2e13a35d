//! `harrier worker`

use harrier_worker::Worker;

use super::runtime::{self, Process};
use crate::args::WorkerArguments;
use crate::cluster;
use crate::config::Config;
use crate::signals::Signals;

/// Runs the subcommand until a signal ends it.
pub fn run(arguments: &WorkerArguments) -> anyhow::Result<()> {
    let mut layers = arguments.file.layers();
    arguments.apply(&mut layers);
    runtime::run(layers.load()?, serve)
}

async fn serve(config: Config, process: Process) -> anyhow::Result<()> {
    let mut signals = Signals::install()?;
    let coordinators = config.worker.coordinators.join(",");
    let secret = cluster::secret(&config)?;
    let worker = Worker::start(config.worker, secret, process.metrics).await?;
    tracing::info!(
        worker_id = worker.id(),
        coordinators,
        version = env!("CARGO_PKG_VERSION"),
        "worker is up"
    );
    let signal = signals.received().await;
    tracing::info!(signal, "draining: finishing what is in flight and giving the senders back");
    worker.shutdown().await;
    Ok(())
}
