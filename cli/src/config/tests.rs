use std::io::Write;

use harrier_milvus::source::LogKind;

use super::{Config, ConfigError, Layers};

fn load(yaml: &str) -> Result<Config, ConfigError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(yaml.as_bytes()).unwrap();
    Layers::new(Some(file.path())).load()
}

fn message(yaml: &str) -> String {
    load(yaml).unwrap_err().to_string()
}

#[test]
fn an_empty_or_commented_file_is_the_defaults() {
    for yaml in ["", "# nothing\n", "coordinator: {}\n"] {
        let config = load(yaml).unwrap();
        assert_eq!(config.coordinator.http_address.to_string(), "127.0.0.1:8444");
        assert_eq!(config.source.etcd.root_path, "by-dev");
    }
}

#[test]
fn the_documented_file_holds_exactly_the_defaults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/harrier.yaml");
    let documented = Layers::new(Some(std::path::Path::new(path))).load().unwrap();
    let defaults = load("").unwrap();
    assert_eq!(format!("{documented:#?}"), format!("{defaults:#?}"));
}

#[test]
fn an_unknown_key_is_named_with_what_was_expected() {
    let text = message("worker:\n  merge_byte_max: 5\n");
    assert!(text.starts_with("worker.merge_byte_max: unknown key, expected one of: "), "{text}");
    assert!(text.contains("merge_bytes_max"), "{text}");
    let text = message("wroker: {}\n");
    assert!(text.starts_with("wroker: unknown key"), "{text}");
}

#[test]
fn a_wrong_value_is_named_with_key_value_and_origin() {
    let text = message("worker:\n  tick_interval_ms: soon\n");
    assert!(text.starts_with("worker.tick_interval_ms: expected u64, found \"soon\" (file "), "{text}");
    let text = message("worker:\n  tick_interval_ms: -1\n");
    assert!(text.contains("worker.tick_interval_ms") && text.contains("found -1"), "{text}");
    let text = message("source:\n  log: {kind: rabbit}\n");
    assert!(
        text.contains("source.log.kind") && text.contains("nats") && text.contains("found \"rabbit\""),
        "{text}"
    );
}

#[test]
fn a_secret_of_the_wrong_kind_is_not_shown() {
    let text = message("source:\n  etcd:\n    password: {hidden-words: 1}\n");
    assert!(text.contains("source.etcd.password") && !text.contains("hidden-words"), "{text}");
}

#[test]
fn values_that_do_not_fit_together_are_refused() {
    let text = message("coordinator:\n  lease_ms: 300\n");
    assert_eq!(text, "coordinator.lease_ms: expected at least 4 x coordinator.heartbeat_ms (250), found 300");
    let text = message("log:\n  level: 'loud=='\n");
    assert!(text.starts_with("log.level: expected error, warn"), "{text}");
}

#[test]
fn broken_yaml_says_where() {
    let text = message("worker:\n  - :\n :\n");
    assert!(text.contains("line"), "{text}");
}

#[test]
fn flags_are_stronger_than_the_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"worker: {tick_interval_ms: 100}\n").unwrap();
    let mut layers = Layers::new(Some(file.path()));
    layers.flag("worker.tick_interval_ms", Some(50_u64));
    assert_eq!(layers.load().unwrap().worker.tick_interval_ms, 50);
    let mut layers = Layers::new(None);
    layers.flag("coordinator.http_address", Some("here".to_owned()));
    let text = layers.load().unwrap_err().to_string();
    assert!(text.contains("coordinator.http_address") && text.contains("flag for"), "{text}");
}

#[test]
fn the_go_tools_file_is_the_source_section() {
    let config = load(
        "address: 0.0.0.0:8444\nmaxTaskNum: 7\nmetaStoreConfig: {storeType: etcd}\nlogLevel: debug\nbatchMode: true\n\
         sourceConfig:\n  etcd:\n    address: [http://10.1.1.1:2379, http://10.1.1.2:2379]\n    rootPath: up\n    \
         metaSubPath: m\n    enableAuth: true\n    username: root\n    password: 123456\n    enableTLS: false\n  \
         readChanLen: 4\n  defaultPartitionName: dflt\n  replicateChan: up-replicate-msg\n  channelNum: 8\n  \
         natsmq: {address: '10.1.1.3:4222'}\n",
    )
    .unwrap();
    assert_eq!(config.coordinator.http_address.to_string(), "0.0.0.0:8444");
    assert_eq!(config.coordinator.task_count_max, 7);
    assert_eq!(config.source.etcd.endpoints, ["http://10.1.1.1:2379", "http://10.1.1.2:2379"]);
    assert_eq!(config.source.etcd.root_path, "up");
    assert_eq!(config.source.etcd.meta_sub_path, "m");
    assert_eq!(config.source.etcd.username, "root");
    assert!(config.source.etcd.password.is_some());
    assert_eq!(config.source.replicate_channel, "up-replicate-msg");
    assert_eq!(config.source.channel_num, 8);
    assert_eq!(config.source.default_partition_name, "dflt");
    assert_eq!(config.source.log.address, "10.1.1.3:4222");
    assert_eq!(config.log.level, "debug");
}

#[test]
fn harriers_own_keys_win_over_the_go_tools() {
    let config = load("maxTaskNum: 7\ncoordinator: {task_count_max: 9}\n").unwrap();
    assert_eq!(config.coordinator.task_count_max, 9);
}

#[test]
fn the_go_tools_pulsar_is_the_source_log() {
    let config = load(
        "sourceConfig:\n  pulsar: {address: 'pulsar://localhost:6650', namespace: milvus, authParams: 'token:ey.J'}\n",
    )
    .unwrap();
    let log = &config.source.log;
    assert_eq!((log.kind, log.address.as_str()), (LogKind::Pulsar, "pulsar://localhost:6650"));
    assert_eq!((log.tenant.as_str(), log.namespace.as_str()), ("public", "milvus"));
    assert!(log.token.is_some());
}

#[test]
fn what_a_kind_of_log_does_not_have_is_refused() {
    let text = message("source: {log: {tls: {enabled: true}}}\n");
    assert!(text.starts_with("source.log.tls.enabled") && text.contains("tls://"), "{text}");
    let text = message("source: {log: {kind: kafka, address: 'k:1', token: abc}}\n");
    assert!(text.starts_with("source.log.token") && !text.contains("abc"), "{text}");
    let text = message("source: {log: {kind: pulsar, namespace: ''}}\n");
    assert!(text.starts_with("source.log.namespace"), "{text}");
    let text = message("source: {log: {kind: kafka, sasl_mechanism: GSSAPI}}\n");
    assert!(text.contains("source.log.sasl_mechanism") && text.contains("SCRAM-SHA-256"), "{text}");
}
