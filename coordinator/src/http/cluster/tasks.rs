//! The tasks, short: `get` tells the rest.

use std::collections::BTreeSet;

use serde::Serialize;

use super::query::{Next, Query};
use super::senders::Trouble;
use crate::http::lag;
use crate::http::position::task_shards;
use crate::http::task_view::state_name;
use crate::leader::LeaderView;
use crate::registry::{self, State};

/// One of them.
#[derive(Debug, Serialize)]
pub(super) struct Task {
    task_id: String,
    /// `Initial`, `Running` or `Paused`.
    state: &'static str,
    /// Address of its target.
    target: String,
    /// What keeps it from going on.
    reason: Option<Trouble>,
    /// The largest lag of its channel shards.
    lag_seconds: f64,
    /// Collections that are mapped and not dropped.
    collections: usize,
    /// Of these, how many are held.
    held_collections: usize,
    /// Senders that write it.
    senders: usize,
}

/// The tasks that are asked for.
pub(super) fn page(
    leader: &LeaderView,
    registry: &State,
    query: &Query,
    next: &mut Next,
    now_ms: u64,
) -> Vec<Task> {
    let (page, more) = query.page(&registry.tasks, query.tasks_after.as_ref());
    next.tasks_after = more;
    let held = leader.held_collections();
    let view = |(task_id, task): (&String, &registry::Task)| {
        let mappings = registry.mappings.get(task_id).into_iter().flatten();
        let senders: BTreeSet<&str> =
            task_shards(registry, task_id).map(|(_, shard)| shard.sender_id.as_str()).collect();
        Task {
            task_id: task_id.clone(),
            state: state_name(task.state),
            target: target_address(task),
            reason: leader.task_reason(task_id).as_ref().map(Trouble::of),
            lag_seconds: lag::of_task(registry, task, now_ms),
            collections: mappings.filter(|(_, mapping)| !mapping.dropped).count(),
            held_collections: held.get(task_id).map_or(0, Vec::len),
            senders: senders.len(),
        }
    };
    page.into_iter().map(view).collect()
}

fn target_address(task: &registry::Task) -> String {
    let target = &task.spec.target;
    if target.uri.is_empty() { format!("{}:{}", target.host, target.port) } else { target.uri.clone() }
}
