//! The leader's work on the targets' catalogs: one watcher of the source, one sync of all tasks, for one term.

use std::sync::Arc;
use std::time::Duration;

use harrier_milvus::catalog::CatalogClient;

use super::leadership::LeaderParts;
use super::leadership_check::LeadershipCheck;
use crate::catalog_sync::{
    CatalogSync, MetadataOptions, MilvusConnector, Options, RegistryPort, SourceWatcher,
};
use crate::registry::Task;
use crate::target_endpoint;

/// What it needs beside the leader's own parts.
pub(crate) struct CatalogParts {
    /// The source's catalog.
    pub(crate) client: Arc<CatalogClient>,
    /// How often it is listed although nothing was seen to change.
    pub(crate) poll: Duration,
    /// Name of the partition that every collection has.
    pub(crate) default_partition_name: String,
    /// How often all metadata of the targets is compared.
    pub(crate) reconcile: Duration,
}

/// At work until it is stopped, or dropped.
pub(super) struct CatalogDuty {
    sync: CatalogSync,
    _watcher: SourceWatcher,
}

impl CatalogDuty {
    pub(super) fn begin(parts: &LeaderParts, catalog: &CatalogParts, check: LeadershipCheck) -> Self {
        let watcher = SourceWatcher::start(Arc::clone(&catalog.client), catalog.poll);
        let (sealer, timeouts) = (parts.sealer.clone(), parts.timeouts);
        let endpoint = move |task: &Task| {
            target_endpoint::endpoint(task, &sealer, timeouts).map_err(|error| error.to_string())
        };
        let view = parts.view.clone();
        let count = move |task_id: &str, api_type| view.count_api_call(task_id, api_type);
        let connector = Arc::new(MilvusConnector::new(endpoint, count));
        let sync = CatalogSync::start(Options {
            coordination: Arc::new(RegistryPort::new(parts.registry.clone(), parts.view.clone(), check)),
            source: Arc::clone(&catalog.client) as _,
            source_state: watcher.state(),
            connector: Arc::clone(&connector) as _,
            applied: parts.registry.applied(),
            missing_changed: parts.view.missing_partitions_changed(),
            poll: catalog.poll,
            default_partition_name: catalog.default_partition_name.clone(),
            metadata: Some(MetadataOptions { connector, reconcile: catalog.reconcile }),
        });
        Self { sync, _watcher: watcher }
    }

    pub(super) async fn end(self) {
        self.sync.shutdown().await;
    }
}
