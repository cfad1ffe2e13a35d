//! What can be wrong with the file of a backup, in words that say what to do.

use std::io;
use std::path::PathBuf;

/// What can be wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Something else.
    #[error("this is no backup of harrier: give the file that `harrier backup --out FILE` wrote")]
    NotABackup,
    /// A newer program wrote it.
    #[error(
        "the backup was made by a newer version of harrier (format {found}, this version reads up to {known}): restore it \
         with that version"
    )]
    Newer {
        /// Its format.
        found: u64,
        /// The newest that this build reads.
        known: u64,
    },
    /// It ends too early.
    #[error(
        "the backup is cut off ({found} of {expected} bytes): copy the file again, or take an older backup"
    )]
    Truncated {
        /// Bytes of state that are there.
        found: usize,
        /// Bytes of state that were written.
        expected: usize,
    },
    /// It is not what was written.
    #[error("the backup is damaged ({what}): copy the file again, or take an older backup")]
    Damaged {
        /// What does not fit.
        what: String,
    },
    /// It would replace another file.
    #[error("{} exists already: give another name with --out, or replace it with --force", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot use {}: {source}; check that the folder exists, is writable and has free space", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
}
