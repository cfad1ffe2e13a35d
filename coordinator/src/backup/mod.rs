//! A backup of the registry: everything that the group remembers, in one file, and what it takes to begin again from it.
//!
//! Credentials stay sealed in it; the key that opens them is not in it. What the old group did after the backup is not
//! in it either: `registry::restored` says how a group that is founded from it makes good for that.

mod error;
mod file;
mod format;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use error::BackupError;
pub use file::{read_file, write_file};

use crate::raft::{self, OpenError};
use crate::registry::{self, State};
use crate::seal::{SealError, Sealer};

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The cluster that it was made of.
    pub cluster_id: String,
    /// When, in unix milliseconds.
    pub created_ms: u64,
    /// Version of the program that made it.
    pub version: String,
    /// Index of the last log entry that is in it.
    pub log_index: u64,
    /// Ids of the keys that its credentials are sealed with.
    pub key_ids: BTreeSet<String>,
    /// Number of its tasks.
    pub tasks: usize,
    /// Length of the state that follows.
    pub state_bytes: usize,
}

/// A backup in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// What it says of itself.
    pub header: Header,
    /// The registry at that moment.
    pub state: State,
}

impl Backup {
    /// The file's content.
    pub fn encode(
        cluster_id: String,
        created_ms: u64,
        log_index: u64,
        state: &State,
    ) -> Result<Vec<u8>, BackupError> {
        format::encode(cluster_id, created_ms, log_index, state)
    }

    /// Reads a file's content; nothing of one that is not whole.
    pub fn decode(bytes: &[u8]) -> Result<Self, BackupError> {
        format::decode(bytes)
    }

    /// Whether this key, or one of these, opens every credential.
    pub fn check_key(&self, sealer: &Sealer) -> Result<(), SealError> {
        let mut secrets = self.state.accounts().map(|(_, task)| &task.secrets);
        secrets.try_for_each(|sealed| sealer.open(sealed).map(drop))
    }

    /// Founds a new group of one in a folder that holds no registry; answers the new cluster's id.
    pub fn restore(self, data_dir: &Path, node_id: u64, now_ms: u64) -> Result<String, OpenError> {
        let origin = registry::Restored {
            cluster_id: self.header.cluster_id,
            backup_ms: self.header.created_ms,
            restored_ms: now_ms,
        };
        raft::restore(data_dir, node_id, &registry::restored(self.state, origin))
    }
}
