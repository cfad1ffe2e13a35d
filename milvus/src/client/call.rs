//! What every call has: credentials, database, deadline. The groups of calls build on this.

use std::time::Duration;

use harrier_proto::common::{MsgBase, MsgType, ReplicateInfo};
use harrier_proto::milvus::milvus_service_client::MilvusServiceClient;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::{ClientError, MilvusClient, status};
use crate::tso::Timestamp;

/// How one call is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options<'a> {
    /// The database that the call is about; empty for none. Privileges are checked against this one,
    /// not against the field inside the request.
    pub(super) db: &'a str,
    /// How long the call may take.
    pub(super) timeout: Duration,
    /// The deadline that the target is told, if that is another one.
    pub(super) begin_within: Option<Duration>,
}

impl MilvusClient {
    pub(super) fn options<'a>(&self, db: &'a str) -> Options<'a> {
        Options { db, timeout: self.shared.request_timeout, begin_within: None }
    }

    /// A handle of the generated client; they share one connection.
    pub(super) fn service(&self) -> MilvusServiceClient<Channel> {
        self.shared.service.clone()
    }

    /// Sends one request with credentials and deadline. The deadline also travels to the target, and is
    /// kept here whatever the transport does.
    pub(super) async fn call<Q, A>(
        &self,
        options: Options<'_>,
        message: Q,
        send: impl AsyncFnOnce(Request<Q>) -> Result<Response<A>, Status>,
    ) -> Result<A, ClientError> {
        let mut request = Request::new(message);
        request.set_timeout(options.timeout);
        let metadata = request.metadata_mut();
        if let Some(begin_within) = options.begin_within
            && let Ok(deadline) = MetadataValue::try_from(format!("{}m", begin_within.as_millis()))
        {
            // A second value: the transport here keeps the first one, the target the last one (grpc-go).
            metadata.append("grpc-timeout", deadline);
        }
        if let Some(authorization) = &self.shared.authorization {
            metadata.insert("authorization", authorization.clone());
        }
        if !options.db.is_empty() {
            let name = MetadataValue::try_from(options.db).map_err(|_| ClientError::Rejected {
                code: 802,
                reason: format!("the database name `{}` cannot be sent as a header", options.db),
                retriable: false,
                outcome_unknown: false,
            })?;
            metadata.insert("dbname", name);
        }
        let in_time = tokio::time::timeout(options.timeout, send(request)).await;
        let late = || ClientError::Deadline { reason: format!("no answer within {:?}", options.timeout) };
        match in_time {
            Err(_) => Err(late()),
            // The transport keeps the same deadline and can be the first of the two to notice.
            Ok(Err(status))
                if status.code() == tonic::Code::Cancelled && status.message() == "Timeout expired" =>
            {
                Err(late())
            }
            Ok(Err(status)) => Err(status::of_transport(&status)),
            Ok(Ok(response)) => Ok(response.into_inner()),
        }
    }

    /// Sends one request that changes metadata and is answered by nothing but a status.
    pub(super) async fn change<Q>(
        &self,
        options: Options<'_>,
        message: Q,
        send: impl AsyncFnOnce(Request<Q>) -> Result<Response<harrier_proto::common::Status>, Status>,
    ) -> Result<(), ClientError> {
        let answer = self.call(options, message, send).await?;
        status::check(status::Call::Atomic, Some(&answer))
    }
}

/// Marks a metadata request as one that a standby may take, made at a time of the source.
pub(super) fn replicated(msg_type: MsgType, msg_timestamp: Timestamp) -> MsgBase {
    MsgBase {
        msg_type: msg_type as i32,
        replicate_info: Some(ReplicateInfo { is_replicate: true, msg_timestamp, ..ReplicateInfo::default() }),
        ..MsgBase::default()
    }
}
