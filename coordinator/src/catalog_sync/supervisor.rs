//! Starts and ends the loops: one for every task that is to be kept in step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use super::metadata::{self, MetadataConnector};
use super::ports::{Connector, Coordination, SourceReads};
use super::round::Tools;
use super::task_loop::{self, Signals};
use super::watcher::SourceState;
use super::{Names, broken_off};
use crate::registry::TaskId;

/// What the sync works with.
pub struct Options {
    /// The coordinator around it.
    pub coordination: Arc<dyn Coordination>,
    /// Fresh reads of the source.
    pub source: Arc<dyn SourceReads>,
    /// The source's catalog, watched.
    pub source_state: watch::Receiver<SourceState>,
    /// Opens targets.
    pub connector: Arc<dyn Connector>,
    /// Changes whenever the registry does.
    pub applied: watch::Receiver<u64>,
    /// Changes whenever workers report other missing partitions.
    pub missing_changed: watch::Receiver<u64>,
    /// A round of every task at least this often.
    pub poll: Duration,
    /// Name of the partition that every collection has.
    pub default_partition_name: String,
    /// How the other metadata is kept in step; `None` = not at all.
    pub metadata: Option<MetadataOptions>,
}

/// What is needed to bring indexes, loads and the like.
#[derive(Clone)]
pub struct MetadataOptions {
    /// Opens targets.
    pub connector: Arc<dyn MetadataConnector>,
    /// Everything is looked at this often, though nothing is seen to change.
    pub reconcile: Duration,
}

/// The running sync; ends when it is dropped.
pub struct CatalogSync {
    supervisor: JoinHandle<()>,
}

impl CatalogSync {
    /// Starts it. Only a leader may.
    pub fn start(options: Options) -> Self {
        Self { supervisor: tokio::spawn(supervise(options)) }
    }

    /// Ends it and waits until nothing of it runs any more.
    pub async fn shutdown(mut self) {
        self.supervisor.abort();
        // The loops are owned by the supervisor's future and end with it.
        if let Err(error) = (&mut self.supervisor).await
            && error.is_panic()
        {
            tracing::error!(%error, "the catalog sync panicked");
        }
    }
}

impl Drop for CatalogSync {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

async fn supervise(mut options: Options) {
    let tools = Arc::new(Tools {
        coordination: options.coordination.clone(),
        source: options.source.clone(),
        connector: options.connector.clone(),
        default_partition_name: options.default_partition_name.clone(),
    });
    let metadata = options.metadata.clone().map(|metadata| {
        Arc::new(metadata::Tools {
            coordination: options.coordination.clone(),
            source: options.source.clone(),
            connector: metadata.connector,
            reconcile: metadata.reconcile,
        })
    });
    let mut loops = JoinSet::new();
    loops.spawn(broken_off::run(tools.clone(), options.applied.clone(), options.poll));
    // By task: when it was created (an id may be used again) and its loops.
    let mut running: BTreeMap<TaskId, (u64, Vec<AbortHandle>)> = BTreeMap::new();
    loop {
        options.applied.mark_unchanged();
        while let Some(ended) = loops.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!(%error, "the catalog sync of a task panicked, it is started again");
            }
        }
        let wanted = options.coordination.runnable();
        running.retain(|task_id, (created_ms, handles)| {
            let all_run = !handles.iter().any(AbortHandle::is_finished);
            let keep = wanted.get(task_id) == Some(created_ms) && all_run;
            if !keep {
                handles.iter().for_each(AbortHandle::abort);
            }
            keep
        });
        for (task_id, created_ms) in wanted {
            running.entry(task_id.clone()).or_insert_with(|| {
                let signals = Signals {
                    source: options.source_state.clone(),
                    missing: options.missing_changed.clone(),
                    poll: options.poll,
                };
                let names = Names::default();
                let mut handles = Vec::new();
                if let Some(tools) = &metadata {
                    let (source, applied) = (options.source_state.clone(), options.applied.clone());
                    let signals = metadata::Signals { source, applied };
                    handles.push(loops.spawn(metadata::run(
                        task_id.clone(),
                        tools.clone(),
                        names.clone(),
                        signals,
                    )));
                }
                handles.push(loops.spawn(task_loop::run(task_id, tools.clone(), names, signals)));
                (created_ms, handles)
            });
        }
        tokio::select! {
            changed = options.applied.changed() => if changed.is_err() { return },
            // Also finds a loop that ended without a change of the registry.
            () = tokio::time::sleep(options.poll) => {}
        }
    }
}
