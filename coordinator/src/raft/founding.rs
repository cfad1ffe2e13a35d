//! How a group begins, and how a node waits to be added to one.

use std::collections::BTreeMap;

use super::identity::Identity;
use super::registry::start_error;
use super::types::Raft;
use super::{OpenError, RaftOptions};

/// Founds a group of one, goes on with the group that the folder belongs to, or waits for one.
pub(super) async fn found_or_wait(
    raft: &Raft,
    identity: &Identity,
    options: &RaftOptions,
) -> Result<(), OpenError> {
    let (node_id, data_dir) = (options.node_id, options.data_dir.display().to_string());
    // Not the metrics: they are of the moment before.
    let members = raft.with_raft_state(|state| state.membership_state.effective().nodes().count());
    let members = members.await.map_err(start_error)?;
    if !raft.is_initialized().await.map_err(start_error)? {
        return match identity.cluster_id() {
            Some(cluster_id) if options.bootstrap => Err(OpenError::Admitted {
                data_dir: options.data_dir.clone(),
                cluster_id: cluster_id.to_owned(),
            }),
            _ if options.bootstrap => {
                let members = BTreeMap::from([(node_id, options.peer.clone())]);
                raft.initialize(members).await.map_err(|error| OpenError::Start(error.to_string()))?;
                identity.bind_new().await?;
                tracing::info!(node_id, data_dir, cluster_id = identity.cluster_id(), "founded a new group");
                Ok(())
            }
            _ if options.secret.is_none() => Err(OpenError::NoSecret),
            _ => {
                let grpc_address = &options.peer.grpc_address;
                tracing::warn!(
                    node_id,
                    data_dir,
                    "not a member yet: add this node with `harrier member add {grpc_address}` at any member, or start \
                     it with --bootstrap to found a new group"
                );
                Ok(())
            }
        };
    }
    if members > 1 && options.secret.is_none() {
        return Err(OpenError::NoSecret);
    }
    if identity.cluster_id().is_none() {
        // Founded before clusters had ids, or the founding was cut short.
        identity.bind_new().await?;
    }
    Ok(())
}
