//! How members reach each other: openraft's calls over gRPC, one connection for all calls to a member.
#![allow(clippy::result_large_err, reason = "the error is openraft's")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use harrier_proto::harrier::v1::{Envelope, MemberAnswer, MemberCall, SnapshotChunk};
use openraft::error::{Infallible, InstallSnapshotError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::{Request, Response, Status};

use super::Peer;
use super::channels::{Channels, Client};
use super::contact::Contacts;
use super::format::{self, FormatError};
use super::identity::Identity;
use super::types::{NodeId, TypeConfig};

type CallError<E = Infallible> = RPCError<NodeId, Peer, RaftError<NodeId, E>>;

/// Pauses between calls to a member that cannot be reached; a member that comes back must hear of the leader before it
/// calls an election, so they stay short.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_millis(200);

/// Makes the connections to the other members.
#[derive(Clone)]
pub(super) struct Network {
    shared: Arc<Shared>,
}

struct Shared {
    identity: Arc<Identity>,
    channels: Arc<Channels>,
    contacts: Contacts,
}

/// The way to one other member.
pub(super) struct Connection {
    member: NodeId,
    address: String,
    shared: Arc<Shared>,
}

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Address(#[from] super::channels::AddressError),
    #[error("{}", .0.message())]
    Status(#[from] Status),
    #[error("its answer cannot be read: {0}")]
    Answer(#[from] FormatError),
    #[error("this node belongs to no cluster yet")]
    Unbound,
}

impl Network {
    pub(super) fn new(identity: Arc<Identity>, channels: Arc<Channels>, contacts: Contacts) -> Self {
        Self { shared: Arc::new(Shared { identity, channels, contacts }) }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Connection;

    async fn new_client(&mut self, target: NodeId, node: &Peer) -> Connection {
        Connection { member: target, address: node.grpc_address.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl Connection {
    fn envelope(&self) -> Result<Envelope, Failure> {
        let identity = &self.shared.identity;
        let cluster_id = identity.cluster_id().ok_or(Failure::Unbound)?.to_owned();
        Ok(Envelope { cluster_id, from: identity.node_id(), to: self.member })
    }

    fn client(&self) -> Result<Client, Failure> {
        Ok(self.shared.channels.client(&self.address)?)
    }

    fn call<T: Serialize>(&self, payload: &T, option: &RPCOption) -> Result<Request<MemberCall>, Failure> {
        let payload = format::encode(payload)?.into();
        Ok(timed(MemberCall { envelope: Some(self.envelope()?), payload }, option))
    }

    /// What openraft is told of an answer, or of none; changes in a member's health are told to the operator, once.
    fn conclude<T, E>(&self, answer: Result<Response<MemberAnswer>, Failure>) -> Result<T, CallError<E>>
    where
        T: DeserializeOwned,
        E: std::error::Error + DeserializeOwned,
    {
        let decoded = answer.and_then(|answer| {
            Ok(format::decode::<Result<T, RaftError<NodeId, E>>>(&answer.into_inner().payload)?)
        });
        match decoded {
            Ok(answer) => {
                self.shared.contacts.note_answer(self.member, &self.address, Instant::now());
                answer.map_err(|error| RPCError::RemoteError(RemoteError::new(self.member, error)))
            }
            Err(failure) => {
                let what = failure.to_string();
                self.shared.contacts.note_failure(self.member, &self.address, &what, Instant::now());
                Err(RPCError::Unreachable(Unreachable::new(&failure)))
            }
        }
    }
}

/// The member stops working on a call that nobody waits for any more.
fn timed<T>(message: T, option: &RPCOption) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(option.hard_ttl());
    request
}

impl RaftNetwork<TypeConfig> for Connection {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<NodeId>, CallError> {
        let answer = async {
            let call = self.call(&request, &option)?;
            Ok(self.client()?.append(call).await?)
        };
        let answer = answer.await;
        self.conclude(answer)
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<NodeId>, CallError<InstallSnapshotError>> {
        let answer = async {
            let chunk = SnapshotChunk {
                envelope: Some(self.envelope()?),
                vote: format::encode(&request.vote)?.into(),
                meta: format::encode(&request.meta)?.into(),
                offset: request.offset,
                data: request.data.into(),
                done: request.done,
            };
            Ok(self.client()?.install_snapshot(timed(chunk, &option)).await?)
        };
        let answer = answer.await;
        self.conclude(answer)
    }

    async fn vote(
        &mut self,
        request: VoteRequest<NodeId>,
        option: RPCOption,
    ) -> Result<VoteResponse<NodeId>, CallError> {
        let answer = async {
            let call = self.call(&request, &option)?;
            Ok(self.client()?.vote(call).await?)
        };
        let answer = answer.await;
        self.conclude(answer)
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::successors(Some(BACKOFF_MIN), |pause| Some((*pause * 2).min(BACKOFF_MAX))))
    }
}
