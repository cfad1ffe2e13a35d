//! Opens a client: transport, TLS, limits, and the handshake in which the target checks the token.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harrier_proto::common::ClientInfo;
use harrier_proto::milvus::milvus_service_client::MilvusServiceClient;
use harrier_proto::milvus::{ConnectRequest, GetVersionRequest};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint as Transport, Identity};

use super::call::Options;
use super::socket::{Connector, WriteGuard};
use super::status::{Call, root_cause};
use super::{ClientError, Endpoint};

/// What Milvus' own gRPC server takes and gives.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Pings on a connection without traffic. Milvus allows one each 5 s.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How long a ping may go unanswered. Generous: a busy server answers late, and calls have their own
/// deadlines.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to one target. Cheap to clone: all clones share the connection, which reopens by itself.
#[derive(Clone)]
pub struct MilvusClient {
    pub(super) shared: Arc<Shared>,
}

/// What the clones of a client share.
pub(super) struct Shared {
    pub(super) service: MilvusServiceClient<Channel>,
    pub(super) authorization: Option<MetadataValue<Ascii>>,
    pub(super) request_timeout: Duration,
    closed: CancellationToken,
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// The version, such as `2.3.5`; empty if the server does not say.
    pub version: String,
    /// How it is deployed, such as `STANDALONE`.
    pub deploy_mode: String,
}

impl MilvusClient {
    /// Connects and lets the target check the token.
    ///
    /// # Errors
    /// `Endpoint` for an unusable address or certificate, `Unavailable` or `Deadline` if the target
    /// cannot be reached, `Auth` if it refuses the token.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, ClientError> {
        let client = Self::lazy(endpoint)?;
        client.handshake_within(endpoint.connect_timeout.max(endpoint.request_timeout)).await?;
        Ok(client)
    }

    /// A client that connects with its first call. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `Endpoint` for an unusable address, certificate or token.
    pub fn lazy(endpoint: &Endpoint) -> Result<Self, ClientError> {
        Self::guarded(endpoint, Arc::new(|| true))
    }

    /// As [`MilvusClient::lazy`]; `may_write` is asked before any bytes are handed to the kernel, also in the middle
    /// of a call. When it forbids that, the connection ends at once and its calls fail.
    ///
    /// # Errors
    /// As [`MilvusClient::lazy`].
    pub fn guarded(endpoint: &Endpoint, may_write: WriteGuard) -> Result<Self, ClientError> {
        let closed = CancellationToken::new();
        let connector = Connector::new(endpoint.unacked_timeout, closed.clone(), may_write);
        let channel = transport(endpoint)?.connect_with_connector_lazy(connector);
        let service = MilvusServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let authorization = endpoint.token.as_ref().map(authorization).transpose()?;
        let request_timeout = endpoint.request_timeout;
        Ok(Self { shared: Arc::new(Shared { service, authorization, request_timeout, closed }) })
    }

    /// Ends all connections of this client and its clones at once. Bytes that the target has not taken
    /// yet are discarded; every call from now on fails.
    pub fn close_now(&self) {
        self.shared.closed.cancel();
    }

    /// Introduces Harrier to the target and learns what it is. Checks the token.
    ///
    /// # Errors
    /// As every call.
    pub async fn handshake(&self) -> Result<ServerInfo, ClientError> {
        self.handshake_within(self.shared.request_timeout).await
    }

    async fn handshake_within(&self, timeout: Duration) -> Result<ServerInfo, ClientError> {
        let client_info = ClientInfo {
            sdk_type: "Harrier".to_owned(),
            sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..ClientInfo::default()
        };
        let request = ConnectRequest { base: None, client_info: Some(client_info) };
        let options = Options { timeout, ..self.options("") };
        let mut service = self.service();
        let answer = self.call(options, request, async |request| service.connect(request).await).await;
        match answer {
            Ok(answer) => {
                super::status::check(Call::Atomic, answer.status.as_ref())?;
                let info = answer.server_info.unwrap_or_default();
                Ok(ServerInfo { version: info.build_tags, deploy_mode: info.deploy_mode })
            }
            // Servers before 2.2.9 have no such call; they check the token all the same.
            Err(ClientError::Unsupported { .. }) => {
                Ok(ServerInfo { version: self.version().await?, ..ServerInfo::default() })
            }
            Err(error) => Err(error),
        }
    }

    /// The version of the target, such as `2.3.5`.
    ///
    /// # Errors
    /// As every call.
    pub async fn version(&self) -> Result<String, ClientError> {
        let mut service = self.service();
        let answer = self
            .call(self.options(""), GetVersionRequest {}, async |request| service.get_version(request).await)
            .await?;
        super::status::check(Call::Atomic, answer.status.as_ref())?;
        Ok(answer.version)
    }
}

