//! Who this node is: its number, and the cluster that its folder belongs to.
//!
//! A folder belongs to a cluster from its founding, or from the moment when the group admitted the empty folder, once
//! and for ever. So a member whose folder was lost is not taken for the one that it was: what it had promised in an
//! election is gone with the folder.

use std::fmt::Write as _;
use std::sync::OnceLock;

use redb::Durability;

use super::OpenError;
use super::disk::{Disk, DiskError, key};
use super::types::NodeId;

const CLUSTER_ID_BYTES: usize = 16;

/// Number and cluster of this node.
pub(super) struct Identity {
    node_id: NodeId,
    cluster_id: OnceLock<String>,
    disk: Disk,
}

/// Why a folder cannot be given to a cluster.
#[derive(Debug, thiserror::Error)]
pub(super) enum BindError {
    #[error("it belongs to the cluster {0} already")]
    Other(String),
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Identity {
    pub(super) fn load(disk: &Disk, node_id: NodeId) -> Result<Self, DiskError> {
        let cluster_id = OnceLock::new();
        if let Some(known) = disk.read_meta::<String>(key::CLUSTER_ID)? {
            let _ = cluster_id.set(known);
        }
        Ok(Self { node_id, cluster_id, disk: disk.clone() })
    }

    pub(super) fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// 32 hex characters; `None` while the folder belongs to nobody.
    pub(super) fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.get().map(String::as_str)
    }

    /// The folder belongs to this cluster from now on; it is on the disk when this returns.
    pub(super) async fn bind(&self, cluster_id: &str) -> Result<(), BindError> {
        if self.cluster_id().is_none() {
            let written = cluster_id.to_owned();
            self.disk.write_meta(Durability::Immediate, key::CLUSTER_ID, &written).await?;
        }
        match self.cluster_id.get_or_init(|| cluster_id.to_owned()) {
            bound if bound == cluster_id => Ok(()),
            other => Err(BindError::Other(other.clone())),
        }
    }

    /// The folder belongs to a new cluster.
    pub(super) async fn bind_new(&self) -> Result<(), OpenError> {
        let cluster_id = new_cluster_id()?;
        self.bind(&cluster_id).await.map_err(|error| OpenError::Start(error.to_string()))
    }
}

/// An id that no other cluster has.
pub(super) fn new_cluster_id() -> Result<String, OpenError> {
    let mut bytes = [0_u8; CLUSTER_ID_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| OpenError::Start(error.to_string()))?;
    let mut cluster_id = String::with_capacity(2 * CLUSTER_ID_BYTES);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(cluster_id, "{byte:02x}");
    }
    Ok(cluster_id)
}
