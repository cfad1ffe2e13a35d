//! Where the session meets the senders: starts the real ones for it.

use std::sync::Arc;

use futures::future::BoxFuture;
use harrier_cluster::ClusterSecret;
use harrier_milvus::log::{LogSource, open_source};
use harrier_proto::harrier::v1::{SenderAssignment, SenderReport, SourceLog};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::WorkerConfig;
use crate::reach::WatchedLog;
use crate::sender::{self, SenderContext, SenderHandle};
use crate::session::Fence;
use crate::session::host::{SenderControl, SenderHost};
use crate::session::registration::{UnknownLog, log_access};
use crate::worker::{SenderShare, StartError, Worker};

/// Starts senders that read one source's log.
pub(crate) struct LiveHost {
    log: Arc<dyn LogSource>,
    share: SenderShare,
}

impl Worker {
    /// Starts the worker; it registers in the background, for as long as it takes. `metrics` renders what the
    /// process's recorder holds. `secret` is that of the coordinators, if they have one.
    ///
    /// # Errors
    /// When the configuration cannot be used: a wrong address, or a port that is taken.
    pub async fn start(
        config: WorkerConfig,
        secret: Option<ClusterSecret>,
        metrics: PrometheusHandle,
    ) -> Result<Self, StartError> {
        Self::start_with(config, secret, metrics, LiveHost::new).await
    }
}

impl LiveHost {
    fn new(log: &SourceLog, share: &SenderShare) -> Result<Self, UnknownLog> {
        let log = open_source(&log_access(log)?);
        let watch = share.reach.log(log.clone());
        Ok(Self { log: Arc::new(WatchedLog::new(log, watch)), share: share.clone() })
    }
}

impl SenderHost for LiveHost {
    type Control = SenderHandle;

    fn spawn(&self, assignment: SenderAssignment, fence: Fence) -> SenderHandle {
        let context = SenderContext {
            log: self.log.clone(),
            config: WorkerConfig::clone(&self.share.config),
            fence,
            byte_pool: self.share.byte_pool.clone(),
            target_limits: self.share.target_limits.clone(),
            pace: self.share.pace.clone(),
            traffic: self.share.traffic.clone(),
            reach: self.share.reach.clone(),
        };
        sender::spawn(assignment, context)
    }
}

impl SenderControl for SenderHandle {
    fn update(&self, assignment: SenderAssignment) {
        SenderHandle::update(self, assignment);
    }

    fn grant(&self, horizon: u64) {
        SenderHandle::grant(self, horizon);
    }

    fn report(&self) -> SenderReport {
        SenderHandle::report(self)
    }

    fn stop(&self) -> BoxFuture<'static, SenderReport> {
        SenderHandle::stop(self)
    }

    fn abort(&self) {
        SenderHandle::abort(self);
    }

    fn has_ended(&self) -> bool {
        SenderHandle::has_ended(self)
    }
}
