//! What is to be done so that the metadata of one collection is at the target as it is at the source. Pure.
//!
//! Made anew from what both sides show and what the registry remembers, so it does not matter after which step somebody
//! was killed. What waits for another step is simply not planned before that is seen to be done.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::catalog::{SourceCollection, SourceMetadata};
use harrier_milvus::client::{MetadataChange, TargetIndex, TargetLoad};

use super::{indexes, loads, properties};
use crate::registry::{CollectionMapping, MetadataItem};

/// One collection on both sides.
pub(super) struct Collection<'a> {
    pub(super) source: &'a SourceCollection,
    pub(super) metadata: &'a SourceMetadata,
    pub(super) mapping: &'a CollectionMapping,
    /// What the task knows of its target, of all collections.
    pub(super) known: &'a BTreeSet<MetadataItem>,
    pub(super) target: &'a AtTarget,
    /// What the target has just refused.
    pub(super) refused: &'a BTreeSet<MetadataChange>,
    /// Rows of all partitions go to the target's default partition.
    pub(super) ignore_partition: bool,
}

/// What the target shows of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct AtTarget {
    /// Its name at this moment.
    pub(super) name: String,
    pub(super) indexes: Vec<TargetIndex>,
    pub(super) load: TargetLoad,
    /// By key.
    pub(super) properties: BTreeMap<String, String>,
}

/// One change, to be made in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) change: MetadataChange,
    /// Not before the target has all that was written until the change was seen at the source.
    pub(super) waits: bool,
}

/// What cannot be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// Milvus' name of the request.
    pub(super) operation: &'static str,
    /// What it is about.
    pub(super) object: String,
    /// What is in the way and what to do.
    pub(super) reason: String,
}

/// What is to be done. First `known` is committed, then the steps are made; what is `forgotten` is no longer there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) known: BTreeSet<MetadataItem>,
    pub(super) forgotten: BTreeSet<MetadataItem>,
    pub(super) steps: Vec<Step>,
    pub(super) obstacles: Vec<Obstacle>,
}

impl Plan {
    pub(super) fn now(&mut self, change: MetadataChange) {
        self.steps.push(Step { change, waits: false });
    }

    pub(super) fn when_confirmed(&mut self, change: MetadataChange) {
        self.steps.push(Step { change, waits: true });
    }

    pub(super) fn obstacle(&mut self, change: &MetadataChange, reason: impl Into<String>) {
        self.obstacles.push(Obstacle {
            operation: change.name(),
            object: change.to_string(),
            reason: reason.into(),
        });
    }
}

impl Collection<'_> {
    pub(super) fn db(&self) -> String {
        self.mapping.target_db.clone()
    }

    pub(super) fn name(&self) -> String {
        self.target.name.clone()
    }

    /// What the task knows of this collection.
    pub(super) fn known(&self) -> impl Iterator<Item = &MetadataItem> {
        self.known.iter().filter(|item| item.part_of() == Some(self.source.id))
    }
}

/// Indexes come before what needs them, and leave after it.
pub(super) fn plan(of: &Collection<'_>) -> Plan {
    let mut plan = Plan::default();
    let drops = indexes::plan(of, &mut plan);
    loads::plan(of, drops, &mut plan);
    properties::plan(of, &mut plan);
    plan
}
