//! One watcher of the source's catalog for all tasks.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use harrier_milvus::catalog::{CatalogClient, CatalogError, CatalogMirror, CatalogSnapshot, CatalogWatch};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::Problem;

/// One DDL of the source is several changes in short order: they become one snapshot.
const SETTLE: Duration = Duration::from_millis(20);
/// A source that never settles is looked at this often nevertheless.
const SETTLE_MAX: Duration = Duration::from_millis(200);
const RETRY: Duration = Duration::from_secs(1);

/// What is known of the source.
#[derive(Clone, Debug, Default)]
pub struct SourceState {
    /// The newest catalog; `None` until it was read once.
    pub snapshot: Option<Arc<CatalogSnapshot>>,
    /// Why it cannot be read at the moment.
    pub problem: Option<Problem>,
}

/// Keeps a [`SourceState`] up to date while it lives.
pub struct SourceWatcher {
    state: watch::Receiver<SourceState>,
    worker: JoinHandle<()>,
}

impl SourceWatcher {
    /// Starts to watch; `poll` is how often the catalog is listed although no change was seen.
    pub fn start(client: Arc<CatalogClient>, poll: Duration) -> Self {
        let (sender, state) = watch::channel(SourceState::default());
        let worker = tokio::spawn(async move {
            loop {
                let Err(error) = follow(&client, poll, &sender).await;
                if matches!(error, CatalogError::Compacted(_)) {
                    tracing::info!(%error, "listing the source catalog again");
                } else {
                    tracing::warn!(%error, class = %error.class(), "the source catalog cannot be watched");
                    let problem = Problem::from(error);
                    sender.send_modify(|state| state.problem = Some(problem));
                    tokio::time::sleep(RETRY).await;
                }
            }
        });
        Self { state, worker }
    }

    /// The state, and its changes.
    pub fn state(&self) -> watch::Receiver<SourceState> {
        self.state.clone()
    }
}

impl Drop for SourceWatcher {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

async fn follow(
    client: &CatalogClient,
    poll: Duration,
    sender: &watch::Sender<SourceState>,
) -> Result<Infallible, CatalogError> {
    loop {
        let mirror = client.list().await?;
        publish(sender, &mirror);
        let mut watch = client.watch(mirror).await?;
        let next_list = Instant::now() + poll;
        while let Ok(changed) = timeout_at(next_list, watch.next()).await {
            changed?;
            settle(&mut watch).await?;
            publish(sender, watch.mirror());
        }
    }
}

async fn settle(watch: &mut CatalogWatch) -> Result<(), CatalogError> {
    let latest = Instant::now() + SETTLE_MAX;
    while Instant::now() < latest {
        match timeout(SETTLE, watch.next()).await {
            Ok(changed) => {
                changed?;
            }
            Err(_) => break,
        }
    }
    Ok(())
}

/// Wakes the loops only if there is something new for them.
fn publish(sender: &watch::Sender<SourceState>, mirror: &CatalogMirror) {
    let new = mirror.snapshot();
    sender.send_if_modified(|state| {
        let same = state.snapshot.as_ref().is_some_and(|old| {
            old.databases == new.databases
                && old.collections == new.collections
                && old.unreadable == new.unreadable
                && old.metadata == new.metadata
        });
        let changed = !same || state.problem.is_some();
        state.problem = None;
        // Kept also without change, for its revision.
        state.snapshot = Some(Arc::new(new));
        changed
    });
}
