//! What openraft is told about our types.

use std::io::Cursor;

use serde::{Deserialize, Serialize};

use crate::registry;

/// Number of a member; never used again for another one.
pub(crate) type NodeId = u64;

/// Where a member is reached. Part of the membership, hence of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// `host:port` of its gRPC service; empty in a group of one that nobody has joined yet.
    #[serde(default)]
    pub grpc_address: String,
    /// `host:port` of its HTTP API, to which requests for the leader are forwarded.
    #[serde(default)]
    pub http_address: String,
}

openraft::declare_raft_types!(
    /// Entries of the registry, decided by a group of `u64` members.
    pub(crate) TypeConfig:
        D = registry::Entry,
        R = registry::Reply,
        NodeId = NodeId,
        Node = Peer,
        SnapshotData = Cursor<Vec<u8>>,
);

pub(crate) type LogEntry = openraft::Entry<TypeConfig>;
pub(crate) type LogId = openraft::LogId<NodeId>;
pub(crate) type Membership = openraft::StoredMembership<NodeId, Peer>;
pub(crate) type Raft = openraft::Raft<TypeConfig>;
pub(crate) type Snapshot = openraft::Snapshot<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<NodeId, Peer>;
pub(crate) type StorageError = openraft::StorageError<NodeId>;
pub(crate) type Vote = openraft::Vote<NodeId>;
