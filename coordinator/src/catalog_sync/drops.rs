//! Drops: what is gone from the source goes at the target, by id.
//!
//! Step by step, each one committed: the rows leave the senders, then the object goes at the target, then the senders
//! tell its end in the data stream. Whoever leads goes on where the last one stopped; every step can be repeated.
//! A collection first gets a hidden name that nobody else takes, and that name is dropped: a late call of a leader that
//! was deposed cannot hit a collection that has taken the name since (`misplaced`).

use std::collections::BTreeSet;

use harrier_milvus::catalog::CatalogSnapshot;
use harrier_milvus::client::{ClientError, CollectionDescription};
use harrier_milvus::tso::Timestamp;

use super::Problem;
use super::misplaced::hidden_name;
use super::names::TargetName;
use super::plan::{Plan, Renamed};
use super::ports::{Coordination, DropWork, SourceReads, TargetCatalog};
use super::round::commit;
use crate::registry::{Command, DroppedPartition, PendingCreation, PendingDrop};

/// Commits what the plan found gone.
pub(super) async fn record(
    coordination: &dyn Coordination,
    source: &dyn SourceReads,
    task_id: &str,
    snapshot: &CatalogSnapshot,
    plan: &Plan<'_>,
) -> Result<(), Problem> {
    let unseen = plan.gone.iter().any(|id| !snapshot.collections.contains_key(id));
    if unseen || !plan.gone_partitions.is_empty() {
        same_source(coordination, source, task_id).await?;
    }
    for source_collection_id in plan.gone.iter().copied() {
        tracing::info!(task = task_id, source_collection_id, "a collection is gone from the source");
        let command = Command::DropMapping { task_id: task_id.to_owned(), source_collection_id };
        commit(coordination, command).await?;
    }
    for (source_collection_id, partitions) in &plan.gone_partitions {
        tracing::info!(
            task = task_id,
            source_collection_id,
            ?partitions,
            "partitions are gone from the source"
        );
        let command = Command::DropPartitions {
            task_id: task_id.to_owned(),
            source_collection_id: *source_collection_id,
            partitions: partitions.clone(),
        };
        commit(coordination, command).await?;
    }
    Ok(())
}

/// A catalog that was wiped, or another one, shows nothing of what was mapped, too: that must not empty the standby.
pub(super) async fn same_source(
    coordination: &dyn Coordination,
    source: &dyn SourceReads,
    task_id: &str,
) -> Result<(), Problem> {
    let handed_out = source.timestamp_upper_bound().await?;
    let mappings = coordination.mappings(task_id);
    if mappings.values().all(|mapping| mapping.created_ts <= handed_out) {
        return Ok(());
    }
    Err(Problem::operator(
        "the source's catalog is older than the collections that were replicated from it: nothing is dropped; check that \
         source.etcd leads to the right cluster, and delete the task if that was set up anew",
    ))
}

/// The objects whose names are not free yet: those that are dropped, those that are to be renamed, and those that the
/// target may still make.
pub(super) struct Held {
    drops: Vec<PendingDrop>,
    renamed: BTreeSet<TargetName>,
    unfinished: Vec<PendingCreation>,
}

impl Held {
    pub(super) fn new(work: &[DropWork], renamed: &[Renamed<'_>], unfinished: Vec<PendingCreation>) -> Self {
        let name = |one: &Renamed<'_>| TargetName {
            db: one.mapping.target_db.clone(),
            collection: one.mapping.target_name.clone(),
        };
        Self {
            drops: work.iter().map(|work| work.drop.clone()).collect(),
            renamed: renamed.iter().map(name).collect(),
            unfinished,
        }
    }

    pub(super) fn holds_collection(&self, name: &TargetName) -> bool {
        let is_left = |drop: &PendingDrop| {
            drop.partition.is_none() && drop.target_db == name.db && drop.target_name == name.collection
        };
        let is_unfinished = |creation: &PendingCreation| {
            let whole = creation.partition.is_none();
            whole && creation.target_db == name.db && creation.target_name == name.collection
        };
        self.renamed.contains(name)
            || self.drops.iter().any(is_left)
            || self.unfinished.iter().any(is_unfinished)
    }

