//! A watch of one prefix. It has no way to go on after a failure: the owner lists again and opens a new one.

use std::time::Duration;

use bytes::Bytes;
use harrier_proto::etcdserverpb::watch_client::WatchClient;
use harrier_proto::etcdserverpb::watch_request::RequestUnion;
use harrier_proto::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use harrier_proto::mvccpb::event::EventType;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Streaming};

use super::super::error::CatalogError;
use super::{MESSAGE_BYTES_MAX, end_of_prefix};

/// One changed key.
pub(crate) struct KeyChange {
    pub(crate) key: Bytes,
    /// `None` = deleted.
    pub(crate) value: Option<Bytes>,
}

/// An open watch.
pub(crate) struct EtcdWatch {
    responses: Streaming<WatchResponse>,
    /// etcd ends the watch when this side of the stream is closed.
    _requests: mpsc::Sender<WatchRequest>,
}

pub(super) async fn open(
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
    prefix: &str,
    revision: i64,
    timeout: Duration,
) -> Result<EtcdWatch, CatalogError> {
    let create = WatchCreateRequest {
        key: Bytes::copy_from_slice(prefix.as_bytes()),
        range_end: end_of_prefix(prefix),
        start_revision: revision,
        ..WatchCreateRequest::default()
    };
    let (requests, receiver) = mpsc::channel(1);
    let message = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    let closed = || CatalogError::Transient("the watch was closed".to_owned());
    requests.send(message).await.map_err(|_| closed())?;
    let mut request = Request::new(ReceiverStream::new(receiver));
    if let Some(token) = token {
        request.metadata_mut().insert("token", token);
    }
    // A member that lost its cluster would otherwise keep the watch open and silent.
    request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
    let mut client = WatchClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let opening = async move {
        let responses = client.watch(request).await?.into_inner();
        let mut watch = EtcdWatch { responses, _requests: requests };
        let first = watch.response().await?;
        if first.created {
            Ok(watch)
        } else {
            Err(CatalogError::Transient("etcd opened no watch".to_owned()))
        }
    };
    let late = || CatalogError::Transient("opening a watch took too long".to_owned());
    tokio::time::timeout(timeout, opening).await.map_err(|_| late())?
}

impl EtcdWatch {
    /// Waits for changes: the revision that they lead to, and the keys.
    pub(crate) async fn next(&mut self) -> Result<(i64, Vec<KeyChange>), CatalogError> {
        loop {
            let response = self.response().await?;
            if response.events.is_empty() {
                continue;
            }
            let revision = response.header.map(|header| header.revision).unwrap_or_default();
            let changes = response.events.into_iter().filter_map(|event| {
                let deleted = event.r#type == EventType::Delete as i32;
                let kv = event.kv?;
                Some(KeyChange { key: kv.key, value: (!deleted).then_some(kv.value) })
            });
            return Ok((revision, changes.collect()));
        }
    }

    async fn response(&mut self) -> Result<WatchResponse, CatalogError> {
        let ended = || CatalogError::Transient("etcd ended the watch".to_owned());
        let response = self.responses.message().await?.ok_or_else(ended)?;
        if response.compact_revision != 0 {
            return Err(CatalogError::Compacted(response.compact_revision));
        }
        if response.canceled {
            let reason = response.cancel_reason;
            return Err(if reason.contains("permission denied") || reason.contains("auth") {
                CatalogError::Auth(reason)
            } else {
                CatalogError::Transient(format!("etcd cancelled the watch: {reason}"))
            });
        }
        Ok(response)
    }
}
