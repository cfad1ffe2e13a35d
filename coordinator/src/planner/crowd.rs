//! On how many workers the senders of one target may be. A task that asks for at most N calls at once (`channel_num`)
//! could not be given that with senders on more than N workers: each needs one of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::leader::channels_max;
use crate::registry::State;

/// Workers by target, of those targets that are bounded.
#[derive(Debug, Default)]
pub(super) struct Crowds<'a> {
    max: BTreeMap<&'a str, usize>,
    workers: BTreeMap<&'a str, BTreeSet<String>>,
}

impl<'a> Crowds<'a> {
    pub(super) fn of(state: &'a State) -> Self {
        let max = channels_max(state).into_iter().map(|(target, max)| (target, max as usize)).collect();
        Self { max, workers: BTreeMap::new() }
    }

    /// Whether placing has to look at this target.
    pub(super) fn bounds(&self, target_id: &str) -> bool {
        self.max.contains_key(target_id)
    }

    /// A worker has, or is to get, a sender of the target.
    pub(super) fn add(&mut self, target_id: &'a str, worker_id: Option<&str>) {
        if let Some(worker_id) = worker_id.filter(|_| self.bounds(target_id)) {
            self.workers.entry(target_id).or_default().insert(worker_id.to_owned());
        }
    }

    /// Whether a worker may get one.
    pub(super) fn admits(&self, target_id: &str, worker_id: &str) -> bool {
        let Some(max) = self.max.get(target_id) else { return true };
        let there = self.workers.get(target_id);
        there.is_none_or(|there| there.contains(worker_id) || there.len() < *max)
    }
}
