//! What every long-running role shares: logging, the metrics recorder, the runtime, and the wait for a signal.

use std::future::Future;

use anyhow::Context;
use harrier_worker::HISTOGRAM_BUCKETS;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::config::Config;
use crate::logging::{self, SetLogLevel};

/// What a role gets from its process.
pub struct Process {
    /// Renders the metrics of the process.
    pub metrics: PrometheusHandle,
    /// Changes the log level.
    pub set_log_level: SetLogLevel,
}

/// Starts logging and metrics, then runs the role until it ends.
pub fn run<F, R>(config: Config, role: F) -> anyhow::Result<()>
where
    F: FnOnce(Config, Process) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let set_log_level = logging::start(&config.log)?;
    let metrics = recorder().context("cannot set up metrics")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime: check the limit of threads and open files")?;
    runtime.block_on(role(config, Process { metrics, set_log_level }))
}

fn recorder() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in HISTOGRAM_BUCKETS {
        builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets)?;
    }
    builder.install_recorder()
}
