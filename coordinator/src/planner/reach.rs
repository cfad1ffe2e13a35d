//! Who reaches what, as far as a plan has to know: only where some worker does not and another does.
//!
//! What nobody reaches is gone for everybody, and moving its senders would help nobody: it does not appear here.

use std::collections::{BTreeMap, BTreeSet};

use super::liveness::Liveness;
use crate::registry::{Sender, TargetId};

/// A server that workers need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The source's log.
    Log,
    /// A target.
    Target(TargetId),
}

/// Who reaches one place that not everybody reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Divide {
    /// Workers that have to go without it.
    pub cut_off: BTreeSet<String>,
    /// Workers that have shown since that they reach it.
    pub reached_by: BTreeSet<String>,
}

/// The places that divide the workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    divides: BTreeMap<Place, Divide>,
}

impl Reach {
    /// A place that nobody is cut off from, or that nobody reaches, divides nobody.
    pub fn new(mut divides: BTreeMap<Place, Divide>) -> Self {
        divides.retain(|_, divide| !divide.cut_off.is_empty() && !divide.reached_by.is_empty());
        Self { divides }
    }

    /// Workers that are cut off from anything.
    pub fn cut_off(&self) -> BTreeSet<String> {
        self.divides.values().flat_map(|divide| &divide.cut_off).cloned().collect()
    }

    /// The divided places that the sender needs; none at most times.
    pub(super) fn needed_by<'a>(&'a self, sender: &Sender, reads: bool) -> Needs<'a> {
        let needed = |place: &Place| match place {
            Place::Log => reads,
            Place::Target(target_id) => *target_id == sender.target_id,
        };
        let found = self.divides.iter().filter(|(place, _)| needed(place));
        Needs { divides: found.collect() }
    }
}

/// The divided places that one sender needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs<'a> {
    divides: Vec<(&'a Place, &'a Divide)>,
}

impl<'a> Needs<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.divides.is_empty()
    }

    /// Whether the worker has shown that it reaches all of them.
    pub(super) fn met_by(&self, worker_id: &str) -> bool {
        self.divides.iter().all(|(_, divide)| divide.reached_by.contains(worker_id))
    }

    /// What the worker is cut off from, if somebody can take the sender who is not.
    pub(super) fn missed_by(&self, worker_id: &str, liveness: &Liveness) -> Option<&'a Place> {
        let missed = self.divides.iter().find(|(_, divide)| divide.cut_off.contains(worker_id));
        let (place, _) = missed?;
        liveness.accepting().any(|other| self.met_by(other)).then_some(*place)
    }
}
