//! The Raft log and vote on disk.

use std::fmt::Debug;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{AnyError, RaftLogReader, StorageIOError};
use redb::{Durability, ReadableTable};

use super::disk::{Disk, DiskError, LOG, get_log, get_meta, key, put_meta};
use super::format;
use super::types::{LogEntry, LogId, StorageError, TypeConfig, Vote};

/// Entries for one message to another member.
const REPLICATE_BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Clone)]
pub(super) struct LogStore {
    disk: Disk,
    /// Bytes appended since the last snapshot.
    grown_bytes: Arc<AtomicU64>,
}

impl LogStore {
    pub(super) fn new(disk: Disk, grown_bytes: Arc<AtomicU64>) -> Self {
        Self { disk, grown_bytes }
    }

    fn log_state(&self) -> Result<LogState<TypeConfig>, DiskError> {
        self.disk.read(|transaction| {
            let purged: Option<LogId> = get_meta(transaction, key::PURGED)?;
            let last = match transaction.open_table(LOG)?.last()? {
                Some((_, bytes)) => Some(format::decode::<LogEntry>(bytes.value())?.log_id),
                None => purged,
            };
            Ok(LogState { last_purged_log_id: purged, last_log_id: last })
        })
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        range: RB,
    ) -> Result<Vec<LogEntry>, StorageError> {
        self.disk.read(|transaction| get_log(transaction, range, usize::MAX)).map_err(read_error)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<LogEntry>, StorageError> {
        let range = start..end;
        self.disk.read(|transaction| get_log(transaction, range, REPLICATE_BYTES_MAX)).map_err(read_error)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        self.log_state().map_err(read_error)
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let saved = self.disk.write_meta(Durability::Immediate, key::VOTE, vote).await;
        saved.map_err(|error| StorageIOError::write_vote(AnyError::new(&error)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        let vote = self.disk.read_meta(key::VOTE);
        vote.map_err(|error| StorageIOError::read_vote(AnyError::new(&error)).into())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        // Not worth a wait for the disk: it travels with the next append, and when it is lost the group decides once
        // more what it had decided.
        self.disk.write_meta(Durability::None, key::COMMITTED, &committed).await.map_err(write_error)
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        Ok(self.disk.read_meta::<Option<LogId>>(key::COMMITTED).map_err(read_error)?.flatten())
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = LogEntry> + Send,
        I::IntoIter: Send,
    {
        let entries: Vec<LogEntry> = entries.into_iter().collect();
        let grown_bytes = self.grown_bytes.clone();
        let written = self.disk.write(Durability::Immediate, move |transaction| {
            let mut log = transaction.open_table(LOG)?;
            for entry in entries {
                let bytes = format::encode(&entry)?;
                log.insert(entry.log_id.index, bytes.as_slice())?;
                grown_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            Ok(())
        });
        written.await.map_err(write_error)?;
        // Only now, when the entries are on the disk, may anybody count on them.
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, since: LogId) -> Result<(), StorageError> {
        let removed = self.disk.write(Durability::Immediate, move |transaction| {
            transaction.open_table(LOG)?.retain_in(since.index.., |_, _| false)?;
            Ok(())
        });
        removed.await.map_err(write_error)
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), StorageError> {
        let purged = format::encode(&upto).map_err(|error| write_error(error.into()))?;
        let removed = self.disk.write(Durability::Immediate, move |transaction| {
            put_meta(transaction, key::PURGED, &purged)?;
            transaction.open_table(LOG)?.retain_in(..=upto.index, |_, _| false)?;
            Ok(())
        });
        removed.await.map_err(write_error)
    }
}

fn read_error(error: DiskError) -> StorageError {
    StorageIOError::read_logs(AnyError::new(&error)).into()
}

fn write_error(error: DiskError) -> StorageError {
    StorageIOError::write_logs(AnyError::new(&error)).into()
}
