//! Starts and ends the loops: one for every task that is to be kept in step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use super::broken_off;
use super::ports::{Connector, Coordination, SourceReads};
use super::round::Tools;
use super::task_loop::{self, Signals};
use super::watcher::SourceState;
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
    let mut loops = JoinSet::new();
    loops.spawn(broken_off::run(tools.clone(), options.applied.clone(), options.poll));
    // By task: when it was created (an id may be used again) and its loop.
    let mut running: BTreeMap<TaskId, (u64, AbortHandle)> = BTreeMap::new();
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
        running.retain(|task_id, (created_ms, handle)| {
            let keep = wanted.get(task_id) == Some(created_ms) && !handle.is_finished();
            if !keep {
                handle.abort();
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
                (created_ms, loops.spawn(task_loop::run(task_id, tools.clone(), signals)))
            });
        }
        tokio::select! {
            changed = options.applied.changed() => if changed.is_err() { return },
            // Also finds a loop that ended without a change of the registry.
            () = tokio::time::sleep(options.poll) => {}
        }
    }
}
