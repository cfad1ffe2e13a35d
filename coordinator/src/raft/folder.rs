//! The data folder: `registry.redb` (everything that the group decided) and `lock` (one process at a time).
//! A new registry is prepared under another name, so that a `registry.redb` is always a whole one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase, StorageBackend, WriteTransaction};

use super::disk::{Disk, DiskError, LOG, META, get_log, get_meta, key, put_meta};
use super::format::{self, FormatError, VERSION};
use super::types::{LogId, NodeId, SnapshotMeta, Vote};
use super::{OpenError, RaftOptions};
use crate::registry::State;

const FILE: &str = "registry.redb";
const LOCK: &str = "lock";
/// The working set of a registry is its newest entries.
const CACHE_BYTES: usize = 32 * 1024 * 1024;
/// A file larger than this gives back what purged entries left free, at open.
const COMPACT_ABOVE_BYTES: u64 = 128 * 1024 * 1024;

/// Holds the folder for this process until dropped, also against a process that was forked from nothing of ours.
pub(super) struct FolderLock {
    _file: File,
}

/// Opens, or makes, the registry of the folder. Blocks on the disk.
/// `wrap` stands between the store and its file; tests let it fail.
pub(super) fn open<B: StorageBackend>(
    options: &RaftOptions,
    wrap: impl FnOnce(FileBackend) -> B,
) -> Result<Disk, OpenError> {
    let data_dir = options.data_dir.as_path();
    let path = data_dir.join(FILE);
    let lock = take(data_dir)?;
    if !exists(&path)? {
        // Without entries, and belonging to nobody.
        make(data_dir, options.node_id, |_| Ok(()))?;
    }
    let length = fs::metadata(&path).map_err(|source| io_error(&path, source))?.len();
    if length == 0 {
        return Err(damaged(&path, "it is empty"));
    }
    let mut database = open_database(&path, false, wrap)?;
    check(options, &path, &database)?;
    if length > COMPACT_ABOVE_BYTES {
        database.compact().map_err(|error| damaged(&path, error))?;
    }
    Disk::start(database, lock).map_err(|source| io_error(data_dir, source))
}

/// Makes the registry of a folder that has none, with what `fill` writes into it.
pub(super) fn make_new(
    data_dir: &Path,
    node_id: NodeId,
    fill: impl FnOnce(&WriteTransaction) -> Result<(), DiskError>,
) -> Result<(), OpenError> {
    let _lock = take(data_dir)?;
    if exists(&data_dir.join(FILE))? {
        return Err(OpenError::NotEmpty { data_dir: data_dir.to_owned() });
    }
    make(data_dir, node_id, fill)
}

/// The folder for this process alone; makes it if it is not there.
fn take(data_dir: &Path) -> Result<FolderLock, OpenError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(data_dir).map_err(|source| io_error(data_dir, source))?;
    lock(data_dir)
}

fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists().map_err(|source| io_error(path, source))
}

fn lock(data_dir: &Path) -> Result<FolderLock, OpenError> {
    let path = data_dir.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| io_error(&path, source))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only for the message.
            let _ = file.read_to_string(&mut holder);
            let holder = if holder.is_empty() { "unknown".to_owned() } else { holder };
            return Err(OpenError::InUse { data_dir: data_dir.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(io_error(&path, source)),
    }
    write_holder(&mut file).map_err(|source| io_error(&path, source))?;
    Ok(FolderLock { _file: file })
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {}", std::process::id())
}

/// Makes a registry without entries; it is there as a whole, or not at all.
fn make(
    data_dir: &Path,
    node_id: NodeId,
    fill: impl FnOnce(&WriteTransaction) -> Result<(), DiskError>,
) -> Result<(), OpenError> {
    let path = data_dir.join(FILE);
    let new_path = path.with_extension("redb.new");
    if exists(&new_path)? {
        // Left by a start that was cut short; nothing was ever decided in it.
        fs::remove_file(&new_path).map_err(|source| io_error(&new_path, source))?;
    }
    let database = open_database(&new_path, true, |file| file)?;
    write_new(&database, node_id, fill).map_err(|error| store_error(&new_path, error))?;
    database.close().map_err(|error| store_error(&new_path, error.into()))?;
    fs::rename(&new_path, &path).map_err(|source| io_error(&path, source))?;
    let folder = File::open(data_dir).and_then(|folder| folder.sync_all());
    folder.map_err(|source| io_error(data_dir, source))
}

