//! The format of the configuration file.

use harrier_coordinator::config::CoordinatorConfig;
use harrier_milvus::source::{LogConfig, LogKind, SourceConfig};
use harrier_worker::config::WorkerConfig;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{ClusterSection, Config, ConfigError, LogSection, SealingSection};

/// The file as it is written: Harrier's own sections, and beside them the keys of the Go tool's `cdc.yaml`, which
/// have been turned into Harrier's own by the time this is read (`go_tool.rs`).
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FileConfig {
    coordinator: CoordinatorConfig,
    worker: WorkerConfig,
    source: SourceConfig,
    sealing: SealingSection,
    cluster: ClusterSection,
    log: LogSection,
    #[serde(rename = "address")]
    _address: Option<IgnoredAny>,
    #[serde(rename = "maxTaskNum")]
    _max_task_num: Option<IgnoredAny>,
    #[serde(rename = "metaStoreConfig")]
    _meta_store_config: Option<IgnoredAny>,
    #[serde(rename = "sourceConfig")]
    _source_config: Option<IgnoredAny>,
    #[serde(rename = "maxNameLength")]
    _max_name_length: Option<IgnoredAny>,
    #[serde(rename = "logLevel")]
    _log_level: Option<IgnoredAny>,
    #[serde(rename = "detectDeadLock")]
    _detect_dead_lock: Option<IgnoredAny>,
    #[serde(rename = "batchMode")]
    _batch_mode: Option<IgnoredAny>,
    #[serde(rename = "enableReverse")]
    _enable_reverse: Option<IgnoredAny>,
    #[serde(rename = "reverseMilvus")]
    _reverse_milvus: Option<IgnoredAny>,
    #[serde(rename = "currentMilvus")]
    _current_milvus: Option<IgnoredAny>,
    #[serde(rename = "retry")]
    _retry: Option<IgnoredAny>,
}

impl FileConfig {
    /// Checks what no single value can show to be wrong.
    pub(super) fn into_config(self) -> Result<Config, ConfigError> {
        let config = Config {
            coordinator: self.coordinator,
            worker: self.worker,
            source: self.source,
            sealing: self.sealing,
            cluster: self.cluster,
            log: self.log,
        };
        check_times(&config)?;
        check_worker(&config)?;
        check_source(&config)?;
        check_log(&config)?;
        Ok(config)
    }
}

fn unfit(key: &str, problem: impl Into<String>, value: impl ToString) -> ConfigError {
    ConfigError::Unfit { key: key.to_owned(), problem: problem.into(), value: value.to_string() }
}

fn check_times(config: &Config) -> Result<(), ConfigError> {
    let coordinator = &config.coordinator;
    if coordinator.heartbeat_ms == 0 {
        return Err(unfit("coordinator.heartbeat_ms", "expected at least 1", coordinator.heartbeat_ms));
    }
    if coordinator.lease_ms < coordinator.heartbeat_ms.saturating_mul(4) {
        let problem =
            format!("expected at least 4 x coordinator.heartbeat_ms ({})", coordinator.heartbeat_ms);
        return Err(unfit("coordinator.lease_ms", problem, coordinator.lease_ms));
    }
    Ok(())
}

fn check_worker(config: &Config) -> Result<(), ConfigError> {
    let worker = &config.worker;
    if worker.coordinators.is_empty() {
        return Err(unfit("worker.coordinators", "expected at least one host:port", "an empty list"));
    }
    if worker.tick_interval_ms == 0 {
        return Err(unfit("worker.tick_interval_ms", "expected at least 1", worker.tick_interval_ms));
    }
    if worker.call_bytes_max < worker.merge_bytes_max {
        let problem = format!("expected at least worker.merge_bytes_max ({})", worker.merge_bytes_max);
        return Err(unfit("worker.call_bytes_max", problem, worker.call_bytes_max));
    }
    if worker.call_bytes_min == 0 {
        return Err(unfit("worker.call_bytes_min", "expected at least 1", worker.call_bytes_min));
    }
    Ok(())
}

fn check_source(config: &Config) -> Result<(), ConfigError> {
    if config.source.etcd.endpoints.is_empty() {
        return Err(unfit("source.etcd.endpoints", "expected at least one host:port", "an empty list"));
    }
    if config.source.log.address.is_empty() {
        return Err(unfit("source.log.address", "expected the broker's host:port", "nothing"));
    }
    check_source_log(&config.source.log)
}

/// What only one kind of log has.
fn check_source_log(log: &LogConfig) -> Result<(), ConfigError> {
    if log.kind == LogKind::Nats && log.tls.enabled {
        let problem = "expected false for kind nats: write tls:// in front of source.log.address";
        return Err(unfit("source.log.tls.enabled", problem, "true"));
    }
    if log.kind == LogKind::Kafka && log.token.is_some() {
        return Err(unfit("source.log.token", "expected null for kind kafka", "one"));
    }
    for (key, value) in [("source.log.tenant", &log.tenant), ("source.log.namespace", &log.namespace)] {
        if value.is_empty() || value.contains('/') {
            return Err(unfit(key, "expected a name without a slash", value));
        }
    }
    if log.username.is_empty() && log.password.is_some() {
        return Err(unfit("source.log.username", "expected a name, as there is a password", "nothing"));
    }
    Ok(())
}

fn check_log(config: &Config) -> Result<(), ConfigError> {
    tracing_subscriber::EnvFilter::try_new(&config.log.level).map(|_| ()).map_err(|_| {
        unfit(
            "log.level",
            "expected error, warn, info, debug, trace, or a filter such as info,harrier_worker=debug",
            &config.log.level,
        )
    })
}
