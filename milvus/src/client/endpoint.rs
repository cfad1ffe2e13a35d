//! Where a target is and how to get in: plain data, checked once, with its secrets out of `Debug`.

use std::fmt;
use std::time::Duration;

use harrier_proto::harrier::v1::TargetConnection;
use secrecy::{ExposeSecret as _, SecretString};
use tonic::codegen::http::Uri;

use super::ClientError;

/// Milvus' own port, taken where an address names none.
const PORT_DEFAULT: u16 = 19_530;

/// Where a target is and how to get in.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `http://host:port`, `https://host:port` or `host:port` (then without encryption).
    pub uri: String,
    /// `user:password` or an API key.
    pub token: Option<SecretString>,
    /// How long opening a connection may take, TLS included.
    pub connect_timeout: Duration,
    /// How long a call may take where the caller does not say.
    pub request_timeout: Duration,
    /// How long bytes may stay unacknowledged before the connection is given up (`TCP_USER_TIMEOUT`).
    /// A worker sets it no longer than its lease, so that no call leaves the kernel after it.
    pub unacked_timeout: Duration,
    /// Certificates and names; used with `https` only.
    pub tls: TlsIdentity,
}

/// Certificates and names of an encrypted connection. PEM texts, not paths: workers get them by wire.
#[derive(Clone, Default)]
pub struct TlsIdentity {
    /// The name expected in the server's certificate, where it differs from the host.
    pub server_name: Option<String>,
    /// The authority, or the server's own certificate; without it, the system's authorities.
    pub ca_pem: Option<String>,
    /// The client's own certificate; goes with `client_key_pem`.
    pub client_pem: Option<String>,
    /// The client's key; goes with `client_pem`.
    pub client_key_pem: Option<SecretString>,
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("server_name", &self.server_name)
            .field("ca_pem", &self.ca_pem.is_some())
            .field("client_pem", &self.client_pem.is_some())
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// An endpoint with default timeouts, without token and certificates.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            token: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            unacked_timeout: Duration::from_secs(10),
            tls: TlsIdentity::default(),
        }
    }

    /// The endpoint that a coordinator told a worker to use. Empty texts and zero mean "not set".
    pub fn from_wire(connection: &TargetConnection) -> Self {
        let text = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        let mut endpoint = Self::new(connection.uri.clone());
        if connection.connect_timeout_ms > 0 {
            endpoint.connect_timeout = Duration::from_millis(connection.connect_timeout_ms);
        }
        endpoint.token = text(&connection.token).map(SecretString::from);
        endpoint.tls = TlsIdentity {
            server_name: text(&connection.server_name),
            ca_pem: text(&connection.ca_pem),
            client_pem: text(&connection.client_pem),
            client_key_pem: text(&connection.client_key_pem).map(SecretString::from),
        };
        endpoint
    }

    /// What a coordinator tells a worker; the inverse of [`Endpoint::from_wire`].
    pub fn to_wire(&self, target_id: impl Into<String>) -> TargetConnection {
        let secret = |value: &Option<SecretString>| {
            value.as_ref().map(|secret| secret.expose_secret().to_owned()).unwrap_or_default()
        };
        TargetConnection {
            target_id: target_id.into(),
            uri: self.uri.clone(),
            token: secret(&self.token),
            connect_timeout_ms: u64::try_from(self.connect_timeout.as_millis()).unwrap_or(u64::MAX),
            server_name: self.tls.server_name.clone().unwrap_or_default(),
            ca_pem: self.tls.ca_pem.clone().unwrap_or_default(),
            client_pem: self.tls.client_pem.clone().unwrap_or_default(),
            client_key_pem: secret(&self.tls.client_key_pem),
        }
    }

    /// The address in the form that the transport takes: with scheme and port, without a path.
    ///
    /// # Errors
    /// When the text is no such address.
    pub fn address(&self) -> Result<Uri, ClientError> {
        let wrong = |reason: &str| ClientError::Endpoint {
            reason: format!(
                "the address `{}` {reason}, expected http://host:port or https://host:port",
                self.shown_uri()
            ),
        };
        let text = self.uri.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" | "tcp" => "http",
            "https" => "https",
            _ => return Err(wrong("has an unknown scheme")),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(wrong("holds credentials, which belong into the token"));
        }
        let uri: Uri = format!("{scheme}://{authority}/").parse().map_err(|_| wrong("is malformed"))?;
        if uri.host().is_none_or(str::is_empty) {
            return Err(wrong("names no host"));
        }
        // `authority` ends in digits after its last colon exactly if a port was given.
        let host_only = authority.rsplit_once(':').is_none_or(|(_, last)| last.contains(']'));
        match (uri.port_u16(), host_only) {
            (Some(0), _) => Err(wrong("has port 0")),
            (Some(_), _) => Ok(uri),
            (None, true) => {
                format!("{scheme}://{authority}:{PORT_DEFAULT}/").parse().map_err(|_| wrong("is malformed"))
            }
            (None, false) => Err(wrong("has a port that is not 1 to 65535")),
        }
    }

    /// The address for error messages, which must not repeat credentials written into it.
    fn shown_uri(&self) -> String {
        match self.uri.rsplit_once('@') {
            Some((_, host)) => format!("...@{host}"),
            None => self.uri.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn address(uri: &str) -> Result<String, String> {
        Endpoint::new(uri).address().map(|uri| uri.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_completed() {
        for (given, expected) in [
            ("http://10.0.0.1:19530", "http://10.0.0.1:19530/"),
            ("https://in01.example.com:443/some/path?x=1", "https://in01.example.com:443/"),
            (" localhost:19530 ", "http://localhost:19530/"),
            ("tcp://milvus", "http://milvus:19530/"),
            ("HTTPS://milvus", "https://milvus:19530/"),
            ("http://[::1]", "http://[::1]:19530/"),
            ("http://[::1]:7", "http://[::1]:7/"),
        ] {
            assert_eq!(address(given).as_deref(), Ok(expected), "{given}");
        }
    }

    #[test]
    fn a_wrong_address_says_what_was_expected() {
        for given in [
            "",
            "http://",
            "http://:19530",
            "ftp://a:1",
            "a:0",
            "a:65536",
            "a:x",
            "http://a b:1",
            "http://a:",
        ] {
            let error = address(given).unwrap_err();
            assert!(error.contains("expected http://host:port"), "{given}: {error}");
        }
    }

    #[test]
    fn credentials_in_an_address_are_refused_and_not_repeated() {
        let error = address("http://root:hunter2@milvus:19530").unwrap_err();
        assert!(error.contains("token") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut endpoint = Endpoint::new("localhost");
        endpoint.token = Some(SecretString::from("root:hunter2"));
        endpoint.tls.client_key_pem = Some(SecretString::from("hunter2-key"));
        endpoint.tls.client_pem = Some("certificate".into());
        assert!(!format!("{endpoint:?}").contains("hunter2"));
    }

    #[test]
    fn the_wire_form_keeps_everything() {
        let mut endpoint = Endpoint::new("https://milvus:19530");
        endpoint.token = Some(SecretString::from("a:b"));
        endpoint.connect_timeout = Duration::from_millis(1_234);
        endpoint.tls.server_name = Some("milvus.internal".into());
        endpoint.tls.ca_pem = Some("ca".into());
        endpoint.tls.client_pem = Some("certificate".into());
        endpoint.tls.client_key_pem = Some(SecretString::from("key"));
        let wire = endpoint.to_wire("target-1");
        assert_eq!(wire.target_id, "target-1");
        let back = Endpoint::from_wire(&wire);
        assert_eq!(back.to_wire("target-1"), wire);
        assert_eq!(back.connect_timeout, endpoint.connect_timeout);
        assert!(Endpoint::from_wire(&Endpoint::new("x").to_wire("")).token.is_none());
    }
}
