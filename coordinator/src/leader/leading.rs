//! What all parts of one leader work with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use harrier_proto::harrier::v1::SourceLog;
use tokio::sync::{Notify, watch};

use super::connections::ConnectionCache;
use super::desired_cache::DesiredCache;
use super::leadership_check::LeadershipCheck;
use super::shared::Shared;
use super::view::LeaderView;
use crate::planner::Liveness;
use crate::raft::Registry;

/// Times of the leader's work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) heartbeat: Duration,
    pub(crate) lease: Duration,
    pub(crate) lease_margin: Duration,
    pub(crate) checkpoint_interval: Duration,
    pub(crate) plan_interval: Duration,
    pub(crate) rebalance_cooldown: Duration,
    pub(crate) rebalance_probation: Duration,
    pub(crate) reach_grace: Duration,
    pub(crate) reach_fresh: Duration,
}

impl Times {
    /// After this much silence a worker is dead.
    pub(crate) fn lease_max(&self) -> Duration {
        self.lease + self.lease_margin
    }
}

/// The working parts of one leader; dies with it.
pub(crate) struct Leading {
    pub(crate) term: u64,
    pub(crate) times: Times,
    pub(crate) source_log: SourceLog,
    pub(crate) registry: Registry,
    pub(crate) view: LeaderView,
    pub(crate) shared: Arc<Shared>,
    pub(crate) check: LeadershipCheck,
    pub(crate) connections: ConnectionCache,
    pub(crate) desired: DesiredCache,
    /// Something happened that the next plan should not wait for.
    pub(crate) plan_now: Notify,
    /// Something was reported that the next checkpoint should not wait for.
    pub(crate) commit_now: Notify,
    /// All batches below this number are committed.
    pub(crate) committed: watch::Sender<u64>,
}

impl Leading {
    /// The workers as a plan sees them.
    pub(crate) fn liveness(&self, now: Instant) -> Liveness {
        let mut workers = self.shared.workers();
        let reach = {
            let mut reach = self.shared.reach();
            reach.retain_workers(|worker_id| workers.knows(worker_id));
            reach.judge(now)
        };
        workers.set_cut_off(reach.cut_off(), now);
        workers.liveness(now).with_reach(reach)
    }

    /// Waits until a batch is in the registry, at most `limit`.
    pub(crate) async fn wait_committed(&self, batch: u64, limit: Duration) -> bool {
        let mut committed = self.committed.subscribe();
        let waited = tokio::time::timeout(limit, committed.wait_for(|below| *below > batch)).await;
        matches!(waited, Ok(Ok(_)))
    }
}
