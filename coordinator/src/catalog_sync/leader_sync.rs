//! The sync as one piece of a leader's work: the watcher of the source and the loops, over the real parts.

use std::sync::Arc;
use std::time::Duration;

use harrier_milvus::catalog::{CatalogClient, CatalogError};
use tokio_util::sync::CancellationToken;

use super::{CatalogSync, MilvusConnector, Options, RegistryPort, SourceWatcher};
use crate::config::CoordinatorConfig;
use crate::leader::LeaderView;
use crate::raft::Registry;
use crate::registry::Task;
use crate::seal::Sealer;
use crate::target_endpoint::{self, TargetTimeouts};

/// What stays the same over all terms of leadership.
#[derive(Clone)]
pub struct SyncSettings {
    source: Arc<CatalogClient>,
    poll: Duration,
    default_partition_name: String,
    timeouts: TargetTimeouts,
}

impl SyncSettings {
    /// Prepares the client of the source's catalog; nothing is sent yet.
    ///
    /// # Errors
    /// When `source.etcd` cannot be used: endpoints, files of TLS.
    pub fn new(config: &CoordinatorConfig) -> Result<Self, CatalogError> {
        Ok(Self {
            source: Arc::new(CatalogClient::connect(&config.source)?),
            poll: Duration::from_millis(config.catalog_poll_ms.max(1)),
            default_partition_name: config.source.default_partition_name.clone(),
            timeouts: TargetTimeouts::from(config),
        })
    }
}

/// Keeps the catalogs of all running tasks in step until it is cancelled or dropped. Only a leader may run it.
pub async fn run(
    settings: SyncSettings,
    registry: Registry,
    view: LeaderView,
    sealer: Sealer,
    cancel: CancellationToken,
) {
    let watcher = SourceWatcher::start(settings.source.clone(), settings.poll);
    let timeouts = settings.timeouts;
    let endpoint = move |task: &Task| {
        target_endpoint::endpoint(task, &sealer, timeouts).map_err(|error| error.to_string())
    };
    let sync = CatalogSync::start(Options {
        applied: registry.applied(),
        missing_changed: view.missing_partitions_changed(),
        coordination: Arc::new(RegistryPort::new(registry, view)),
        source: settings.source,
        source_state: watcher.state(),
        connector: Arc::new(MilvusConnector::new(endpoint)),
        poll: settings.poll,
        default_partition_name: settings.default_partition_name,
    });
    cancel.cancelled().await;
    sync.shutdown().await;
}
