//! Elections that need not wait. A leader that is silent may be slow, so openraft waits long before it calls an
//! election; a leader whose process is gone is not slow. A member that has not heard of the leader for
//! `election_ms_max` (before that nobody gives a vote) knocks at its door, and calls the election where nobody is there.
//!
//! Nothing of Raft's safety rests on this: any member may call an election at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use openraft::{RaftMetrics, ServerState};

use super::Peer;
use super::heard::Heard;
use super::knock::{Door, knock};
use super::types::{NodeId, Raft};
use super::upkeep::Metrics;

/// The leader's last words may have reached the others a little later.
const MARGIN: Duration = Duration::from_millis(50);
/// How long a member leaves the election to those with a smaller id. Of two that call it at once the one with the larger
/// id wins if its log is long enough; otherwise both have wasted a term, and more than a second: longer than a busy
/// machine takes to write a vote down and send it.
const STEP: Duration = Duration::from_millis(400);
/// Of one attempt at the leader's door, and between two.
const KNOCK_TIMEOUT: Duration = Duration::from_millis(150);
const PAUSE: Duration = Duration::from_millis(100);

/// What there is to do, from what this node knows of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Successor {
    leader: NodeId,
    term: u64,
    /// Where the leader is reached.
    address: String,
    /// How long the leader must have been silent before this node calls an election.
    after: Duration,
}

impl Successor {
    /// `None` where it is not for this node to succeed anybody: no leader, no vote.
    fn of(metrics: &RaftMetrics<NodeId, Peer>, lease: Duration) -> Option<Self> {
        let membership = metrics.membership_config.membership();
        let leader = metrics.current_leader.filter(|leader| *leader != metrics.id)?;
        let votes = metrics.running_state.is_ok() && metrics.state == ServerState::Follower;
        if !votes || !membership.voter_ids().any(|id| id == metrics.id) {
            return None;
        }
        let before = membership.voter_ids().filter(|id| *id != leader && *id < metrics.id).count();
        let wait = STEP.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX));
        let address = membership.get_node(&leader)?.grpc_address.clone();
        let term = metrics.current_term;
        Some(Self { leader, term, address, after: lease.saturating_add(MARGIN).saturating_add(wait) })
    }
}

/// Calls an election once the leader's process is gone. `lease`: for how long nobody votes after a leader's word.
/// `called` counts. Ends with the node.
pub(super) async fn succeed(
    raft: Raft,
    mut metrics: Metrics,
    heard: Heard,
    lease: Duration,
    called: Arc<AtomicU64>,
) {
    let mut done = None;
    loop {
        let successor = Successor::of(&metrics.borrow_and_update(), lease);
        // Once for each leader: the vote for itself may take long to reach the disk.
        let Some(successor) = successor.filter(|successor| done != Some((successor.leader, successor.term)))
        else {
            if metrics.changed().await.is_err() {
                return;
            }
            continue;
        };
        let left = successor.after.saturating_sub(heard.silence(successor.leader, Instant::now()));
        if !left.is_zero() {
            tokio::time::sleep(left).await;
        } else if knock(&successor.address, KNOCK_TIMEOUT).await != Door::Gone {
            tokio::time::sleep(PAUSE).await;
        } else if still(&metrics, &successor, &heard, lease) {
            let Successor { leader, term, .. } = successor;
            tracing::info!(leader, term, "the leader's process is gone; calling an election");
            called.fetch_add(1, Ordering::Relaxed);
            if raft.trigger().elect().await.is_err() {
                return;
            }
            done = Some((leader, term));
        }
        if metrics.has_changed().is_err() {
            return;
        }
    }
}

/// Somebody may have been elected, or heard of, while this node knocked.
fn still(metrics: &Metrics, successor: &Successor, heard: &Heard, lease: Duration) -> bool {
    Successor::of(&metrics.borrow(), lease).as_ref() == Some(successor)
        && heard.silence(successor.leader, Instant::now()) >= successor.after
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::{BTreeMap, BTreeSet};

    use openraft::{Membership, StoredMembership};

    use super::*;

    const LEASE: Duration = Duration::from_millis(700);

    fn metrics(id: NodeId, leader: Option<NodeId>) -> RaftMetrics<NodeId, Peer> {
        let peer = |id: NodeId| Peer { grpc_address: format!("node-{id}:1"), http_address: String::new() };
        let nodes: BTreeMap<NodeId, Peer> = (1..=5).map(|id| (id, peer(id))).collect();
        let voters = BTreeSet::from([1, 2, 3, 4]);
        let mut metrics = RaftMetrics::new_initial(id);
        metrics.membership_config =
            Arc::new(StoredMembership::new(None, Membership::new(vec![voters], nodes)));
        metrics.current_leader = leader;
        metrics.state = ServerState::Follower;
        metrics
    }

    #[test]
    fn the_voters_succeed_a_leader_in_the_order_of_their_ids() {
        let after = |id| Successor::of(&metrics(id, Some(2)), LEASE).map(|successor| successor.after);
        assert_eq!(after(1), Some(LEASE + MARGIN));
        assert_eq!(after(3), Some(LEASE + MARGIN + STEP));
        assert_eq!(after(4), Some(LEASE + MARGIN + STEP * 2));
        assert_eq!(after(5), None, "it has no vote");
        assert_eq!(after(2), None, "it leads");
        let successor = Successor::of(&metrics(1, Some(2)), LEASE).unwrap();
        assert_eq!((successor.leader, successor.address.as_str()), (2, "node-2:1"));
    }

    #[test]
    fn who_knows_no_leader_or_is_a_candidate_succeeds_nobody() {
        assert_eq!(Successor::of(&metrics(1, None), LEASE), None);
        let mut candidate = metrics(1, Some(2));
        candidate.state = ServerState::Candidate;
        assert_eq!(Successor::of(&candidate, LEASE), None);
    }
}
