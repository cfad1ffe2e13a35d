//! What can be set of a coordinator. Plain data; reading files and environment is the binary's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use harrier_milvus::source::SourceConfig;
use serde::Deserialize;

/// The coordinator's section of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoordinatorConfig {
    /// This node's id in the group; never given twice.
    pub node_id: u64,
    /// Folder of the registry.
    pub data_dir: PathBuf,
    /// Where `/cdc` and `/metrics` are served.
    pub http_address: SocketAddr,
    /// Where workers call.
    pub grpc_address: SocketAddr,
    /// `host:port` under which other coordinators reach `http_address`; none = as it is.
    pub advertise_http_address: Option<String>,
    /// `host:port` under which other coordinators and workers reach `grpc_address`; none = as it is.
    pub advertise_grpc_address: Option<String>,
    /// Found a new group when the folder is empty.
    pub bootstrap: bool,
    /// A node calls an election after `election_ms_max` and a time drawn between these two without a word of the
    /// group's leader, in milliseconds; after `election_ms_max` where the leader's process is gone.
    pub election_ms_min: u64,
    /// The larger one, in milliseconds.
    pub election_ms_max: u64,
    /// How often the group's leader shows itself to the other coordinators, in milliseconds.
    pub election_heartbeat_ms: u64,
    /// How long a change of the registry may wait for the group, in milliseconds.
    pub propose_timeout_ms: u64,
    /// How long `member add` waits until a new node has caught up, in milliseconds.
    pub member_catch_up_ms: u64,
    /// How long a request that was handed on to the leader may take, in milliseconds.
    pub forward_timeout_ms: u64,
    /// `pause` and `delete` answer when nothing that was sent of the task is on its way to the target any more, and at
    /// the latest after this time, in milliseconds.
    pub stop_wait_ms: u64,
    /// A snapshot of the registry is written, and the log before it removed, after this many entries ...
    pub snapshot_entries: u64,
    /// ... or after this many bytes of log, whichever comes first.
    pub snapshot_log_bytes: u64,
    /// Most tasks that may exist.
    pub task_count_max: u32,
    /// Largest body of a request to `/cdc`, in bytes.
    pub request_bytes_max: usize,
    /// How often a worker reports, in milliseconds.
    pub heartbeat_ms: u64,
    /// How long a worker may send after a heartbeat that was answered, in milliseconds.
    pub lease_ms: u64,
    /// How much later than its lease a worker is given up, in milliseconds.
    pub lease_margin_ms: u64,
    /// How often progress is committed, in milliseconds.
    pub checkpoint_interval_ms: u64,
    /// How often owners are planned, in milliseconds.
    pub plan_interval_ms: u64,
    /// Least time between two rounds of moves that only serve the balance, in milliseconds.
    pub rebalance_cooldown_ms: u64,
    /// How long a worker has to be here before such moves give it senders, in milliseconds. Each end of its lease
    /// doubles it.
    pub rebalance_probation_ms: u64,
    /// How long a worker that does not hear of a target or the log has to go on saying so, after another one has heard of
    /// it, before its senders are given to others, in milliseconds.
    pub reach_grace_ms: u64,
    /// What a worker heard longer ago proves nothing of what it reaches, in milliseconds.
    pub reach_fresh_ms: u64,
    /// How often the source's catalog is listed although nothing was seen to change, in milliseconds.
    pub catalog_poll_ms: u64,
    /// How often indexes, loads and the like of the targets are compared with the source's although nothing was seen to
    /// change, in milliseconds.
    pub metadata_reconcile_ms: u64,
    /// How long a connection to a target may take, in milliseconds, where its task says nothing.
    pub target_connect_timeout_ms: u64,
    /// How long one request to a target may take, in milliseconds.
    pub target_request_timeout_ms: u64,
    /// For how long `get` and `list` warn of a foreign write to a task's target channels, in milliseconds.
    pub foreign_shown_ms: u64,
    /// Most series of one metric; what exceeds it is summed up as `_other`.
    pub metrics_series_max: usize,
    /// A lone `*` in `collection_infos` selects every database and not only `default`.
    pub star_means_every_database: bool,
    /// The source cluster. A section of its own in the configuration file.
    #[serde(skip)]
    pub source: SourceConfig,
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            node_id: 1,
            data_dir: PathBuf::from("harrier-data"),
            http_address: local(8444),
            grpc_address: local(8445),
            advertise_http_address: None,
            advertise_grpc_address: None,
            bootstrap: false,
            election_ms_min: 400,
            election_ms_max: 700,
            election_heartbeat_ms: 200,
            propose_timeout_ms: 5_000,
            member_catch_up_ms: 30_000,
            forward_timeout_ms: 60_000,
            stop_wait_ms: 5_000,
            snapshot_entries: 4_096,
            snapshot_log_bytes: 64 * 1024 * 1024,
            task_count_max: 100,
            request_bytes_max: 4 * 1024 * 1024,
            heartbeat_ms: 250,
            lease_ms: 2_000,
            lease_margin_ms: 250,
            checkpoint_interval_ms: 250,
            plan_interval_ms: 100,
            rebalance_cooldown_ms: 1_000,
            rebalance_probation_ms: 3_000,
            reach_grace_ms: 300,
            reach_fresh_ms: 3_000,
            catalog_poll_ms: 5_000,
            metadata_reconcile_ms: 60_000,
            target_connect_timeout_ms: 10_000,
            target_request_timeout_ms: 10_000,
            foreign_shown_ms: 600_000,
            metrics_series_max: 10_000,
            star_means_every_database: true,
            source: SourceConfig::default(),
        }
    }
}
