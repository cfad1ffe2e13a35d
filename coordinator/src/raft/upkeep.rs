//! What follows from the course of things: when this node begins and ceases to lead, and when the log has grown
//! enough for a snapshot.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use openraft::{RaftMetrics, ServerState};
use tokio::sync::watch;

use super::Peer;
use super::registry::{Inner, Registry};
use super::types::{NodeId, Raft};

/// Between two attempts of a leader to reach its group.
const RETRY: Duration = Duration::from_millis(50);

pub(super) type Metrics = watch::Receiver<RaftMetrics<NodeId, Peer>>;

/// Tells the term while this node leads *and* its state holds everything that was decided before the term.
/// Ends with the node.
pub(super) async fn follow_leadership(
    raft: Raft,
    mut metrics: Metrics,
    leadership: Arc<watch::Sender<Option<u64>>>,
) {
    loop {
        let term = led_term(&metrics.borrow_and_update());
        if term != *leadership.borrow() {
            // An end is told at once, a beginning only when the group confirmed it.
            leadership.send_replace(None);
            if term.is_some() {
                if raft.ensure_linearizable().await.is_ok() && led_term(&metrics.borrow()) == term {
                    leadership.send_replace(term);
                } else {
                    tokio::time::sleep(RETRY).await;
                    if metrics.has_changed().is_ok() {
                        continue;
                    }
                }
            }
        }
        if metrics.changed().await.is_err() {
            leadership.send_replace(None);
            return;
        }
    }
}

fn led_term(metrics: &RaftMetrics<NodeId, Peer>) -> Option<u64> {
    let leads = metrics.running_state.is_ok() && metrics.state == ServerState::Leader;
    leads.then_some(metrics.current_term)
}

/// Asks for a snapshot whenever the log grew by `bytes_max`: entries differ too much in size to be counted alone.
/// Ends with the node.
pub(super) async fn bound_log(raft: Raft, mut metrics: Metrics, grown_bytes: Arc<AtomicU64>, bytes_max: u64) {
    while metrics.changed().await.is_ok() {
        let running = metrics.borrow_and_update().running_state.is_ok();
        if running && grown_bytes.load(Ordering::Relaxed) > bytes_max {
            grown_bytes.store(0, Ordering::Relaxed);
            if raft.trigger().snapshot().await.is_err() {
                return;
            }
        }
    }
}

/// Whenever this node begins to lead, the group learns where it is now: it may have moved while it was down. Ends with
/// the node.
pub(super) async fn keep_own_address(node: Weak<Inner>, mut leadership: watch::Receiver<Option<u64>>) {
    while leadership.wait_for(Option::is_some).await.is_ok() {
        let Some(inner) = node.upgrade() else { return };
        let kept = Registry { inner }.keep_own_address().await;
        if let Err(error) = kept {
            tracing::warn!(%error, "the group could not be told the address of this coordinator");
        }
        if leadership.changed().await.is_err() {
            return;
        }
    }
}