    pub(super) fn holds_partition(&self, source_collection_id: i64, name: &str) -> bool {
        self.drops.iter().any(|drop| {
            let partition = drop.partition.as_ref().filter(|partition| partition.target_name == name);
            drop.source_collection_id == source_collection_id && partition.is_some()
        }) || self.unfinished.iter().any(|creation| {
            let partition = creation.partition.as_ref().filter(|partition| partition.name == name);
            creation.source_collection_id == source_collection_id && partition.is_some()
        })
    }
}

/// Does at the target what can be done now.
pub(super) async fn work(
    coordination: &dyn Coordination,
    source: &dyn SourceReads,
    target: &dyn TargetCatalog,
    task_id: &str,
) -> Result<Vec<Problem>, Problem> {
    let mut work = coordination.drops(task_id);
    work.retain(|work| work.has_left);
    if work.is_empty() {
        return Ok(Vec::new());
    }
    let at = source.timestamp_upper_bound().await?;
    let mut problems = Vec::new();
    for DropWork { drop_id, drop, .. } in work {
        // A paused or deleted task does nothing at its target.
        if coordination.task(task_id).is_none() {
            break;
        }
        coordination.linearizable().await?;
        let done = match &drop.partition {
            None => collection(target, &drop, at).await,
            Some(partition) => self::partition(target, &drop, partition, at).await,
        };
        match done {
            Ok(()) => {
                tracing::info!(task = task_id, drop = drop_id, "dropped at the target");
                commit(coordination, Command::DroppedAtTarget { drop_id }).await?;
            }
            Err(problem) => problems.push(problem.of(format_args!("dropping {}", what(&drop)))),
        }
    }
    Ok(problems)
}

fn what(drop: &PendingDrop) -> String {
    let name = format!("{}.{}", drop.target_db, drop.target_name);
    match &drop.partition {
        None => format!("collection {name} at the target"),
        Some(partition) => format!("partition {} of {name} at the target", partition.target_name),
    }
}

/// A collection of the target, whatever its name is; `None` if it does not have it.
pub(super) async fn by_id(
    target: &dyn TargetCatalog,
    db: &str,
    target_collection_id: i64,
) -> Result<Option<CollectionDescription>, Problem> {
    match target.describe_collection_by_id(db, target_collection_id).await {
        Ok(found) => Ok(Some(found)),
        Err(ClientError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn collection(target: &dyn TargetCatalog, drop: &PendingDrop, at: Timestamp) -> Result<(), Problem> {
    let by_id = || by_id(target, &drop.target_db, drop.target_collection_id);
    let Some(found) = by_id().await? else { return Ok(()) };
    let (db, hidden) = (&drop.target_db, hidden_name(drop.target_collection_id));
    // Also where an earlier attempt has hidden it: that one's drop may still come.
    target.rename_collection(db, &found.name, &hidden, at).await?;
    let renamed = target.describe_collection(db, &hidden).await?;
    if renamed.id != drop.target_collection_id {
        // A late call of a former leader gave the hidden name to a collection that had taken the old one.
        target.rename_collection(db, &hidden, &drop.target_name, at).await?;
        return Err(Problem::transient("another collection had its hidden name"));
    }
    target.drop_collection(db, &hidden, at).await?;
    match by_id().await? {
        None => Ok(()),
        Some(_) => Err(Problem::transient("the target still has it")),
    }
}

async fn partition(
    target: &dyn TargetCatalog,
    drop: &PendingDrop,
    partition: &DroppedPartition,
    at: Timestamp,
) -> Result<(), Problem> {
    let db = &drop.target_db;
    let Some(collection) = by_id(target, db, drop.target_collection_id).await? else { return Ok(()) };
    let there = target.partitions(db, &collection.name).await?;
    let Some(found) = there.iter().find(|found| found.id == partition.target_id) else { return Ok(()) };
    if target.drop_partition(db, &collection.name, &found.name, at).await.is_err() {
        // The source released it before its drop; a loaded partition cannot be dropped.
        target.release_partition(db, &collection.name, &found.name, at).await?;
        target.drop_partition(db, &collection.name, &found.name, at).await?;
    }
    Ok(())
}
