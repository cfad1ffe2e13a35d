//! How members reach each other. A group has one member until members can join; openraft then never calls this, and
//! a member that it should call all the same is truthfully not reachable.

use openraft::error::{Infallible, InstallSnapshotError, RPCError, RaftError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};

use super::Peer;
use super::types::{NodeId, TypeConfig};

type CallError<E = Infallible> = RPCError<NodeId, Peer, RaftError<NodeId, E>>;

/// Makes the connections to the other members.
pub(super) struct Network;

/// The way to one other member.
pub(super) struct Connection {
    member: NodeId,
}

#[derive(Debug, thiserror::Error)]
#[error("no way to reach member {0}: this version runs groups of one")]
struct NoWay(NodeId);

impl Connection {
    fn unreachable(&self) -> Unreachable {
        Unreachable::new(&NoWay(self.member))
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Connection;

    async fn new_client(&mut self, target: NodeId, _node: &Peer) -> Connection {
        Connection { member: target }
    }
}

impl RaftNetwork<TypeConfig> for Connection {
    async fn append_entries(
        &mut self,
        _request: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<NodeId>, CallError> {
        Err(self.unreachable().into())
    }

    async fn install_snapshot(
        &mut self,
        _request: InstallSnapshotRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<InstallSnapshotResponse<NodeId>, CallError<InstallSnapshotError>> {
        Err(self.unreachable().into())
    }

    async fn vote(
        &mut self,
        _request: VoteRequest<NodeId>,
        _option: RPCOption,
    ) -> Result<VoteResponse<NodeId>, CallError> {
        Err(self.unreachable().into())
    }
}
