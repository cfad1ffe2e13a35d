//! Snapshots: the whole state in one value, kept on disk and sent to members that are far behind.

use std::io::Cursor;

use openraft::{AnyError, RaftSnapshotBuilder, StorageIOError};
use redb::Durability;

use super::disk::{Disk, DiskError, META, get_meta, key, put_meta};
use super::format::{self, FormatError};
use super::state_machine::Applied;
use super::types::{Snapshot, SnapshotMeta, StorageError, TypeConfig};

/// A copy of the state, about to be written.
pub(super) struct SnapshotBuilder {
    applied: Applied,
    disk: Disk,
}

impl SnapshotBuilder {
    pub(super) fn new(applied: Applied, disk: Disk) -> Self {
        Self { applied, disk }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    async fn build_snapshot(&mut self) -> Result<Snapshot, StorageError> {
        let applied = std::mem::take(&mut self.applied);
        let meta = describe(&applied);
        let failed = |error: DiskError| -> StorageError {
            StorageIOError::write_snapshot(Some(meta.signature()), AnyError::new(&error)).into()
        };
        let encoded = tokio::task::spawn_blocking(move || format::encode(&applied.state)).await;
        // Only a shutdown of the runtime cancels it.
        let data = encoded.map_err(|_| failed(DiskError::Closed))?.map_err(|error| failed(error.into()))?;
        save(&self.disk, &meta, data.clone()).await.map_err(failed)?;
        tracing::info!(snapshot = %meta.snapshot_id, bytes = data.len(), "snapshot of the registry written");
        Ok(Snapshot { meta, snapshot: Box::new(Cursor::new(data)) })
    }
}

/// The same entries lead to the same bytes, so their end is name enough.
fn describe(applied: &Applied) -> SnapshotMeta {
    let snapshot_id = match applied.last_log_id {
        Some(log_id) => format!("{}-{}-{}", log_id.leader_id.term, log_id.leader_id.node_id, log_id.index),
        None => "empty".to_owned(),
    };
    SnapshotMeta {
        last_log_id: applied.last_log_id,
        last_membership: applied.membership.clone(),
        snapshot_id,
    }
}

/// The state in a snapshot's bytes.
pub(super) fn decode(meta: &SnapshotMeta, data: &[u8]) -> Result<Applied, FormatError> {
    let mut applied = Applied {
        state: format::decode(data)?,
        last_log_id: meta.last_log_id,
        membership: meta.last_membership.clone(),
    };
    // A snapshot from before they were remembered has them in its membership alone.
    applied.note_members();
    Ok(applied)
}

/// Puts a snapshot in the place of the last one.
pub(super) async fn save(disk: &Disk, meta: &SnapshotMeta, data: Vec<u8>) -> Result<(), DiskError> {
    let meta = format::encode(meta)?;
    disk.write(Durability::Immediate, move |transaction| {
        put_meta(transaction, key::SNAPSHOT_META, &meta)?;
        put_meta(transaction, key::SNAPSHOT, &data)
    })
    .await
}

/// The last snapshot as it is on disk.
pub(super) fn current(disk: &Disk) -> Result<Option<Snapshot>, DiskError> {
    disk.read(|transaction| {
        let Some(meta) = get_meta(transaction, key::SNAPSHOT_META)? else { return Ok(None) };
        let Some(data) =
            transaction.open_table(META)?.get(key::SNAPSHOT)?.map(|bytes| bytes.value().to_vec())
        else {
            return Ok(None);
        };
        Ok(Some(Snapshot { meta, snapshot: Box::new(Cursor::new(data)) }))
    })
}

/// The last snapshot as a state.
pub(super) fn load(disk: &Disk) -> Result<Option<Applied>, DiskError> {
    match current(disk)? {
        Some(snapshot) => Ok(Some(decode(&snapshot.meta, snapshot.snapshot.get_ref())?)),
        None => Ok(None),
    }
}
