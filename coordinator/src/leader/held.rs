//! Collections that are held, while all others go on: a worker cannot get their messages to the target, or the catalog
//! sync cannot get them a counterpart there.

use std::collections::BTreeMap;

use super::board::SenderInfo;
use super::reason::{TaskReason, by_urgency};
use super::utc::utc;
use crate::registry::{ShardId, ShardState, State};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCollection {
    /// Its id at the source.
    pub source_id: i64,
    /// Its database at the source.
    pub database: String,
    /// Its name at the source, when it was mapped.
    pub name: String,
    /// What the catalog sync says, or the worker; of several shards the most urgent.
    pub reason: TaskReason,
}

impl HeldCollection {
    /// The reason, saying of what and since when.
    pub(crate) fn told(&self) -> TaskReason {
        let TaskReason { class, message, since_ms } = &self.reason;
        let message =
            format!("collection {}.{} is held since {}: {message}", self.database, self.name, utc(*since_ms));
        TaskReason { class: *class, message, since_ms: *since_ms }
    }
}

/// The held collections of a task, by id, from what the owners of its `shards` reported. What was held before for the
/// same reason keeps its beginning.
pub(crate) fn held_of(
    task_id: &str,
    shards: &[(&ShardId, &ShardState)],
    infos: &[&SenderInfo],
    state: &State,
    former: &[HeldCollection],
) -> Vec<HeldCollection> {
    let mut reasons: BTreeMap<i64, Vec<TaskReason>> = BTreeMap::new();
    for info in infos.iter().flat_map(|info| &info.shards) {
        let shard = shards.iter().find(|(shard_id, _)| **shard_id == info.shard_id);
        if let (Some((_, shard)), Some(reason)) = (shard, &info.held) {
            reasons.entry(shard.source_collection_id).or_default().push(reason.clone());
        }
    }
    let mappings = state.mappings.get(task_id);
    let held = reasons.into_iter().filter_map(|(source_id, reasons)| {
        let mapping = mappings?.get(&source_id)?;
        let reason = reasons.into_iter().min_by(by_urgency)?;
        let before = former.iter().find(|held| held.source_id == source_id);
        Some(HeldCollection {
            source_id,
            database: mapping.source_db.clone(),
            name: mapping.source_name.clone(),
            reason: reason.continuing(before.map(|held| &held.reason)),
        })
    });
    held.collect()
}

/// With what the catalog sync holds: of a collection that both hold, it knows better what is to be done.
pub(crate) fn joined(by_workers: Vec<HeldCollection>, by_catalog: &[HeldCollection]) -> Vec<HeldCollection> {
    let mut held: BTreeMap<i64, HeldCollection> =
        by_workers.into_iter().map(|held| (held.source_id, held)).collect();
    for one in by_catalog {
        let mut one = one.clone();
        if let Some(known) = held.get(&one.source_id) {
            one.reason.since_ms = one.reason.since_ms.min(known.reason.since_ms);
        }
        held.insert(one.source_id, one);
    }
    held.into_values().collect()
}
