//! How to open the registry.

use std::path::PathBuf;

use super::Peer;

/// How to open the registry.
#[derive(Clone, Debug)]
pub struct RaftOptions {
    /// Number of this member.
    pub node_id: u64,
    /// Folder that holds the registry. One process at a time.
    pub data_dir: PathBuf,
    /// Found a new group of one if the folder holds no registry yet. Without it such a folder is an error.
    pub bootstrap: bool,
    /// Where the other members would reach this one.
    pub peer: Peer,
    /// Least time without a word of the leader before an election, milliseconds.
    pub election_ms_min: u64,
    /// Largest such time, milliseconds; the real one is drawn between the two.
    pub election_ms_max: u64,
    /// How often a leader shows the other members that it is there, milliseconds.
    pub heartbeat_ms: u64,
    /// How long a proposal or a read may wait for the group, milliseconds.
    pub propose_timeout_ms: u64,
    /// A snapshot is made, and the log before it purged, after this many entries ...
    pub snapshot_entries: u64,
    /// ... or after this many bytes of log, whichever comes first.
    pub snapshot_log_bytes: u64,
}

impl Default for RaftOptions {
    fn default() -> Self {
        Self {
            node_id: 1,
            data_dir: PathBuf::new(),
            bootstrap: false,
            peer: Peer::default(),
            election_ms_min: 500,
            election_ms_max: 1000,
            heartbeat_ms: 100,
            propose_timeout_ms: 5000,
            snapshot_entries: 4096,
            snapshot_log_bytes: 64 * 1024 * 1024,
        }
    }
}
