//! The coordinators.

use std::time::Duration;

use serde::Serialize;

use crate::http::AppState;
use crate::raft::MemberInfo;

/// A node that is busy with its disk does not answer at once.
const COMMIT_INDEX_TIMEOUT: Duration = Duration::from_millis(500);

/// The group, as the answering node knows it.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    cluster_id: Option<String>,
    /// The node that answers: the leader, or one that knows none.
    node_id: u64,
    /// `leader`, `follower`, `candidate`, `learner` or `stopped`.
    role: &'static str,
    /// Node id of the leader.
    leader: Option<u64>,
    term: u64,
    /// Since when the leader is at work, in unix milliseconds.
    leading_since: Option<u64>,
    last_log_index: u64,
    commit_index: Option<u64>,
    applied_index: u64,
    snapshot_index: u64,
    members: Vec<Member>,
}

/// One coordinator.
#[derive(Debug, Serialize)]
struct Member {
    node_id: u64,
    role: &'static str,
    leader: bool,
    grpc_address: String,
    http_address: String,
    /// Newest log entry that it is known to have.
    matched_index: Option<u64>,
    /// Entries of the leader's log that it is not known to have.
    behind: Option<u64>,
    /// Whether it answers the leader.
    reachable: Option<bool>,
    /// Since when it answers, or does not, in unix milliseconds.
    since: Option<u64>,
    /// How long ago it answered last, in milliseconds.
    last_answer_ms: Option<u64>,
}

impl Group {
    pub(super) async fn of(state: &AppState) -> Self {
        let commit_index = state.registry.commit_index(COMMIT_INDEX_TIMEOUT).await;
        let status = state.registry.status();
        let now_ms = state.now_ms();
        let member = |info| member(info, status.last_log_index, now_ms);
        Self {
            cluster_id: state.registry.cluster_id(),
            node_id: status.node_id,
            role: status.role,
            leader: status.leader,
            term: status.term,
            leading_since: state.leader.leading_since_ms(),
            last_log_index: status.last_log_index,
            commit_index,
            applied_index: status.applied_index,
            snapshot_index: status.snapshot_index,
            members: state.registry.members().into_iter().map(member).collect(),
        }
    }
}

fn member(info: MemberInfo, last_log_index: u64, now_ms: u64) -> Member {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let contact = info.contact;
    Member {
        node_id: info.node_id,
        role: if info.voter { "voter" } else { "learner" },
        leader: info.leader,
        grpc_address: info.peer.grpc_address,
        http_address: info.peer.http_address,
        matched_index: info.matched_index,
        behind: info.matched_index.map(|matched| last_log_index.saturating_sub(matched)),
        reachable: contact.map(|contact| contact.answers),
        since: contact.map(|contact| now_ms.saturating_sub(millis(contact.since))),
        last_answer_ms: contact.and_then(|contact| contact.last_answer).map(millis),
    }
}
