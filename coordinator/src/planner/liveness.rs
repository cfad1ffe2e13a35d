//! What the planner knows of workers.

use std::collections::{BTreeMap, BTreeSet};

use super::reach::Reach;
use crate::registry::SenderId;

/// What may be done with a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It lives and takes senders.
    Accepting,
    /// It lives, or may live, and keeps what it has; it gets nothing new.
    Keeping,
    /// It lives and wants to go: what it has goes to others.
    Draining,
    /// Its lease has ended, margin included.
    Dead,
}

/// The workers as the leader sees them at the moment of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Liveness {
    pub(super) workers: BTreeMap<String, Standing>,
    pub(super) released: BTreeSet<(SenderId, u64)>,
    pub(super) unknown_may_live: bool,
    pub(super) newcomers: BTreeSet<String>,
    pub(super) reach: Reach,
}

impl Liveness {
    /// `workers`: those that were heard of and are not forgotten. `unknown_may_live`: the leader is too young to
    /// call a worker dead that it never heard of.
    pub fn new(workers: BTreeMap<String, Standing>, unknown_may_live: bool) -> Self {
        Self { workers, unknown_may_live, ..Self::default() }
    }

    /// Adds senders (with their epoch) that their owner, or last owner, verifiably does not run, though its last word
    /// never came.
    pub fn with_released(mut self, released: BTreeSet<(SenderId, u64)>) -> Self {
        self.released = released;
        self
    }

    /// Names the workers that have not proved to stay: they take what has nobody, and nothing from others.
    pub fn with_newcomers(mut self, newcomers: BTreeSet<String>) -> Self {
        self.newcomers = newcomers;
        self
    }

    /// Says who is cut off from what.
    pub fn with_reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// What may be done with this worker.
    pub fn standing(&self, worker_id: &str) -> Standing {
        match self.workers.get(worker_id) {
            Some(standing) => *standing,
            None if self.unknown_may_live => Standing::Keeping,
            None => Standing::Dead,
        }
    }

    /// Whether silence of a worker proves nothing yet.
    pub fn is_settling(&self) -> bool {
        self.unknown_may_live
    }

    pub(super) fn accepting(&self) -> impl Iterator<Item = &str> {
        let accepting = self.workers.iter().filter(|(_, standing)| **standing == Standing::Accepting);
        accepting.map(|(worker_id, _)| worker_id.as_str())
    }

    pub(super) fn accepts(&self, worker_id: &str) -> bool {
        self.workers.get(worker_id) == Some(&Standing::Accepting)
    }

    pub(super) fn is_newcomer(&self, worker_id: &str) -> bool {
        self.newcomers.contains(worker_id)
    }

    pub(super) fn is_released(&self, sender_id: &SenderId, epoch: u64) -> bool {
        !self.released.is_empty() && self.released.contains(&(sender_id.clone(), epoch))
    }
}