fn write_new(
    database: &Database,
    node_id: NodeId,
    fill: impl FnOnce(&WriteTransaction) -> Result<(), DiskError>,
) -> Result<(), DiskError> {
    let transaction = database.begin_write()?;
    put_meta(&transaction, key::FORMAT, &[VERSION])?;
    put_meta(&transaction, key::NODE_ID, &format::encode(&node_id)?)?;
    transaction.open_table(LOG)?;
    fill(&transaction)?;
    transaction.commit()?;
    Ok(())
}

fn open_database<B: StorageBackend>(
    path: &Path,
    create: bool,
    wrap: impl FnOnce(FileBackend) -> B,
) -> Result<Database, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(create).mode(0o600);
    let file = options.open(path).map_err(|source| io_error(path, source))?;
    let backend = FileBackend::new(file).map_err(|error| store_error(path, error.into()))?;
    redb::Builder::new()
        .set_cache_size(CACHE_BYTES)
        // A file that was altered behind our back is refused, and not trusted.
        .set_check_integrity_on_open(true)
        .create_with_backend(wrap(backend))
        .map_err(|error| open_database_error(path, error))
}

fn open_database_error(path: &Path, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => OpenError::InUse {
            data_dir: path.parent().unwrap_or(path).to_owned(),
            holder: "unknown".to_owned(),
        },
        other => store_error(path, other.into()),
    }
}

/// Reads everything once, so that a registry that cannot be read is refused here and not met later.
fn check(options: &RaftOptions, path: &Path, database: &Database) -> Result<(), OpenError> {
    let format = read_format(database).map_err(|error| store_error(path, error))?;
    match format.as_deref() {
        Some([version]) if *version <= VERSION => {}
        Some([version]) => return Err(newer(path, *version)),
        _ => return Err(damaged(path, "it is not a registry of harrier")),
    }
    let found = read_all(database).map_err(|error| store_error(path, error))?;
    match found {
        Some(node_id) if node_id == options.node_id => Ok(()),
        Some(found) => Err(OpenError::OtherNode {
            data_dir: options.data_dir.clone(),
            found,
            configured: options.node_id,
        }),
        None => Err(damaged(path, "its node id, or an entry of its log, is missing")),
    }
}

fn read_format(database: &Database) -> Result<Option<Vec<u8>>, DiskError> {
    let meta = match database.begin_read()?.open_table(META) {
        Ok(meta) => meta,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(meta.get(key::FORMAT)?.map(|bytes| bytes.value().to_vec()))
}

/// The node id; `None` when it, or an entry amid the log, is missing.
fn read_all(database: &Database) -> Result<Option<NodeId>, DiskError> {
    let transaction = database.begin_read()?;
    get_meta::<String>(&transaction, key::CLUSTER_ID)?;
    get_meta::<Vote>(&transaction, key::VOTE)?;
    get_meta::<Option<LogId>>(&transaction, key::COMMITTED)?;
    let purged: Option<LogId> = get_meta(&transaction, key::PURGED)?;
    get_meta::<SnapshotMeta>(&transaction, key::SNAPSHOT_META)?;
    get_meta::<State>(&transaction, key::SNAPSHOT)?;
    let mut next = purged.map_or(0, |purged| purged.index + 1);
    loop {
        // Piece by piece: the whole log need not fit in memory.
        let entries = get_log(&transaction, next.., 1024 * 1024)?;
        if entries.is_empty() {
            return get_meta(&transaction, key::NODE_ID);
        }
        for entry in entries {
            if entry.log_id.index != next {
                return Ok(None);
            }
            next += 1;
        }
    }
}

fn store_error(path: &Path, error: DiskError) -> OpenError {
    match error {
        DiskError::Format(FormatError::Newer(found)) => newer(path, found),
        DiskError::Format(error) => damaged(path, error),
        DiskError::Store(error) => match *error {
            redb::Error::Io(source) if !is_damage(&source) => io_error(path, source),
            redb::Error::UpgradeRequired(found) => {
                damaged(path, format!("store format {found} is not known"))
            }
            other => damaged(path, other),
        },
        other => damaged(path, other),
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

fn newer(path: &Path, found: u8) -> OpenError {
    OpenError::NewerFormat { path: path.to_owned(), found, known: VERSION }
}

fn damaged(path: &Path, what: impl ToString) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), what: what.to_string() }
}

fn io_error(path: impl Into<PathBuf>, source: io::Error) -> OpenError {
    OpenError::Io { path: path.into(), source }
}
