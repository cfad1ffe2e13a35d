//! `Debug` for the messages that carry secrets: it says whether a secret is set, never what it is.
//!
//! A new field of such a message is invisible in `Debug` until it is listed here, which is the safe
//! way to forget one.

use std::fmt;

use crate::etcdserverpb::{AuthenticateRequest, AuthenticateResponse};
use crate::harrier::v1::{SourceLog, TargetConnection};
use crate::pulsar::{AuthData, CommandConnect};

/// Whether a secret is set helps to find a wrong configuration; its length would already say too much.
fn redacted(secret: &str) -> &'static str {
    if secret.is_empty() { "" } else { "<redacted>" }
}

impl fmt::Debug for SourceLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceLog")
            .field("kind", &self.kind)
            .field("address", &self.address)
            .field("username", &self.username)
            .field("password", &redacted(&self.password))
            .field("token", &redacted(&self.token))
            .field("tenant", &self.tenant)
            .field("namespace", &self.namespace)
            .field("sasl_mechanism", &self.sasl_mechanism)
            .field("tls", &self.tls)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TargetConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetConnection")
            .field("target_id", &self.target_id)
            .field("uri", &self.uri)
            .field("token", &redacted(&self.token))
            .field("connect_timeout_ms", &self.connect_timeout_ms)
            .field("server_name", &self.server_name)
            .field("ca_pem", &redacted(&self.ca_pem))
            .field("client_pem", &redacted(&self.client_pem))
            .field("client_key_pem", &redacted(&self.client_key_pem))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AuthenticateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateRequest")
            .field("name", &self.name)
            .field("password", &redacted(&self.password))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AuthenticateResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateResponse")
            .field("header", &self.header)
            .field("token", &redacted(&self.token))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CommandConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandConnect")
            .field("client_version", &self.client_version)
            .field("auth_method_name", &self.auth_method_name)
            .field("proxy_to_broker_url", &self.proxy_to_broker_url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AuthData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthData").field("auth_method_name", &self.auth_method_name).finish_non_exhaustive()
    }
}
