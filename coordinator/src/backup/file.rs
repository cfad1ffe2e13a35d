//! The file on disk: readable by its owner alone, and either whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{Backup, BackupError};

/// Reads a backup.
pub fn read_file(path: &Path) -> Result<Backup, BackupError> {
    let bytes = fs::read(path).map_err(|source| io_error(path, source))?;
    Backup::decode(&bytes)
}

/// Writes a backup that was checked to be whole. Replaces another file only if `force` says so.
pub fn write_file(path: &Path, bytes: &[u8], force: bool) -> Result<(), BackupError> {
    let failed = |source: io::Error| io_error(path, source);
    if !force && path.try_exists().map_err(failed)? {
        return Err(BackupError::Exists { path: path.to_owned() });
    }
    let unfinished = unfinished(path);
    write_new(&unfinished, bytes).map_err(|source| io_error(&unfinished, source))?;
    let named = if force {
        fs::rename(&unfinished, path)
    } else {
        // Unlike a renaming it fails where somebody was faster.
        fs::hard_link(&unfinished, path).and_then(|()| fs::remove_file(&unfinished))
    };
    if let Err(source) = named {
        // The one that matters is told.
        let _ = fs::remove_file(&unfinished);
        return Err(match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists { path: path.to_owned() },
            _ => failed(source),
        });
    }
    File::open(folder(path)).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Beside it, so that it is in the same file system.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn io_error(path: &Path, source: io::Error) -> BackupError {
    BackupError::Io { path: path.to_owned(), source }
}
