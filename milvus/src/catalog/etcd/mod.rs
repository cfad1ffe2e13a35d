//! The few calls of etcd that a catalog needs, on whichever member answers. Owns endpoints, login and TLS; knows
//! nothing of Milvus.

mod connect;
mod watch;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use harrier_proto::etcdserverpb::auth_client::AuthClient;
use harrier_proto::etcdserverpb::kv_client::KvClient;
use harrier_proto::etcdserverpb::{AuthenticateRequest, RangeRequest, RangeResponse};
use harrier_proto::mvccpb::KeyValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

pub(super) use watch::EtcdWatch;

use super::error::CatalogError;
use crate::source::SourceConfig;

const PAGE_KEYS: i64 = 1_000;
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A client of one etcd cluster.
pub(super) struct EtcdClient {
    members: Vec<Channel>,
    /// The member that answered last.
    current: AtomicUsize,
    login: Option<Login>,
    timeout: Duration,
}

struct Login {
    name: String,
    password: SecretString,
    token: Mutex<Option<MetadataValue<Ascii>>>,
}

/// Keys of one or more prefixes at one revision.
pub(super) struct Listing {
    pub(super) revision: i64,
    pub(super) keys: Vec<KeyValue>,
}

impl EtcdClient {
    pub(super) fn new(config: &SourceConfig) -> Result<Self, CatalogError> {
        let etcd = &config.etcd;
        let login = (!etcd.username.is_empty()).then(|| Login {
            name: etcd.username.clone(),
            password: etcd.password.clone().unwrap_or_default(),
            token: Mutex::new(None),
        });
        Ok(Self {
            members: connect::members(etcd, Duration::from_millis(config.dial_timeout_ms))?,
            current: AtomicUsize::new(0),
            login,
            timeout: Duration::from_millis(config.request_timeout_ms),
        })
    }

    /// One key, read from the quorum.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Bytes>, CatalogError> {
        let request = RangeRequest { key: Bytes::copy_from_slice(key.as_bytes()), ..RangeRequest::default() };
        let response = self.range(request).await?;
        Ok(response.kvs.into_iter().next().map(|kv| kv.value))
    }

    /// All keys of several prefixes at one revision, the newest of the quorum.
    pub(super) async fn list(&self, prefixes: &[String]) -> Result<Listing, CatalogError> {
        let mut listing = Listing { revision: 0, keys: Vec::new() };
        for prefix in prefixes {
            let range_end = end_of_prefix(prefix);
            let mut key = Bytes::copy_from_slice(prefix.as_bytes());
            loop {
                let request = RangeRequest {
                    key,
                    range_end: range_end.clone(),
                    limit: PAGE_KEYS,
                    // 0 at first: the newest. All others are read as they were then.
                    revision: listing.revision,
                    ..RangeRequest::default()
                };
                let response = self.range(request).await?;
                if listing.revision == 0 {
                    listing.revision = response.header.map(|header| header.revision).unwrap_or_default();
                }
                let next = response.kvs.last().map(|kv| behind(&kv.key));
                listing.keys.extend(response.kvs);
                match next {
                    Some(next) if response.more => key = next,
                    _ => break,
                }
            }
        }
        Ok(listing)
    }

    async fn range(&self, request: RangeRequest) -> Result<RangeResponse, CatalogError> {
        let mut last = CatalogError::Transient("no endpoint".to_owned());
        let first = self.current.load(Ordering::Relaxed);
        for offset in 0..self.members.len() {
            let index = (first + offset) % self.members.len();
            match self.range_on(index, &request).await {
                Ok(response) => {
                    self.current.store(index, Ordering::Relaxed);
                    return Ok(response);
                }
                // Another member may do better only where this one is the trouble.
                Err(error @ CatalogError::Transient(_)) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    async fn range_on(&self, index: usize, request: &RangeRequest) -> Result<RangeResponse, CatalogError> {
        let channel = self.member(index)?;
        let mut client = KvClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        match client.range(self.request(index, request.clone()).await?).await {
            Ok(response) => Ok(response.into_inner()),
            Err(status) if self.forget_token_if_refused(&status).await => {
                let again = self.request(index, request.clone()).await?;
                Ok(client.range(again).await?.into_inner())
            }
            Err(status) => Err(status.into()),
        }
    }

    /// Changes of all keys with a prefix from `revision` on.
    pub(super) async fn watch(&self, prefix: &str, revision: i64) -> Result<EtcdWatch, CatalogError> {
        let index = self.current.load(Ordering::Relaxed) % self.members.len();
        let opened = self.watch_on(index, prefix, revision).await;
        if matches!(opened, Err(CatalogError::Transient(_))) {
            self.current.store((index + 1) % self.members.len(), Ordering::Relaxed);
        }
        opened
    }

    async fn watch_on(&self, index: usize, prefix: &str, revision: i64) -> Result<EtcdWatch, CatalogError> {
        let channel = self.member(index)?;
        let token = self.token(index).await?;
        match watch::open(channel.clone(), token, prefix, revision, self.timeout).await {
            Err(CatalogError::Auth(_)) if self.login.is_some() => {
                self.forget_token().await;
                let token = self.token(index).await?;
                watch::open(channel, token, prefix, revision, self.timeout).await
            }
            other => other,
        }
    }

    fn member(&self, index: usize) -> Result<Channel, CatalogError> {
        self.members.get(index).cloned().ok_or_else(|| CatalogError::Config("no endpoint".to_owned()))
    }

    async fn request<T>(&self, index: usize, message: T) -> Result<Request<T>, CatalogError> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        if let Some(token) = self.token(index).await? {
            request.metadata_mut().insert("token", token);
        }
        Ok(request)
    }

    async fn token(&self, index: usize) -> Result<Option<MetadataValue<Ascii>>, CatalogError> {
        let Some(login) = &self.login else { return Ok(None) };
        let mut token = login.token.lock().await;
        if token.is_none() {
            let mut request = Request::new(AuthenticateRequest {
                name: login.name.clone(),
                password: login.password.expose_secret().to_owned(),
            });
            request.set_timeout(self.timeout);
            let response = AuthClient::new(self.member(index)?).authenticate(request).await?;
            let mut value: MetadataValue<Ascii> = response
                .into_inner()
                .token
                .parse()
                .map_err(|_| CatalogError::Transient("etcd gave a token that is no header".to_owned()))?;
            value.set_sensitive(true);
            *token = Some(value);
        }
        Ok(token.clone())
    }

    /// Tokens expire; then the next call logs in again.
    async fn forget_token_if_refused(&self, status: &Status) -> bool {
        let refused =
            status.code() == Code::Unauthenticated || status.message().contains("invalid auth token");
        if refused {
            self.forget_token().await;
        }
        refused && self.login.is_some()
    }

    async fn forget_token(&self) {
        if let Some(login) = &self.login {
            *login.token.lock().await = None;
        }
    }
}

/// The first key that does not start with `prefix`.
fn end_of_prefix(prefix: &str) -> Bytes {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end.into();
        }
    }
    // Every key: etcd's way to write it.
    Bytes::from_static(&[0])
}

/// The first key behind `key`.
fn behind(key: &[u8]) -> Bytes {
    [key, &[0]].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_right_behind_its_last_key() {
        assert_eq!(end_of_prefix("a/b/").as_ref(), b"a/b0");
        assert_eq!(end_of_prefix("").as_ref(), &[0]);
    }
}
