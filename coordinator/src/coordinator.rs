//! The coordinator as a whole: opens its ports and its registry, and puts the parts together.

use std::future::IntoFuture as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use harrier_cluster::ClusterSecret;
use harrier_milvus::catalog::{CatalogClient, CatalogError};
use harrier_milvus::log::{AccessError, LogAccess, open_source};
use harrier_milvus::source::SourceConfig;
use harrier_proto::harrier::v1::SourceLog;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::config::CoordinatorConfig;
use crate::grpc;
use crate::http::probe::MilvusProber;
use crate::http::{self, AppParts, SetLogLevel};
use crate::leader::{CatalogParts, LeaderParts, LeaderView, Leadership, Sessions, Times};
use crate::raft::{OpenError, Peer, RaftOptions, Registry};
use crate::retention::{self, SourceRetention};
use crate::seal::Sealer;
use crate::serving::Serving;
use crate::source_log;

/// How long requests may take to end at shutdown.
const HTTP_DRAIN: Duration = Duration::from_secs(5);
const GRPC_DRAIN: Duration = Duration::from_secs(2);

/// What a coordinator is made of.
pub struct CoordinatorParts {
    /// Its section of the configuration.
    pub config: CoordinatorConfig,
    /// The source section.
    pub source: SourceConfig,
    /// Seals and opens the credentials of tasks.
    pub sealer: Sealer,
    /// What all coordinators and workers share; may be missing where one coordinator listens on loopback alone.
    pub cluster_secret: Option<ClusterSecret>,
    /// What the process counts through the `metrics` facade.
    pub metrics: PrometheusHandle,
    /// Changes the log level of the process.
    pub set_log_level: SetLogLevel,
}

/// Why a coordinator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be had.
    #[error(
        "cannot listen on `coordinator.{key}` {address}: {source}; stop what uses it, or set another address"
    )]
    Listen {
        /// `http_address` or `grpc_address`.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Anybody who reaches the port could call.
    #[error(
        "`coordinator.grpc_address` {address} can be reached from other hosts, and there is no cluster secret: set \
         cluster.secret_file or HARRIER_CLUSTER_SECRET (the same for all coordinators and workers; `harrier key \
         generate FILE` makes one), or listen on 127.0.0.1"
    )]
    NoSecret {
        /// The address.
        address: SocketAddr,
    },
    /// A file that says how to reach the source's log.
    #[error(transparent)]
    SourceLog(#[from] AccessError),
    /// An address that others are told.
    #[error("`coordinator.{key}` is {address:?}, expected host:port")]
    Advertise {
        /// `advertise_http_address` or `advertise_grpc_address`.
        key: &'static str,
        /// As configured.
        address: String,
    },
    /// The registry.
    #[error(transparent)]
    Registry(#[from] OpenError),
    /// The configuration of the source's catalog.
    #[error("the source cannot be used as configured (`source.etcd`): {0}")]
    Source(#[from] CatalogError),
}

/// A coordinator at work.
pub struct Coordinator {
    registry: Registry,
    leadership: Leadership,
    http: Serving,
    grpc: Serving,
    _retention_watch: AbortOnDropHandle<()>,
}

impl Coordinator {
    /// Opens ports and registry and begins to serve. Leads as soon as the group says so.
    pub async fn start(parts: CoordinatorParts) -> Result<Self, StartError> {
        let CoordinatorParts { mut config, source, sealer, cluster_secret, metrics, set_log_level } = parts;
        if cluster_secret.is_none() && !config.grpc_address.ip().is_loopback() {
            return Err(StartError::NoSecret { address: config.grpc_address });
        }
        config.source = source;
        let source_log = source_log::describe(&config.source.log)?;
        let catalog = CatalogParts {
            client: Arc::new(CatalogClient::connect(&config.source)?),
            poll: Duration::from_millis(config.catalog_poll_ms),
            default_partition_name: config.source.default_partition_name.clone(),
            reconcile: Duration::from_millis(config.metadata_reconcile_ms),
        };
        let http_listener = listen("http_address", config.http_address).await?;
        let grpc_listener = listen("grpc_address", config.grpc_address).await?;
        let http_error =
            |source| StartError::Listen { key: "http_address", address: config.http_address, source };
        let grpc_error =
            |source| StartError::Listen { key: "grpc_address", address: config.grpc_address, source };
        let http_address = http_listener.local_addr().map_err(http_error)?;
        let grpc_address = grpc_listener.local_addr().map_err(grpc_error)?;

        let peer = Peer {
            http_address: advertise("advertise_http_address", &config.advertise_http_address, http_address)?,
            grpc_address: advertise("advertise_grpc_address", &config.advertise_grpc_address, grpc_address)?,
        };
        let registry = Registry::open(raft_options(&config, peer, cluster_secret.clone())).await?;
        let view = LeaderView::default();
        let leadership =
            Leadership::follow(leader_parts(&config, &registry, &sealer, &view, catalog, source_log));
        let services = grpc::Services {
            sessions: Sessions::new(leadership.current(), registry.clone()),
            members: registry.member_service(),
            secret: cluster_secret,
        };
        let grpc = grpc::serve(grpc_listener, services).map_err(grpc_error)?;
        let log = open_source(&LogAccess::of(&config.source.log)?);
        let retention = SourceRetention::new(
            log.clone(),
            retention::a_channel(&config.source.replicate_channel),
            config.source.log.allow_short_retention,
        );
        let every = Duration::from_millis(config.source.log.retention_check_interval_ms.max(1));
        let retention_watch = AbortOnDropHandle::new(tokio::spawn(retention.clone().watch(every)));
        let router = http::router(AppParts {
            registry: registry.clone(),
            leader: view,
            sealer,
            config: Arc::new(config.clone()),
            process_metrics: Some(metrics),
            prober: Arc::new(MilvusProber),
            source_log: log,
            set_log_level,
            retention,
        });
        let http = Serving::start(http_address, |cancel| {
            let server = axum::serve(http_listener, router).with_graceful_shutdown(cancel.cancelled_owned());
            server.into_future()
        });
        Ok(Self { registry, leadership, http, grpc, _retention_watch: retention_watch })
    }

    /// Where `/cdc` is served.
    pub fn http_address(&self) -> SocketAddr {
        self.http.address()
    }

    /// Where workers call.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc.address()
    }

    /// Waits until the coordinator cannot go on by itself, and tells why.
    pub async fn failed(&self) -> String {
        tokio::select! {
            reason = self.registry.failed() => reason,
            reason = self.http.failed() => reason,
            reason = self.grpc.failed() => reason,
        }
    }

    /// Answers what is under way, stops, and lets go of the data folder.
    pub async fn shutdown(self) {
        self.http.stop(HTTP_DRAIN).await;
        self.grpc.stop(GRPC_DRAIN).await;
        self.leadership.stop().await;
        self.registry.shutdown().await;
    }
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { key, address, source })
}

