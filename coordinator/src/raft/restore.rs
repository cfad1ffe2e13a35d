//! A data folder that begins with a given state: the only member of a new cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use openraft::CommittedLeaderId;
use redb::WriteTransaction;

use super::disk::{DiskError, key, put_meta};
use super::types::{LogId, Membership, NodeId, SnapshotMeta, Vote};
use super::{OpenError, Peer, folder, format, identity};
use crate::registry::State;

/// The log begins behind this one, which stands for all that led to the state.
const TERM: u64 = 1;
const INDEX: u64 = 1;

/// Makes the folder of the only member of a new cluster; answers the cluster's id. Refuses a folder that holds a
/// registry.
pub fn restore(data_dir: &Path, node_id: NodeId, state: &State) -> Result<String, OpenError> {
    let cluster_id = identity::new_cluster_id()?;
    let fill = |transaction: &WriteTransaction| write(transaction, node_id, &cluster_id, state);
    folder::make_new(data_dir, node_id, fill)?;
    Ok(cluster_id)
}

fn write(
    transaction: &WriteTransaction,
    node_id: NodeId,
    cluster_id: &str,
    state: &State,
) -> Result<(), DiskError> {
    let log_id = LogId::new(CommittedLeaderId::new(TERM, node_id), INDEX);
    // Its address is told to the group when it leads.
    let nodes = BTreeMap::from([(node_id, Peer::default())]);
    let membership = openraft::Membership::new(vec![BTreeSet::from([node_id])], nodes);
    let meta = SnapshotMeta {
        last_log_id: Some(log_id),
        last_membership: Membership::new(Some(log_id), membership),
        snapshot_id: format!("restored-{node_id}-{INDEX}"),
    };
    put_meta(transaction, key::CLUSTER_ID, &format::encode(&cluster_id)?)?;
    put_meta(transaction, key::VOTE, &format::encode(&Vote::new(TERM, node_id))?)?;
    put_meta(transaction, key::PURGED, &format::encode(&Some(log_id))?)?;
    put_meta(transaction, key::SNAPSHOT_META, &format::encode(&meta)?)?;
    put_meta(transaction, key::SNAPSHOT, &format::encode(state)?)
}
