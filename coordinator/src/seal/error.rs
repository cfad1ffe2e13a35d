//! What can be wrong with a key or a secret. Never contains either.

use std::path::PathBuf;

use super::ENVIRONMENT;

/// What can be wrong with a sealing key or a sealed secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The key file cannot be read or written.
    #[error(
        "cannot use the sealing key file {}: {source}; check sealing.key_file and who may read it", .path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Others may read the key file.
    #[error("the sealing key file {} can be read by others (mode {mode:03o}): run chmod 600 on it", .path.display())]
    FileMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key would have been overwritten.
    #[error(
        "the sealing key file {} exists already: use it, or name another file; tasks sealed with a key that is lost \
         must be created again", .path.display()
    )]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// Not a key.
    #[error("{origin} holds no sealing key: expected 32 bytes as 64 hexadecimal digits or as base64")]
    NotAKey {
        /// Which file or variable.
        origin: String,
    },
    /// A secret that was sealed with a key that this coordinator does not have.
    #[error(
        "the credentials are sealed with the key {wanted}, but this coordinator has {}: start it with that key \
         (sealing.key_file or {ENVIRONMENT}), or delete the task and create it again", .known.join(", ")
    )]
    OtherKey {
        /// Id of the key that would open it.
        wanted: String,
        /// Ids of the keys at hand.
        known: Vec<String>,
    },
    /// Key and id fit, but the content does not: it was altered.
    #[error("the sealed credentials are damaged: delete the task and create it again")]
    Damaged,
    /// The operating system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}