/// The authorization header of Milvus: the token in base64, without a scheme before it.
fn authorization(token: &SecretString) -> Result<MetadataValue<Ascii>, ClientError> {
    let mut value: MetadataValue<Ascii> = STANDARD
        .encode(token.expose_secret())
        .parse()
        .map_err(|_| ClientError::Endpoint { reason: "the token cannot be sent as a header".to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

fn transport(endpoint: &Endpoint) -> Result<Transport, ClientError> {
    let address = endpoint.address()?;
    let encrypted = address.scheme_str() == Some("https");
    let mut transport = Transport::from(address)
        .connect_timeout(endpoint.connect_timeout)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true);
    if encrypted {
        transport = transport.tls_config(tls(endpoint)?).map_err(|error| ClientError::Endpoint {
            reason: format!("the certificates cannot be used: {}", root_cause(&error)),
        })?;
    }
    Ok(transport)
}

fn tls(endpoint: &Endpoint) -> Result<ClientTlsConfig, ClientError> {
    let identity = &endpoint.tls;
    let mut config = ClientTlsConfig::new();
    config = match &identity.ca_pem {
        Some(pem) => config.ca_certificate(Certificate::from_pem(pem)),
        None => config.with_native_roots(),
    };
    if let Some(name) = &identity.server_name {
        config = config.domain_name(name);
    }
    match (&identity.client_pem, &identity.client_key_pem) {
        (Some(pem), Some(key)) => Ok(config.identity(Identity::from_pem(pem, key.expose_secret()))),
        (None, None) => Ok(config),
        _ => Err(ClientError::Endpoint {
            reason: "the client certificate and the client key go together, only one is set".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_token_becomes_a_header_that_debug_hides() {
        let value = authorization(&SecretString::from("root:Milvus")).unwrap();
        assert_eq!(value.to_str().unwrap(), "cm9vdDpNaWx2dXM=");
        assert!(!format!("{value:?}").contains("cm9vd"));
    }

    #[test]
    fn half_an_identity_is_refused() {
        let mut endpoint = Endpoint::new("https://milvus:19530");
        endpoint.tls.client_pem = Some("certificate".into());
        assert!(matches!(transport(&endpoint), Err(ClientError::Endpoint { .. })));
    }

    #[tokio::test]
    async fn an_unreachable_target_is_unavailable_and_known_to_have_done_nothing() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = MilvusClient::connect(&Endpoint::new(address.to_string())).await.err().unwrap();
        assert!(matches!(error, ClientError::Unavailable { outcome_unknown: false, .. }), "{error:?}");
        assert!(error.to_string().contains("refused"), "{error}");
    }

    #[tokio::test]
    async fn a_silent_target_ends_at_the_deadline() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut endpoint = Endpoint::new(listener.local_addr().unwrap().to_string());
        endpoint.connect_timeout = Duration::from_millis(100);
        endpoint.request_timeout = Duration::from_millis(100);
        let error = MilvusClient::connect(&endpoint).await.err().unwrap();
        assert!(matches!(error, ClientError::Deadline { .. }), "{error:?}");
        assert!(error.outcome_unknown());
    }

    #[tokio::test]
    async fn a_closed_client_fails_every_call() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = MilvusClient::lazy(&Endpoint::new(listener.local_addr().unwrap().to_string())).unwrap();
        let calling = tokio::spawn({
            let client = client.clone();
            async move { client.version().await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        client.close_now();
        assert!(matches!(calling.await.unwrap(), Err(ClientError::Unavailable { .. })));
        assert!(matches!(client.version().await, Err(ClientError::Unavailable { .. })));
    }
}
