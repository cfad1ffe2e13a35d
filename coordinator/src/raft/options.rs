//! How to open the registry.

use std::path::PathBuf;

use harrier_cluster::ClusterSecret;

use super::Peer;

/// How to open the registry.
#[derive(Clone, Debug)]
pub struct RaftOptions {
    /// Number of this member.
    pub node_id: u64,
    /// Folder that holds the registry. One process at a time.
    pub data_dir: PathBuf,
    /// Found a new group of one if the folder holds no registry yet. Without it such a node waits to be added.
    pub bootstrap: bool,
    /// Where the other members reach this one.
    pub peer: Peer,
    /// What all members and workers share; may be missing in a group of one.
    pub secret: Option<ClusterSecret>,
    /// An election is called after `election_ms_max` and a time drawn between these two without a word of the leader,
    /// milliseconds.
    pub election_ms_min: u64,
    /// The larger one, milliseconds.
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
            secret: None,
            election_ms_min: 400,
            election_ms_max: 700,
            heartbeat_ms: 200,
            propose_timeout_ms: 5000,
            snapshot_entries: 4096,
            snapshot_log_bytes: 64 * 1024 * 1024,
        }
    }
}
