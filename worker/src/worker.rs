//! The worker as one value: started, asked for its id, shut down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use harrier_cluster::{ClusterSecret, Prove};
use harrier_proto::harrier::v1::SourceLog;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::WorkerConfig;
use crate::byte_pool::BytePool;
use crate::http;
use crate::pace::Pace;
use crate::reach::Reach;
use crate::sender::TargetLimits;
use crate::session::coordinators::Coordinators;
use crate::session::host::SenderHost;
use crate::session::registration::UnknownLog;
use crate::session::run::{Session, SessionParts};
use crate::session::{AddressError, Lease};
use crate::traffic::TrafficSink;

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `worker.coordinators` is wrong.
    #[error("worker.{0}")]
    Address(#[from] AddressError),
    /// `worker.metrics_address` cannot be used.
    #[error("worker.metrics_address: cannot listen on {address:?}")]
    Listen {
        /// The address as configured.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system gave no random numbers for the worker's id.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// A running worker. Dropping it does not stop it; [`Worker::shutdown`] does.
#[derive(Debug)]
pub struct Worker {
    id: String,
    lease: Arc<Lease>,
    metrics_address: Option<SocketAddr>,
    shutdown: CancellationToken,
    http_shutdown: CancellationToken,
    session: JoinHandle<()>,
}

/// What senders share, for those who make their host.
#[derive(Debug, Clone)]
pub(crate) struct SenderShare {
    pub config: Arc<WorkerConfig>,
    pub byte_pool: BytePool,
    pub target_limits: TargetLimits,
    pub pace: Pace,
    pub traffic: TrafficSink,
    pub reach: Reach,
}

impl Worker {
    /// The id by which the coordinators know this process: 32 hex characters.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where `/metrics` is, if it is served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// True while a coordinator confirmed the worker within the lease.
    pub fn holds_lease(&self) -> bool {
        self.lease.until().is_some()
    }

    /// Drains: the senders finish what is in flight and give their last word, and the worker leaves. Takes at
    /// most `drain_timeout_ms`.
    pub async fn shutdown(self) {
        self.shutdown.cancel();
        if let Err(error) = self.session.await {
            tracing::error!(%error, "the session with the coordinators broke");
        }
        self.http_shutdown.cancel();
    }

    pub(crate) async fn start_with<H: SenderHost>(
        config: WorkerConfig,
        secret: Option<ClusterSecret>,
        metrics: PrometheusHandle,
        make_host: impl Fn(&SourceLog, &SenderShare) -> Result<H, UnknownLog> + Send + 'static,
    ) -> Result<Self, StartError> {
        crate::metrics::describe();
        let connect_timeout = Duration::from_millis(config.connect_timeout_ms);
        let prove = Prove::new(secret.as_ref());
        let coordinators = Coordinators::new(&config.coordinators, connect_timeout, prove)?;
        let id = random_id()?;
        let lease = Arc::new(Lease::new());
        let http_shutdown = CancellationToken::new();
        let metrics_address = match &config.metrics_address {
            None => None,
            Some(address) => {
                let served = http::serve(address, metrics, lease.clone(), http_shutdown.clone()).await;
                Some(served.map_err(|source| StartError::Listen { address: address.clone(), source })?)
            }
        };
        let share = SenderShare {
            byte_pool: BytePool::new(config.buffer_bytes_max),
            target_limits: TargetLimits::new(&config),
            pace: Pace::default(),
            traffic: TrafficSink::new(),
            reach: Reach::new(&config),
            config: Arc::new(config),
        };
        let session = Session::new(SessionParts {
            worker_id: id.clone(),
            description: description(),
            coordinators,
            lease: lease.clone(),
            traffic: share.traffic.clone(),
            byte_pool: share.byte_pool.clone(),
            reach: share.reach.clone(),
            pace: share.pace.clone(),
            drain_timeout: Duration::from_millis(share.config.drain_timeout_ms),
            backoff_min: Duration::from_millis(share.config.backoff_ms_min.max(1)),
            backoff_max: Duration::from_millis(share.config.backoff_ms_max.max(1)),
            make_host: Box::new(move |log| make_host(log, &share)),
        });
        let shutdown = CancellationToken::new();
        let session = tokio::spawn(session.run(shutdown.clone()));
        Ok(Self { id, lease, metrics_address, shutdown, http_shutdown, session })
    }
}

fn random_id() -> Result<String, StartError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| StartError::Random(error.to_string()))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// For people: host and process.
fn description() -> String {
    let uname = rustix::system::uname();
    format!("{} pid {}", uname.nodename().to_string_lossy(), std::process::id())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::session::tests::fake_sender::FakeHost;

    async fn start(config: WorkerConfig) -> Result<Worker, StartError> {
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        Worker::start_with(config, None, metrics, |_, _| Ok(FakeHost::new(0))).await
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: worker\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_worker_without_a_coordinator_is_healthy_but_not_ready_and_can_be_shut_down() {
        let config = WorkerConfig {
            // Nobody listens on the discard port.
            coordinators: vec!["127.0.0.1:9".into()],
            metrics_address: Some("127.0.0.1:0".into()),
            drain_timeout_ms: 300,
            ..Default::default()
        };
        let worker = start(config).await.unwrap();
        assert_eq!(worker.id().len(), 32);
        assert!(worker.id().bytes().all(|byte| byte.is_ascii_hexdigit()));
        let address = worker.metrics_address().unwrap();
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 503"));
        assert!(get(address, "/metrics").await.starts_with("HTTP/1.1 200"));
        assert!(!worker.holds_lease());
        tokio::time::timeout(Duration::from_secs(5), worker.shutdown()).await.unwrap();
    }

    #[tokio::test]
    async fn wrong_addresses_are_said_by_their_key() {
        let wrong = WorkerConfig { coordinators: vec!["nowhere".into()], ..Default::default() };
        let error = start(wrong).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "worker.coordinators: \"nowhere\" is no address, expected host:port or http://host:port"
        );
        let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metrics_address = Some(taken.local_addr().unwrap().to_string());
        let error = start(WorkerConfig { metrics_address, ..Default::default() }).await.unwrap_err();
        assert!(error.to_string().starts_with("worker.metrics_address: cannot listen on"));
    }
}
