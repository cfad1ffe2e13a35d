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
    /// `host:port` or URL of the broker; several separated by commas (Pulsar, Kafka).
    pub address: String,
    /// User of the broker; empty means none.
    pub username: String,
    /// Password of that user.
    #[serde(deserialize_with = "secret")]
    pub password: Option<SecretString>,
    /// Token of the broker, where it authenticates by token.
    #[serde(deserialize_with = "secret")]
    pub token: Option<SecretString>,
    /// Pulsar's tenant of the topics.
    pub tenant: String,
    /// Pulsar's namespace of the topics, within the tenant.
    pub namespace: String,
    /// How user and password are shown to Kafka.
    pub sasl_mechanism: SaslMechanism,
    /// How connections to Pulsar and Kafka are encrypted, if they are.
    pub tls: TlsConfig,
    /// Pulsar's admin interface (`http(s)://host:port`), to see how long it keeps messages; `None` = it is not asked.
    pub admin_address: Option<String>,
    /// Tasks may be created although the log keeps nothing that was acknowledged.
    pub allow_short_retention: bool,
    /// How often coordinators look at how long the log keeps messages, in milliseconds.
    pub retention_check_interval_ms: u64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            kind: LogKind::Nats,
            address: "127.0.0.1:4222".to_owned(),
            username: String::new(),
            password: None,
            token: None,
            tenant: "public".to_owned(),
            namespace: "default".to_owned(),
            sasl_mechanism: SaslMechanism::Plain,
            tls: TlsConfig::default(),
            admin_address: None,
            allow_short_retention: false,
            retention_check_interval_ms: 60_000,
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
    /// Apache Pulsar (`mq.type: pulsar`).
    Pulsar,
    /// Apache Kafka (`mq.type: kafka`), or what speaks its protocol.
    Kafka,
}

impl LogKind {
    /// The spelling in configuration and protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Pulsar => "pulsar",
            Self::Kafka => "kafka",
        }
    }

    /// The kind of that spelling.
    pub fn of(text: &str) -> Option<Self> {
        [Self::Nats, Self::Pulsar, Self::Kafka].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The ways to log in to Kafka with user and password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SaslMechanism {
    /// The password as it is: only over TLS or a network that is trusted.
    #[default]
    #[serde(rename = "PLAIN")]
    Plain,
    /// A proof of the password by SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// A proof of the password by SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl SaslMechanism {
    /// Its name in Kafka's protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    /// The mechanism of that name, in either case.
    pub fn of(text: &str) -> Option<Self> {
        [Self::Plain, Self::ScramSha256, Self::ScramSha512]
            .into_iter()
            .find(|mechanism| mechanism.as_str().eq_ignore_ascii_case(text))
    }
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
