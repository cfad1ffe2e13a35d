//! Follows the group: while this node leads, there is a leader here.

use std::sync::Arc;
use std::time::Duration;

use harrier_proto::harrier::v1::SourceLog;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::catalog_duty::CatalogParts;
use super::leading::{Leading, Times};
use super::sessions::CurrentLeader;
use super::tenure::Leader;
use super::view::LeaderView;
use crate::raft::Registry;
use crate::seal::Sealer;
use crate::target_endpoint::TargetTimeouts;

/// Pause between two attempts to show that a new term is real.
const CONFIRM_PAUSE: Duration = Duration::from_millis(50);

/// What every leader of this node is made of.
pub(crate) struct LeaderParts {
    pub(crate) registry: Registry,
    pub(crate) sealer: Sealer,
    pub(crate) view: LeaderView,
    pub(crate) times: Times,
    pub(crate) source_log: SourceLog,
    pub(crate) series_max: usize,
    pub(crate) timeouts: TargetTimeouts,
    /// `None` where there is no source to follow.
    pub(crate) catalog: Option<CatalogParts>,
}

/// Starts and stops leaders.
pub(crate) struct Leadership {
    cancel: CancellationToken,
    current: CurrentLeader,
    following: JoinHandle<()>,
}

impl Leadership {
    pub(crate) fn follow(parts: LeaderParts) -> Self {
        let cancel = CancellationToken::new();
        let (announce, current) = watch::channel(None);
        let following = tokio::spawn(follow(parts, announce, cancel.clone()));
        Self { cancel, current, following }
    }

    /// The present leader, for the sessions of workers.
    pub(crate) fn current(&self) -> CurrentLeader {
        self.current.clone()
    }

    /// Ends the present leader and starts no other.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        if let Err(error) = self.following.await {
            tracing::error!(%error, "following the leadership ended badly");
        }
    }
}

async fn follow(
    parts: LeaderParts,
    announce: watch::Sender<Option<Arc<Leading>>>,
    cancel: CancellationToken,
) {
    let mut terms = parts.registry.leadership();
    loop {
        let term = *terms.borrow_and_update();
        let leader = match term {
            Some(term) => tokio::select! {
                leader = begin(&parts, term) => Some(leader),
                _ = terms.wait_for(|now| *now != Some(term)) => None,
                () = cancel.cancelled() => None,
            },
            None => None,
        };
        announce.send_replace(leader.as_ref().map(|leader| Arc::clone(&leader.leading)));
        let over = tokio::select! {
            changed = terms.wait_for(|now| *now != term) => changed.is_err(),
            () = cancel.cancelled() => true,
        };
        announce.send_replace(None);
        if let Some(leader) = leader {
            leader.stop().await;
        }
        if over {
            return;
        }
    }
}

/// Leases of a former leader may have been renewed until the group followed this one; so time counts from the first
/// confirmation on.
async fn begin(parts: &LeaderParts, term: u64) -> Leader {
    while let Err(error) = parts.registry.linearizable().await {
        tracing::debug!(%error, term, "the new term is not confirmed yet");
        tokio::time::sleep(CONFIRM_PAUSE).await;
    }
    Leader::start(parts, term).await
}
