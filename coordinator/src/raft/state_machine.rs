//! The state that the log leads to, in memory; a snapshot of it on disk now and then.

use std::io::Cursor;
use std::sync::{Arc, PoisonError, RwLock};

use openraft::storage::RaftStateMachine;
use openraft::{AnyError, EntryPayload, StorageIOError};
use tokio::sync::watch;

use super::disk::{Disk, DiskError};
use super::snapshot::{self, SnapshotBuilder};
use super::types::{LogEntry, LogId, Membership, NodeId, Snapshot, SnapshotMeta, StorageError, TypeConfig};
use crate::registry::{self, Reply, State};

/// State, and how far the log was applied to it.
#[derive(Clone, Default)]
pub(super) struct Applied {
    pub(super) state: State,
    pub(super) last_log_id: Option<LogId>,
    pub(super) membership: Membership,
}

/// The state that everybody reads; changed in place by the state machine alone.
#[derive(Clone)]
pub(super) struct SharedState {
    applied: Arc<RwLock<Applied>>,
    index: watch::Sender<u64>,
}

impl Applied {
    /// Whether this was a member, and is none any more.
    pub(super) fn was_removed(&self, node_id: NodeId) -> bool {
        self.state.member_ids.contains(&node_id) && self.membership.membership().get_node(&node_id).is_none()
    }

    /// Remembers who is a member now, for ever.
    pub(super) fn note_members(&mut self) {
        registry::apply::members(&mut self.state, self.membership.nodes().map(|(node_id, _)| *node_id));
    }
}

impl SharedState {
    /// What the newest snapshot holds, or nothing.
    pub(super) fn load(disk: &Disk) -> Result<Self, DiskError> {
        let applied = snapshot::load(disk)?.unwrap_or_default();
        let index = applied.last_log_id.map_or(0, |log_id| log_id.index);
        Ok(Self { applied: Arc::new(RwLock::new(applied)), index: watch::Sender::new(index) })
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&Applied) -> T) -> T {
        look(&self.applied.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn index(&self) -> watch::Receiver<u64> {
        self.index.subscribe()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Applied) -> T) -> T {
        let (outcome, index) = {
            let mut applied = self.applied.write().unwrap_or_else(PoisonError::into_inner);
            let outcome = change(&mut applied);
            (outcome, applied.last_log_id.map_or(0, |log_id| log_id.index))
        };
        self.index.send_replace(index);
        outcome
    }
}

pub(super) struct StateMachine {
    shared: SharedState,
    disk: Disk,
    on_snapshot: Arc<dyn Fn() + Send + Sync>,
}

impl StateMachine {
    /// `on_snapshot` is called whenever the state was taken for a snapshot.
    pub(super) fn new(shared: SharedState, disk: Disk, on_snapshot: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { shared, disk, on_snapshot }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), StorageError> {
        Ok(self.shared.read(|applied| (applied.last_log_id, applied.membership.clone())))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Reply>, StorageError>
    where
        I: IntoIterator<Item = LogEntry> + Send,
        I::IntoIter: Send,
    {
        let apply_all =
            |applied: &mut Applied| entries.into_iter().map(|entry| apply(applied, entry)).collect();
        Ok(self.shared.change(apply_all))
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        (self.on_snapshot)();
        // The one copy of the state per snapshot: it is encoded and written while entries go on being applied.
        SnapshotBuilder::new(self.shared.read(Applied::clone), self.disk.clone())
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::new(Cursor::new(Vec::new())))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let failed = |error: DiskError| -> StorageError {
            StorageIOError::write_snapshot(Some(meta.signature()), AnyError::new(&error)).into()
        };
        let data = snapshot.into_inner();
        let installed = snapshot::decode(meta, &data).map_err(|error| failed(error.into()))?;
        snapshot::save(&self.disk, meta, data).await.map_err(failed)?;
        self.shared.change(|applied| *applied = installed);
        (self.on_snapshot)();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, StorageError> {
        let current = snapshot::current(&self.disk);
        current.map_err(|error| StorageIOError::read_snapshot(None, AnyError::new(&error)).into())
    }
}

fn apply(applied: &mut Applied, entry: LogEntry) -> Reply {
    applied.last_log_id = Some(entry.log_id);
    match entry.payload {
        EntryPayload::Normal(entry) => registry::apply(&mut applied.state, &entry),
        EntryPayload::Membership(membership) => {
            applied.membership = Membership::new(Some(entry.log_id), membership);
            applied.note_members();
            Reply::Done
        }
        EntryPayload::Blank => Reply::Done,
    }
}
