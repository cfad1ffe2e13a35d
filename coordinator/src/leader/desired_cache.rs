//! Desired sets, built again only when owners, inputs or connections change: heartbeats are many.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use harrier_proto::harrier::v1::{HorizonGrant, Pace, SenderAssignment};
use tokio::sync::watch;

use super::connections::ConnectionCache;
use super::desired::{Desired, WorkerDesired};
use super::release::Assignment;
use crate::raft::Registry;
use crate::registry::{Sender, State};

/// What one worker is told.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) version: u64,
    /// `None`: it has this version already.
    pub(crate) desired: Option<Vec<SenderAssignment>>,
    pub(crate) horizons: Vec<HorizonGrant>,
    pub(crate) paces: Vec<Pace>,
    /// What it should speak of: its senders, and those whose last word is awaited.
    pub(crate) expected: Vec<Assignment>,
}

/// The desired sets of all workers.
pub(crate) struct DesiredCache {
    registry: Registry,
    applied: watch::Receiver<u64>,
    cached: Mutex<CachedDesired>,
}

/// Desired sets as of some state and connections. Pure.
#[derive(Default)]
pub(crate) struct CachedDesired {
    /// The entry, and the generation of connections, up to which nothing has changed.
    seen: Option<(u64, u64)>,
    fingerprint: Option<u64>,
    desired: Desired,
}

impl DesiredCache {
    pub(crate) fn new(registry: Registry) -> Self {
        let applied = registry.applied();
        Self { registry, applied, cached: Mutex::default() }
    }

    /// What `worker_id` must do, from the state as it is now. `has`: the version that it works on.
    pub(crate) fn answer(&self, connections: &ConnectionCache, worker_id: &str, has: u64) -> Answer {
        // Read before the state: an entry that is applied in between is looked at once more next time.
        let seen = (*self.applied.borrow(), connections.generation());
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let build = |state: &State| Desired::build(state, &connections.connections());
        self.registry.read(|state| cached.answer((state, seen), build, (worker_id, has)))
    }
}

impl CachedDesired {
    /// What a worker must do that works on version `has`. `seen`: an entry, and a generation of connections, that the
    /// state and what is built now are at least as new as.
    pub(crate) fn answer(
        &mut self,
        (state, seen): (&State, (u64, u64)),
        build: impl Fn(&State) -> Desired,
        (worker_id, has): (&str, u64),
    ) -> Answer {
        self.follow(state, seen, &build);
        let stale = self.desired.of(worker_id).is_some_and(|desired| !desired.is_current(state, worker_id));
        if stale {
            self.rebuild(state, seen, &build);
        }
        let nothing = WorkerDesired::default();
        let desired = self.desired.of(worker_id).unwrap_or(&nothing);
        let version = desired.version();
        Answer {
            version,
            desired: (version != has).then(|| desired.assignments(state)),
            horizons: desired.horizons(state),
            paces: self.desired.paces(state, worker_id),
            expected: desired.expected().to_vec(),
        }
    }

    fn follow(&mut self, state: &State, seen: (u64, u64), build: impl Fn(&State) -> Desired) {
        if self.seen == Some(seen) {
            return;
        }
        if self.fingerprint == Some(fingerprint(state, seen.1)) {
            self.seen = Some(seen);
        } else {
            self.rebuild(state, seen, build);
        }
    }

    fn rebuild(&mut self, state: &State, seen: (u64, u64), build: impl Fn(&State) -> Desired) {
        self.desired = build(state);
        self.fingerprint = Some(fingerprint(state, seen.1));
        self.seen = Some(seen);
    }
}

/// Of everything that desired sets are made of, without walking over shards: most entries are checkpoints.
fn fingerprint(state: &State, connections: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    connections.hash(&mut hasher);
    for (sender_id, sender) in &state.senders {
        let Sender { owner, last_owner, epoch, input_version, stopped, .. } = sender;
        (sender_id, owner, last_owner, epoch, input_version, stopped).hash(&mut hasher);
    }
    hasher.finish()
}
