//! One round for one task: every collection of which something changed, or that was not looked at for long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use harrier_milvus::catalog::{
    CatalogSnapshot, ObjectState, SourceAccess, SourceAlias, SourceCollection, SourceDatabase, SourceIndex,
    SourceLoad,
};
use tokio::time::Instant;

use super::super::ports::{Coordination, SourceReads};
use super::super::{Names, Problem};
use super::collection::{self, Outcome, With};
use super::ports::{MetadataConnector, MetadataTarget};
use super::problem::MetadataProblem;
use super::task;
use super::waits::Waits;
use crate::registry::{CollectionMapping, Task};

/// What the loops of all tasks work with.
pub(in super::super) struct Tools {
    pub(in super::super) coordination: Arc<dyn Coordination>,
    pub(in super::super) source: Arc<dyn SourceReads>,
    pub(in super::super) connector: Arc<dyn MetadataConnector>,
    /// Everything is looked at this often.
    pub(in super::super) reconcile: Duration,
}

/// What a loop keeps from round to round.
#[derive(Default)]
pub(super) struct Memory {
    target: Option<Arc<dyn MetadataTarget>>,
    waits: Waits,
    done: BTreeMap<i64, Done>,
    whole: Option<Whole>,
}

/// What is of no single collection, as it was last worked on.
struct Whole {
    /// Of the source.
    databases: BTreeMap<i64, SourceDatabase>,
    aliases: BTreeMap<(i64, String), SourceAlias>,
    access: SourceAccess,
    mappings_version: u64,
    at: Instant,
    outcome: Outcome,
}

/// A collection as it was last worked on.
struct Done {
    part: Part,
    at: Instant,
    outcome: Outcome,
}

/// What of a collection leads to work when it changes.
#[derive(Clone, PartialEq)]
struct Part {
    indexes: Option<BTreeMap<i64, SourceIndex>>,
    load: Option<SourceLoad>,
    properties: Vec<harrier_proto::common::KeyValuePair>,
    target_id: i64,
    target_name: String,
    partitions: BTreeMap<i64, bool>,
}

impl Part {
    fn of(snapshot: &CatalogSnapshot, source: &SourceCollection, mapping: &CollectionMapping) -> Self {
        let metadata = &snapshot.metadata;
        let partitions = mapping.partitions.iter();
        Self {
            indexes: metadata.indexes.get(&source.id).cloned(),
            load: metadata.loads.get(&source.id).cloned(),
            properties: source.properties.clone(),
            target_id: mapping.target_id,
            target_name: mapping.target_name.clone(),
            partitions: partitions.map(|(id, partition)| (*id, partition.dropped)).collect(),
        }
    }
}

impl Outcome {
    fn due_after(&self, reconcile: Duration) -> Duration {
        self.again.map_or(reconcile, |again| again.min(reconcile))
    }
}

impl Done {
    fn is_due(&self, part: &Part, reconcile: Duration) -> bool {
        self.part != *part || self.at.elapsed() >= self.outcome.due_after(reconcile)
    }
}

impl Whole {
    fn is_due(&self, snapshot: &CatalogSnapshot, mappings_version: u64, reconcile: Duration) -> bool {
        self.databases != snapshot.databases
            || self.aliases != snapshot.metadata.aliases
            || self.access != snapshot.metadata.access
            || self.mappings_version != mappings_version
            || self.at.elapsed() >= self.outcome.due_after(reconcile)
    }
}

impl Memory {
    /// After a lost connection nothing is taken for granted.
    pub(super) fn begin_anew(&mut self) {
        self.target = None;
        self.done.clear();
        self.whole = None;
    }

    /// What is not in step, in a fixed order.
    pub(super) fn problems(&self) -> Vec<MetadataProblem> {
        let whole = self.whole.iter().map(|whole| &whole.outcome);
        let all = whole.chain(self.done.values().map(|done| &done.outcome));
        let problems: BTreeSet<_> = all.flat_map(|outcome| outcome.problems.iter().cloned()).collect();
        problems.into_iter().collect()
    }

    /// When the next round has something to do, if nothing changes.
    pub(super) fn next_due(&self, reconcile: Duration) -> Duration {
        let whole = self.whole.iter().map(|whole| (&whole.outcome, whole.at));
        let all = whole.chain(self.done.values().map(|done| (&done.outcome, done.at)));
        let left = all.map(|(outcome, at)| outcome.due_after(reconcile).saturating_sub(at.elapsed()));
        left.min().unwrap_or(reconcile)
    }
}

/// Runs one round. An error is one that stopped it.
pub(super) async fn run(
    tools: &Tools,
    memory: &mut Memory,
    names: &Names,
    task: &Task,
    snapshot: &CatalogSnapshot,
) -> Result<(), Problem> {
    let mappings_version = tools.coordination.mappings_version(&task.id);
    let mappings = tools.coordination.mappings(&task.id);
    let reconcile = tools.reconcile;
    if memory.whole.as_ref().is_none_or(|whole| whole.is_due(snapshot, mappings_version, reconcile)) {
        let target = target(tools, memory, task).await?;
        let with = With { tools, task, snapshot, target: &*target, names };
        let mut outcome = task::databases(&with, &mappings).await?;
        if !snapshot.metadata.unreadable_alias {
            outcome = outcome.and(task::aliases(&with, &mappings, &mut memory.waits).await?);
        }
        if task.spec.enable_user_role {
            outcome = outcome.and(task::access(&with).await?);
        }
        memory.whole = Some(Whole {
            databases: snapshot.databases.clone(),
            aliases: snapshot.metadata.aliases.clone(),
            access: snapshot.metadata.access.clone(),
            mappings_version,
            at: Instant::now(),
            outcome,
        });
    }
    let living = living(snapshot, &mappings);
    memory.done.retain(|id, _| living.iter().any(|(source, _)| source.id == *id));
    for (source, mapping) in living {
        let part = Part::of(snapshot, source, mapping);
        if memory.done.get(&source.id).is_some_and(|done| !done.is_due(&part, tools.reconcile)) {
            continue;
        }
        let target = target(tools, memory, task).await?;
        let with = With { tools, task, snapshot, target: &*target, names };
        let outcome = collection::work(&with, (source, mapping), &mut memory.waits).await?;
        memory.done.insert(source.id, Done { part, at: Instant::now(), outcome });
    }
    Ok(())
}

async fn target(tools: &Tools, memory: &mut Memory, task: &Task) -> Result<Arc<dyn MetadataTarget>, Problem> {
    if let Some(target) = &memory.target {
        return Ok(target.clone());
    }
    Ok(memory.target.insert(tools.connector.connect_metadata(task).await?).clone())
}

/// The collections that are on both sides, and whose metadata can be read.
fn living<'a>(
    snapshot: &'a CatalogSnapshot,
    mappings: &'a BTreeMap<i64, CollectionMapping>,
) -> Vec<(&'a SourceCollection, &'a CollectionMapping)> {
    let living = mappings.iter().filter(|(_, mapping)| !mapping.dropped);
    let both = living.filter_map(|(id, mapping)| Some((snapshot.collections.get(id)?, mapping)));
    both.filter(|(source, _)| {
        source.state == ObjectState::Created && !snapshot.metadata.unreadable.contains(&source.id)
    })
    .collect()
}
