//! Where the source cluster is: its catalog (etcd), its log, and the few names of its configuration
//! that Harrier must share. Plain data with defaults; reading files and environment is the binary's.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::secret_text::secret;

/// The source cluster, as the `source:` section of the configuration says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    /// The catalog of the source.
    pub etcd: EtcdConfig,
    /// The log of the source.
    pub log: LogConfig,
    /// The topic to which the source's proxies copy DDL requests.
    pub replicate_channel: String,
    /// Number of the source's pchannels (`rootCoord.dmlChannelNum`).
    pub channel_num: u32,
    /// Name of the partition that every collection has (`common.defaultPartitionName`).
    pub default_partition_name: String,
    /// How long a connection to etcd or the log may take to open, in milliseconds.
    pub dial_timeout_ms: u64,
    /// How long one request to etcd or the log may take, in milliseconds.
    pub request_timeout_ms: u64,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            etcd: EtcdConfig::default(),
            log: LogConfig::default(),
            replicate_channel: "by-dev-replicate-msg".to_owned(),
            channel_num: 16,
            default_partition_name: "_default".to_owned(),
            dial_timeout_ms: 5_000,
            request_timeout_ms: 10_000,
        }
    }
}

/// The etcd that holds the source's catalog.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EtcdConfig {
    /// `host:port` or `http(s)://host:port` of one or more members.
    pub endpoints: Vec<String>,
    /// `etcd.rootPath` of the source.
    pub root_path: String,
    /// `etcd.metaSubPath` of the source.
    pub meta_sub_path: String,
    /// User of etcd; empty means no authentication.
    pub username: String,
    /// Password of that user.
    #[serde(deserialize_with = "secret")]
    pub password: Option<SecretString>,
    /// How the connection is encrypted, if it is.
    pub tls: TlsConfig,
}

impl Default for EtcdConfig {
    fn default() -> Self {
        Self {
            endpoints: vec!["127.0.0.1:2379".to_owned()],
            root_path: "by-dev".to_owned(),
            meta_sub_path: "meta".to_owned(),
            username: String::new(),
            password: None,
            tls: TlsConfig::default(),
        }
    }
}

/// Files and names of an encrypted connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Whether the connection is encrypted.
    pub enabled: bool,
    /// PEM file of the authority that signed the server's certificate; without it, the system's.
    pub ca_pem_path: Option<PathBuf>,
    /// PEM file of the client's own certificate.
    pub client_pem_path: Option<PathBuf>,
    /// PEM file of the client's key.
    pub client_key_path: Option<PathBuf>,
    /// The name expected in the server's certificate, where it differs from the host.
    pub server_name: Option<String>,
}

/// The log of the source.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Which broker it is.
    pub kind: LogKind,
    /// `host:port` or URL of the broker.
    pub address: String,
    /// User of the broker; empty means none.
    pub username: String,
    /// Password of that user.
    #[serde(deserialize_with = "secret")]
    pub password: Option<SecretString>,
    /// Token of the broker, where it authenticates by token.
    #[serde(deserialize_with = "secret")]
    pub token: Option<SecretString>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            kind: LogKind::Nats,
            address: "127.0.0.1:4222".to_owned(),
            username: String::new(),
            password: None,
            token: None,
        }
    }
}

/// The brokers that can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogKind {
    /// NATS JetStream, as embedded in Milvus (`mq.type: natsmq`) or on its own.
    #[default]
    Nats,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let mut config = SourceConfig::default();
        config.etcd.password = Some(SecretString::from("hunter2-etcd"));
        config.log.password = Some(SecretString::from("hunter2-log"));
        config.log.token = Some(SecretString::from("hunter2-token"));
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
