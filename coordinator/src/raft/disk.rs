//! The file of the registry: reads anywhere, writes one after the other on a thread of their own, because a commit
//! waits for the disk. After a failed write nothing is written any more: what the file holds is then unknown, and
//! only a restart, which reads it again, may go on.

use std::ops::RangeBounds;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, Durability, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::folder::FolderLock;
use super::format::{self, FormatError};
use super::types::LogEntry;

/// Single values by name.
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Log entries by index.
pub(super) const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");

/// Names in `META`.
pub(super) mod key {
    pub(in super::super) const FORMAT: &str = "format";
    pub(in super::super) const NODE_ID: &str = "node_id";
    pub(in super::super) const CLUSTER_ID: &str = "cluster_id";
    pub(in super::super) const VOTE: &str = "vote";
    pub(in super::super) const COMMITTED: &str = "committed";
    pub(in super::super) const PURGED: &str = "purged";
    pub(in super::super) const SNAPSHOT_META: &str = "snapshot_meta";
    pub(in super::super) const SNAPSHOT: &str = "snapshot";
}

#[derive(Debug, thiserror::Error)]
pub(super) enum DiskError {
    #[error("the registry file is closed")]
    Closed,
    #[error("an earlier write failed: {0}")]
    FailedBefore(String),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Store(Box<redb::Error>),
}

impl<E: Into<redb::Error>> From<E> for DiskError {
    fn from(error: E) -> Self {
        Self::Store(Box::new(error.into()))
    }
}

type Job = Box<dyn FnOnce(&Shared) + Send>;

/// Handle to the file; cheap to clone. The file is closed with the last one, or by `close`.
#[derive(Clone)]
pub(super) struct Disk {
    shared: Arc<Shared>,
    jobs: std::sync::mpsc::Sender<Job>,
}

struct Shared {
    open: RwLock<Option<Open>>,
    failed: OnceLock<String>,
}

struct Open {
    database: Database,
    /// Released after the database is closed.
    _lock: FolderLock,
}

impl Disk {
    pub(super) fn start(database: Database, lock: FolderLock) -> std::io::Result<Self> {
        let open = Open { database, _lock: lock };
        let shared = Arc::new(Shared { open: RwLock::new(Some(open)), failed: OnceLock::new() });
        let (jobs, queue) = std::sync::mpsc::channel::<Job>();
        let worker = shared.clone();
        std::thread::Builder::new().name("registry-disk".to_owned()).spawn(move || {
            for job in queue {
                job(&worker);
            }
        })?;
        Ok(Self { shared, jobs })
    }

    /// Makes a change in one transaction; when this returns `Ok` with `Durability::Immediate`, it is on the disk.
    pub(super) async fn write<F>(&self, durability: Durability, change: F) -> Result<(), DiskError>
    where
        F: FnOnce(&WriteTransaction) -> Result<(), DiskError> + Send + 'static,
    {
        let (done, outcome) = oneshot::channel();
        let job = Box::new(move |shared: &Shared| {
            // The receiver is gone only when the whole node is.
            let _ = done.send(shared.write(durability, change));
        });
        self.jobs.send(job).map_err(|_| DiskError::Closed)?;
        outcome.await.map_err(|_| DiskError::Closed)?
    }

    pub(super) async fn write_meta<T: Serialize>(
        &self,
        durability: Durability,
        name: &'static str,
        value: &T,
    ) -> Result<(), DiskError> {
        let bytes = format::encode(value)?;
        self.write(durability, move |transaction| put_meta(transaction, name, &bytes)).await
    }

    pub(super) fn read<T>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        let open = self.shared.open();
        let Some(open) = open.as_ref() else { return Err(DiskError::Closed) };
        look(&open.database.begin_read()?)
    }

    pub(super) fn read_meta<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, DiskError> {
        self.read(|transaction| get_meta(transaction, name))
    }

    /// Closes the file and lets go of the folder, after what is being written.
    pub(super) async fn close(&self) {
        let (done, outcome) = oneshot::channel();
        let job = Box::new(move |shared: &Shared| {
            drop(shared.open.write().unwrap_or_else(PoisonError::into_inner).take());
            let _ = done.send(());
        });
        if self.jobs.send(job).is_ok() {
            let _ = outcome.await;
        }
    }
}

impl Shared {
    fn open(&self) -> RwLockReadGuard<'_, Option<Open>> {
        // Nothing is left half done under this lock.
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<F>(&self, durability: Durability, change: F) -> Result<(), DiskError>
    where
        F: FnOnce(&WriteTransaction) -> Result<(), DiskError>,
    {
        if let Some(reason) = self.failed.get() {
            return Err(DiskError::FailedBefore(reason.clone()));
        }
        let open = self.open();
        let Some(open) = open.as_ref() else { return Err(DiskError::Closed) };
        let outcome = commit(&open.database, durability, change);
        if let Err(error) = &outcome {
            tracing::error!(error = %error, "writing the registry failed; this coordinator stops");
            let _ = self.failed.set(error.to_string());
        }
        outcome
    }
}

fn commit<F>(database: &Database, durability: Durability, change: F) -> Result<(), DiskError>
where
    F: FnOnce(&WriteTransaction) -> Result<(), DiskError>,
{
    let mut transaction = database.begin_write()?;
    transaction.set_durability(durability)?;
    change(&transaction)?;
    transaction.commit()?;
    Ok(())
}

pub(super) fn put_meta(transaction: &WriteTransaction, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
    transaction.open_table(META)?.insert(name, bytes)?;
    Ok(())
}

pub(super) fn get_meta<T: DeserializeOwned>(
    transaction: &ReadTransaction,
    name: &str,
) -> Result<Option<T>, DiskError> {
    match transaction.open_table(META)?.get(name)? {
        Some(bytes) => Ok(Some(format::decode(bytes.value())?)),
        None => Ok(None),
    }
}

/// Entries of a range of indexes, until their encoding exceeds `bytes_max`; at least one if there is one.
pub(super) fn get_log(
    transaction: &ReadTransaction,
    range: impl RangeBounds<u64>,
    bytes_max: usize,
) -> Result<Vec<LogEntry>, DiskError> {
    let mut entries = Vec::new();
    let mut bytes_read = 0;
    for item in transaction.open_table(LOG)?.range(range)? {
        let (_, bytes) = item?;
        bytes_read += bytes.value().len();
        if bytes_read > bytes_max && !entries.is_empty() {
            break;
        }
        entries.push(format::decode(bytes.value())?);
    }
    Ok(entries)
}
