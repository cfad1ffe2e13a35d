//! What members ask of this one: the service `Members` of `members.proto`.

use std::sync::Arc;
use std::time::Instant;

use harrier_proto::harrier::v1::members_server::Members;
use harrier_proto::harrier::v1::{
    AdmitReply, AdmitRequest, DescribeReply, DescribeRequest, Envelope, MemberAnswer, MemberCall,
    SnapshotChunk,
};
use openraft::raft::InstallSnapshotRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::{Request, Response, Status};

use super::format::{self, FormatError};
use super::heard::Heard;
use super::identity::{BindError, Identity};
use super::state_machine::SharedState;
use super::types::Raft;

/// Answers the other members. It takes no call that is not meant for this node, its folder and its cluster.
pub struct MemberService {
    pub(super) raft: Raft,
    pub(super) identity: Arc<Identity>,
    pub(super) shared: SharedState,
    pub(super) heard: Heard,
    pub(super) http_address: String,
}

impl MemberService {
    fn check(&self, envelope: Option<&Envelope>) -> Result<(), Status> {
        let Some(Envelope { cluster_id, from, to }) = envelope else {
            return Err(Status::invalid_argument("the call has no envelope"));
        };
        let node_id = self.identity.node_id();
        let refused = |message: String| Err(Status::failed_precondition(message));
        if *to != node_id {
            return refused(format!(
                "node {to} is expected at this address, but node {node_id} is here: correct its address with \
                 `harrier member add`, or remove it"
            ));
        }
        match self.identity.cluster_id() {
            None => refused(format!(
                "node {node_id} has an empty data folder, and is not the member that it was: remove it with \
                 `harrier member remove {node_id}`, and add it under a node_id that was never used"
            )),
            Some(own) if own != cluster_id => refused(format!(
                "node {node_id} belongs to the cluster {own}, not to {cluster_id}: give one of the two another \
                 data_dir, or another address"
            )),
            // Ids are never used twice, so whoever was a member and is none has been removed for good.
            Some(_) if self.shared.read(|applied| applied.was_removed(*from)) => refused(format!(
                "node {from} was removed from the group: stop it; to join again it needs an empty data_dir and a \
                 node_id that was never used"
            )),
            Some(_) => Ok(()),
        }
    }

    /// Only a leader appends, and only a leader sends snapshots.
    fn note(&self, envelope: Option<&Envelope>) {
        if let Some(envelope) = envelope {
            self.heard.note(envelope.from, Instant::now());
        }
    }
}

#[tonic::async_trait]
impl Members for MemberService {
    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeReply>, Status> {
        Ok(Response::new(DescribeReply {
            node_id: self.identity.node_id(),
            cluster_id: self.identity.cluster_id().unwrap_or_default().to_owned(),
            http_address: self.http_address.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }))
    }

    async fn admit(&self, request: Request<AdmitRequest>) -> Result<Response<AdmitReply>, Status> {
        let AdmitRequest { cluster_id, node_id } = request.into_inner();
        if node_id != self.identity.node_id() || cluster_id.is_empty() {
            return Err(Status::failed_precondition(format!("this is node {}", self.identity.node_id())));
        }
        match self.identity.bind(&cluster_id).await {
            Ok(()) => {
                tracing::info!(node_id, cluster_id, "admitted to a cluster");
                Ok(Response::new(AdmitReply {}))
            }
            Err(error @ BindError::Other(_)) => Err(Status::failed_precondition(error.to_string())),
            Err(error @ BindError::Disk(_)) => Err(Status::internal(error.to_string())),
        }
    }

    async fn append(&self, request: Request<MemberCall>) -> Result<Response<MemberAnswer>, Status> {
        let call = request.into_inner();
        self.check(call.envelope.as_ref())?;
        let answered = self.raft.append_entries(read(&call.payload)?).await;
        self.note(call.envelope.as_ref());
        answer(&answered)
    }

    async fn vote(&self, request: Request<MemberCall>) -> Result<Response<MemberAnswer>, Status> {
        let call = request.into_inner();
        self.check(call.envelope.as_ref())?;
        answer(&self.raft.vote(read(&call.payload)?).await)
    }

    async fn install_snapshot(
        &self,
        request: Request<SnapshotChunk>,
    ) -> Result<Response<MemberAnswer>, Status> {
        let chunk = request.into_inner();
        self.check(chunk.envelope.as_ref())?;
        let request = InstallSnapshotRequest {
            vote: read(&chunk.vote)?,
            meta: read(&chunk.meta)?,
            offset: chunk.offset,
            data: chunk.data.to_vec(),
            done: chunk.done,
        };
        self.note(chunk.envelope.as_ref());
        answer(&self.raft.install_snapshot(request).await)
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Status> {
    format::decode(bytes).map_err(|error| match error {
        FormatError::Newer(_) => Status::unimplemented(format!("{error}: upgrade this coordinator")),
        error => Status::invalid_argument(error.to_string()),
    })
}

fn answer<T: Serialize>(value: &T) -> Result<Response<MemberAnswer>, Status> {
    let payload = format::encode(value).map_err(|error| Status::internal(error.to_string()))?;
    Ok(Response::new(MemberAnswer { payload: payload.into() }))
}
