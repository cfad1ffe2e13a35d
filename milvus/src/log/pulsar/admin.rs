//! What the broker's admin interface says of its retention, where one is configured.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::super::LogError;
use super::super::access::LogAccess;
use super::super::retention::Retention;
use super::super::wire::address::Address;
use super::super::wire::http;
use super::super::wire::tls::TlsSettings;
use super::connection::REQUEST_TIMEOUT;

const DEFAULT_PORT: u16 = 8080;
const DEFAULT_MINUTES: &str = "defaultRetentionTimeInMinutes";
const DEFAULT_MEGABYTES: &str = "defaultRetentionSizeInMB";

/// A retention policy as Pulsar writes it; -1 = without a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct Policy {
    #[serde(rename = "retentionTimeInMinutes")]
    minutes: i64,
    #[serde(rename = "retentionSizeInMB")]
    megabytes: i64,
}

/// The policy for the namespace of the channels: its own, or the brokers' default. `None` without an admin address.
pub(super) async fn retention(access: &LogAccess) -> Result<Option<Retention>, LogError> {
    let Some(admin) = &access.admin_address else { return Ok(None) };
    let found = tokio::time::timeout(REQUEST_TIMEOUT, policy(access, admin)).await;
    let late = |_| LogError::Transient("source.log.admin_address did not answer in time".to_owned());
    Ok(Some(found.map_err(late)??.into()))
}

async fn policy(access: &LogAccess, admin: &str) -> Result<Policy, LogError> {
    let admin = Admin::of(access, admin)?;
    let namespace = format!("/admin/v2/namespaces/{}/{}/retention", access.tenant, access.namespace);
    if let Some(own) = of_namespace(&admin.get(&namespace).await?)? {
        return Ok(own);
    }
    of_brokers(&admin.get("/admin/v2/brokers/configuration/runtime").await?)
}

struct Admin {
    address: Address,
    tls: Option<TlsSettings>,
    authorization: Option<String>,
}

impl Admin {
    fn of(access: &LogAccess, admin: &str) -> Result<Self, LogError> {
        let (encrypted, rest) = match admin.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => (false, admin),
        };
        let address = Address::parse(rest, DEFAULT_PORT).ok_or_else(|| {
            LogError::Unsupported("source.log.admin_address is not http://host:port".to_owned())
        })?;
        let tls = access.tls.clone().unwrap_or_default();
        let tls = if encrypted { Some(TlsSettings::of(&tls)?) } else { None };
        Ok(Self { address, tls, authorization: authorization(access) })
    }

    async fn get(&self, path: &str) -> Result<Bytes, LogError> {
        let (status, body) =
            http::get(&self.address, self.tls.as_ref(), path, self.authorization.as_deref()).await?;
        match status {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(body),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(LogError::Auth(format!("source.log.admin_address does not allow to read {path}")))
            }
            StatusCode::NOT_FOUND => Err(LogError::Unsupported(format!(
                "source.log.admin_address does not know {path}: check source.log.tenant and source.log.namespace"
            ))),
            other => {
                Err(LogError::Transient(format!("source.log.admin_address answers {path} with {other}")))
            }
        }
    }
}

fn authorization(access: &LogAccess) -> Option<String> {
    if let Some(token) = &access.token {
        return Some(format!("Bearer {}", token.expose_secret()));
    }
    let password = access.password.as_ref().map_or("", |password| password.expose_secret());
    let login = || format!("Basic {}", STANDARD.encode(format!("{}:{password}", access.username)));
    (!access.username.is_empty()).then(login)
}

/// The namespace's own policy; `None` if it has none.
fn of_namespace(body: &[u8]) -> Result<Option<Policy>, LogError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    serde_json::from_slice(body).map_err(|_| unreadable())
}

/// The default of the brokers, which write every value as text.
fn of_brokers(body: &[u8]) -> Result<Policy, LogError> {
    let values: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|_| unreadable())?;
    let number = |key: &str| match values.get(key) {
        Some(serde_json::Value::String(text)) => text.parse().map_err(|_| unreadable()),
        Some(value) => value.as_i64().ok_or_else(unreadable),
        None => Err(unreadable()),
    };
    Ok(Policy { minutes: number(DEFAULT_MINUTES)?, megabytes: number(DEFAULT_MEGABYTES)? })
}

fn unreadable() -> LogError {
    LogError::Unsupported("source.log.admin_address does not answer as Pulsar does".to_owned())
}

impl From<Policy> for Retention {
    fn from(policy: Policy) -> Self {
        let bound = |value: i64| u64::try_from(value).ok();
        Self {
            time: bound(policy.minutes).map(|minutes| Duration::from_secs(minutes.saturating_mul(60))),
            bytes: bound(policy.megabytes).map(|megabytes| megabytes.saturating_mul(1 << 20)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use secrecy::SecretString;

    use super::*;
    use crate::log::LogTls;

    #[test]
    fn a_policy_of_the_namespace_is_read() {
        let own = of_namespace(br#"{"retentionTimeInMinutes":10080,"retentionSizeInMB":-1}"#).unwrap();
        assert_eq!(own, Some(Policy { minutes: 10080, megabytes: -1 }));
        let retention = Retention::from(own.unwrap());
        assert_eq!(retention, Retention { time: Some(Duration::from_secs(604_800)), bytes: None });
        for none in [b"".as_slice(), b"null", b"\n"] {
            assert_eq!(of_namespace(none).unwrap(), None);
        }
        assert!(of_namespace(b"<html>").is_err());
    }

    #[test]
    fn the_default_of_the_brokers_is_read() {
        let body = br#"{"defaultRetentionTimeInMinutes":"0","defaultRetentionSizeInMB":"0","other":"x"}"#;
        assert_eq!(of_brokers(body).unwrap(), Policy { minutes: 0, megabytes: 0 });
        assert!(of_brokers(b"{}").is_err());
    }

    #[test]
    fn credentials_go_into_the_header() {
        let none = LogAccess::default();
        assert_eq!(authorization(&none), None);
        let password = Some(SecretString::from("b"));
        let user = LogAccess { username: "a".into(), password, ..none };
        assert_eq!(authorization(&user).as_deref(), Some("Basic YTpi"));
        let token = LogAccess { token: Some(SecretString::from("t")), ..user };
        assert_eq!(authorization(&token).as_deref(), Some("Bearer t"));
    }

    #[test]
    fn schemes_of_the_address_are_understood() {
        for (text, shown, encrypted) in
            [("p:80", "p:80", false), ("http://p", "p:8080", false), ("https://p:8443/", "p:8443", true)]
        {
            let tls =
                LogTls { ca_pem: Some(include_str!("../wire/test_ca.pem").into()), ..LogTls::default() };
            let access = LogAccess { tls: Some(tls), ..LogAccess::default() };
            let admin = Admin::of(&access, text).unwrap();
            assert_eq!((admin.address.to_string().as_str(), admin.tls.is_some()), (shown, encrypted));
        }
        assert!(Admin::of(&LogAccess::default(), "http://a:b:c").is_err());
    }
}
