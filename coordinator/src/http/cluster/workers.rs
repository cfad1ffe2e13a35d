//! The workers that hold a lease.

use std::collections::BTreeMap;

use serde::Serialize;

use super::query::{Next, Query};
use crate::leader::{Unreached, WorkerInfo};
use crate::planner::Place;
use crate::registry::State;

/// One of them.
#[derive(Debug, Serialize)]
pub(super) struct Worker {
    worker_id: String,
    /// Host and process.
    description: String,
    version: String,
    /// Where it calls from.
    address: String,
    /// Milliseconds since its last heartbeat.
    lease_age_ms: u64,
    draining: bool,
    /// Senders that it owns.
    senders: usize,
    buffered_bytes: u64,
    /// Servers that do not answer it.
    unreachable: Vec<Unreachable>,
}

/// One of these.
#[derive(Debug, Serialize)]
struct Unreachable {
    /// `target` or `log`.
    what: &'static str,
    /// Which target.
    target_id: Option<String>,
    /// Unix milliseconds since when nothing came from it.
    since: u64,
}

impl Unreachable {
    fn of(unreached: &Unreached) -> Self {
        let (what, target_id) = match &unreached.place {
            Place::Log => ("log", None),
            Place::Target(target_id) => ("target", Some(target_id.clone())),
        };
        Self { what, target_id, since: unreached.since_ms }
    }
}

/// The workers that are asked for.
pub(super) fn page(
    (workers, unreached): (&[WorkerInfo], &BTreeMap<String, Vec<Unreached>>),
    registry: &State,
    query: &Query,
    next: &mut Next,
    now_ms: u64,
) -> Vec<Worker> {
    let mut owned: BTreeMap<&str, usize> = BTreeMap::new();
    for owner in registry.senders.values().filter_map(|sender| sender.owner.as_deref()) {
        *owned.entry(owner).or_default() += 1;
    }
    let by_id: BTreeMap<String, &WorkerInfo> =
        workers.iter().map(|worker| (worker.worker_id.clone(), worker)).collect();
    let (page, more) = query.page(&by_id, query.workers_after.as_ref());
    next.workers_after = more;
    let view = |(_, worker): (&String, &&WorkerInfo)| Worker {
        worker_id: worker.worker_id.clone(),
        description: worker.description.clone(),
        version: worker.version.clone(),
        address: worker.address.clone(),
        lease_age_ms: now_ms.saturating_sub(worker.last_seen_ms),
        draining: worker.draining,
        senders: owned.get(worker.worker_id.as_str()).copied().unwrap_or(0),
        buffered_bytes: worker.buffered_bytes,
        unreachable: unreached
            .get(&worker.worker_id)
            .map(|list| list.iter().map(Unreachable::of).collect())
            .unwrap_or_default(),
    };
    page.into_iter().map(view).collect()
}