/// Where others reach a port: as configured, else where it listens.
fn advertise(
    key: &'static str,
    configured: &Option<String>,
    listening: SocketAddr,
) -> Result<String, StartError> {
    let Some(address) = configured else { return Ok(listening.to_string()) };
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    match port.and_then(|port| port.parse::<u16>().ok()) {
        Some(1..) => Ok(address.clone()),
        _ => Err(StartError::Advertise { key, address: address.clone() }),
    }
}

fn raft_options(config: &CoordinatorConfig, peer: Peer, secret: Option<ClusterSecret>) -> RaftOptions {
    RaftOptions {
        node_id: config.node_id,
        data_dir: config.data_dir.clone(),
        bootstrap: config.bootstrap,
        peer,
        secret,
        election_ms_min: config.election_ms_min,
        election_ms_max: config.election_ms_max,
        heartbeat_ms: config.election_heartbeat_ms,
        propose_timeout_ms: config.propose_timeout_ms,
        snapshot_entries: config.snapshot_entries,
        snapshot_log_bytes: config.snapshot_log_bytes,
    }
}

fn leader_parts(
    config: &CoordinatorConfig,
    registry: &Registry,
    sealer: &Sealer,
    view: &LeaderView,
    catalog: CatalogParts,
    source_log: SourceLog,
) -> LeaderParts {
    LeaderParts {
        registry: registry.clone(),
        sealer: sealer.clone(),
        view: view.clone(),
        times: Times {
            heartbeat: Duration::from_millis(config.heartbeat_ms),
            lease: Duration::from_millis(config.lease_ms),
            lease_margin: Duration::from_millis(config.lease_margin_ms),
            checkpoint_interval: Duration::from_millis(config.checkpoint_interval_ms),
            plan_interval: Duration::from_millis(config.plan_interval_ms),
            rebalance_cooldown: Duration::from_millis(config.rebalance_cooldown_ms),
            rebalance_probation: Duration::from_millis(config.rebalance_probation_ms),
            reach_grace: Duration::from_millis(config.reach_grace_ms),
            reach_fresh: Duration::from_millis(config.reach_fresh_ms),
        },
        source_log,
        series_max: config.metrics_series_max,
        timeouts: config.into(),
        catalog: Some(catalog),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::time::Instant;

    use metrics_exporter_prometheus::PrometheusBuilder;
    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::seal::SealingKey;

    fn parts(folder: &TempDir) -> CoordinatorParts {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        CoordinatorParts {
            config: CoordinatorConfig {
                data_dir: folder.path().to_owned(),
                bootstrap: true,
                http_address: local,
                grpc_address: local,
                ..CoordinatorConfig::default()
            },
            source: SourceConfig::default(),
            sealer: Sealer::new(&SealingKey::from_text("test", "11".repeat(32).as_bytes()).unwrap()),
            cluster_secret: None,
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            set_log_level: Arc::new(|_| Ok(())),
        }
    }

    async fn list(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let body = r#"{"request_type":"list"}"#;
        let request = format!(
            "POST /cdc HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn until_it_lists(coordinator: &Coordinator) {
        let begin = Instant::now();
        while !list(coordinator.http_address()).await.contains(r#""tasks":[]"#) {
            assert!(begin.elapsed() < Duration::from_secs(10), "it never answers");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn it_starts_answers_stops_and_starts_again() {
        let folder = tempfile::tempdir().unwrap();
        let coordinator = Coordinator::start(parts(&folder)).await.unwrap();
        until_it_lists(&coordinator).await;
        let (http, grpc) = (coordinator.http_address(), coordinator.grpc_address());
        coordinator.shutdown().await;
        assert!(TcpStream::connect(http).await.is_err() && TcpStream::connect(grpc).await.is_err());

        let again = Coordinator::start(parts(&folder)).await.unwrap();
        until_it_lists(&again).await;
        again.shutdown().await;
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut parts = parts(&folder);
        parts.config.grpc_address = taken.local_addr().unwrap();
        let error = Coordinator::start(parts).await.err().unwrap().to_string();
        assert!(error.starts_with("cannot listen on `coordinator.grpc_address` 127.0.0.1:"), "{error}");
    }
}
