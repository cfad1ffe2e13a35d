//! The Go tool's `cdc.yaml` as the source section, so that migrating is copying the file.
//!
//! Its keys become a layer below the file's own: where both say something, Harrier's key wins.

use std::path::PathBuf;

use harrier_milvus::secret_text::secret;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::go_broker::GoBroker;
use super::text::string_list;

/// The keys of `cdc.yaml` that mean something here. Others (`metaStoreConfig`, `batchMode`, ...) configure parts that
/// Harrier does not have, and are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GoToolFile {
    address: Option<String>,
    #[serde(rename = "maxTaskNum")]
    max_task_num: Option<u32>,
    #[serde(rename = "logLevel")]
    log_level: Option<String>,
    #[serde(rename = "sourceConfig")]
    source: Option<GoSource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GoSource {
    etcd: GoEtcd,
    replicate_chan: Option<String>,
    channel_num: Option<u32>,
    default_partition_name: Option<String>,
    pulsar: Option<GoBroker>,
    kafka: Option<GoBroker>,
    natsmq: Option<GoBroker>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GoEtcd {
    #[serde(deserialize_with = "string_list")]
    address: Vec<String>,
    #[serde(rename = "rootPath")]
    root_path: Option<String>,
    #[serde(rename = "metaSubPath")]
    meta_sub_path: Option<String>,
    #[serde(rename = "enableAuth")]
    enable_auth: bool,
    username: Option<String>,
    #[serde(deserialize_with = "secret")]
    password: Option<SecretString>,
    #[serde(rename = "enableTLS")]
    enable_tls: bool,
    #[serde(rename = "tlsCertPath")]
    tls_cert_path: Option<PathBuf>,
    #[serde(rename = "tlsKeyPath")]
    tls_key_path: Option<PathBuf>,
    #[serde(rename = "tlsCACertPath")]
    tls_ca_cert_path: Option<PathBuf>,
}

/// One key of Harrier's own format and its value.
pub(super) type Setting = (&'static str, figment::value::Value);

impl GoToolFile {
    /// The same in Harrier's own keys.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let mut settings = Settings::default();
        settings.set("coordinator.http_address", self.address.as_deref().map(listen_address));
        settings.set("coordinator.task_count_max", self.max_task_num);
        settings.set("log.level", self.log_level.clone());
        if let Some(source) = &self.source {
            source.settings(&mut settings);
        }
        settings.0
    }
}

/// Go listens on every interface when the host is left out (`:8444`).
fn listen_address(text: &str) -> String {
    if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() }
}

impl GoSource {
    fn settings(&self, settings: &mut Settings) {
        settings.set("source.replicate_channel", self.replicate_chan.clone());
        settings.set("source.channel_num", self.channel_num);
        settings.set("source.default_partition_name", self.default_partition_name.clone());
        self.etcd.settings(settings);
        let brokers = [("nats", &self.natsmq), ("pulsar", &self.pulsar), ("kafka", &self.kafka)];
        let broker = brokers.iter().find_map(|(kind, broker)| broker.as_ref().map(|broker| (*kind, broker)));
        if let Some((kind, broker)) = broker {
            broker.settings(kind, settings);
        }
    }
}

impl GoEtcd {
    fn settings(&self, settings: &mut Settings) {
        if !self.address.is_empty() {
            settings.set("source.etcd.endpoints", Some(self.address.clone()));
        }
        settings.set("source.etcd.root_path", self.root_path.clone());
        settings.set("source.etcd.meta_sub_path", self.meta_sub_path.clone());
        if self.enable_auth {
            settings.set("source.etcd.username", self.username.clone());
            let password = self.password.as_ref().map(|password| password.expose_secret().to_owned());
            settings.set("source.etcd.password", password);
        }
        if self.enable_tls {
            let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
            settings.set("source.etcd.tls.enabled", Some(true));
            settings.set("source.etcd.tls.client_pem_path", text(&self.tls_cert_path));
            settings.set("source.etcd.tls.client_key_path", text(&self.tls_key_path));
            settings.set("source.etcd.tls.ca_pem_path", text(&self.tls_ca_cert_path));
        }
    }
}

#[derive(Default)]
pub(super) struct Settings(pub(super) Vec<Setting>);

impl Settings {
    pub(super) fn set<V: Into<figment::value::Value>>(&mut self, key: &'static str, value: Option<V>) {
        if let Some(value) = value {
            self.0.push((key, value.into()));
        }
    }
}
