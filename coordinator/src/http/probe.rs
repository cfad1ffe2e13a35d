//! A look at a target before its first task: reachable, credentials accepted, a standby; and which cluster it is.

use std::collections::BTreeSet;

use async_trait::async_trait;
use harrier_milvus::client::{ClientError, Endpoint, MilvusClient};

/// What a target showed of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetFacts {
    /// Ids of all its collections, in all databases: they tell one cluster from another.
    pub collection_ids: BTreeSet<i64>,
}

/// Why a target cannot be used. The message says what to set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Nobody answers.
    #[error(
        "cannot reach it: {0}; check 'uri' (or 'host' and 'port'), 'enable_tls', and that the target milvus runs"
    )]
    Unreachable(String),
    /// The token, or user and password, are wrong.
    #[error(
        "it refused the credentials: {0}; set 'token' to user:password or an API key, or 'username' and 'password'"
    )]
    CredentialsRefused(String),
    /// It takes ordinary writes.
    #[error(
        "it is not a standby: set `common.ttMsgEnabled: false` in the milvus.yaml of the target and restart it \
         (or write the etcd key {{rootPath}}/config/common/ttMsgEnabled = false, which needs no restart), \
         then create the task again"
    )]
    NotStandby,
    /// Anything else that it answered.
    #[error("{0}")]
    Other(String),
}

/// Looks at a target.
#[async_trait]
pub trait TargetProber: Send + Sync {
    /// Without a side effect at the target.
    async fn probe(&self, endpoint: &Endpoint) -> Result<TargetFacts, ProbeError>;
}

/// The prober of the product: asks the target itself. Its calls are bounded by the endpoint's timeouts.
#[derive(Clone, Copy, Debug, Default)]
pub struct MilvusProber;

#[async_trait]
impl TargetProber for MilvusProber {
    async fn probe(&self, endpoint: &Endpoint) -> Result<TargetFacts, ProbeError> {
        // All calls together, so that a target with a thousand databases and a slow line ends as well.
        let limit = endpoint.connect_timeout + 3 * endpoint.request_timeout;
        match tokio::time::timeout(limit, look(endpoint)).await {
            Ok(result) => result.map_err(ProbeError::from),
            Err(_) => Err(ProbeError::Unreachable(format!("no answer within {} s", limit.as_secs_f32()))),
        }
    }
}

async fn look(endpoint: &Endpoint) -> Result<TargetFacts, ClientError> {
    let client = MilvusClient::connect(endpoint).await?;
    client.probe_standby().await?;
    let mut collection_ids = BTreeSet::new();
    for database in client.list_databases().await? {
        collection_ids
            .extend(client.list_collections(&database).await?.iter().map(|collection| collection.id));
    }
    Ok(TargetFacts { collection_ids })
}

impl From<ClientError> for ProbeError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotStandby { .. } => ProbeError::NotStandby,
            ClientError::Auth { reason } => ProbeError::CredentialsRefused(reason),
            ClientError::Unavailable { reason, .. } | ClientError::Deadline { reason } => {
                ProbeError::Unreachable(reason)
            }
            other => ProbeError::Other(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use harrier_milvus::client::Endpoint;

    use super::{MilvusProber, ProbeError, TargetProber};

    async fn probe(address: std::net::SocketAddr) -> ProbeError {
        let mut endpoint = Endpoint::new(format!("http://{address}"));
        endpoint.connect_timeout = Duration::from_millis(200);
        endpoint.request_timeout = Duration::from_millis(200);
        MilvusProber.probe(&endpoint).await.unwrap_err()
    }

    #[tokio::test]
    async fn who_is_not_there_or_never_answers_is_unreachable() {
        // Nobody listens at a port that was just given back.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = probe(address).await;
        assert!(matches!(error, ProbeError::Unreachable(_)), "{error:?}");
        assert!(error.to_string().contains("check 'uri'"), "{error}");

        // Connections are accepted by the kernel, and nobody reads.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = probe(silent.local_addr().unwrap()).await;
        assert!(matches!(error, ProbeError::Unreachable(_)), "{error:?}");
    }

    #[tokio::test]
    async fn another_kind_of_server_is_refused() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(axum::serve(listener, axum::Router::new()).into_future());
        let error = probe(address).await;
        serving.abort();
        assert!(!matches!(error, ProbeError::NotStandby | ProbeError::CredentialsRefused(_)), "{error:?}");
    }
}
