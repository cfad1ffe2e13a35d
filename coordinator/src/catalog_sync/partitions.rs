//! Partitions: the counterparts of a collection's partitions, found by name and created where they lack.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::catalog::{SourceCollection, SourcePartition};
use harrier_milvus::client::Partition;

use super::Problem;
use super::names::TargetName;
use super::ports::{Coordination, TargetCatalog};
use super::round::commit;
use crate::registry::{Command, CreatedPartition, PartitionMapping, PendingCreation};

/// Counterparts, and what stands in the way of the others.
#[derive(Debug, Default)]
pub(super) struct Counterparts {
    pub(super) found: BTreeMap<i64, PartitionMapping>,
    pub(super) problems: Vec<Problem>,
}

/// How a task treats partitions.
#[derive(Clone, Copy)]
pub(super) struct PartitionRules<'a> {
    /// All rows go to the target's default partition.
    pub(super) ignore_partition: bool,
    /// Name of the partition that every collection has.
    pub(super) default_partition_name: &'a str,
}

/// Commits what is about to be created, for a leader that has to go on here.
#[derive(Clone, Copy)]
pub(super) struct Creating<'a> {
    pub(super) coordination: &'a dyn Coordination,
    pub(super) task_id: &'a str,
}

impl Creating<'_> {
    /// The creation of a whole collection.
    pub(super) fn of(&self, source: &SourceCollection, name: &TargetName) -> PendingCreation {
        PendingCreation {
            task_id: self.task_id.to_owned(),
            source_collection_id: source.id,
            source_db: source.db_name.clone(),
            source_name: source.name.clone(),
            target_db: name.db.clone(),
            target_name: name.collection.clone(),
            created_ts: source.created_ts,
            partition: None,
            settled: false,
        }
    }

    async fn begin(
        &self,
        source: &SourceCollection,
        name: &TargetName,
        lacking: &[&&SourcePartition],
    ) -> Result<(), Problem> {
        let of = |partition: &&&SourcePartition| PendingCreation {
            partition: Some(CreatedPartition { source_id: partition.id, name: partition.name.clone() }),
            ..self.of(source, name)
        };
        let creations: Vec<_> = lacking.iter().map(of).collect();
        if creations.is_empty() {
            return Ok(());
        }
        commit(self.coordination, Command::BeginCreations { creations }).await
    }
}

/// Brings the target to have `wanted`, and pairs. `mapped` are the collection's partitions that have one already.
pub(super) async fn counterparts(
    target: &dyn TargetCatalog,
    creating: Creating<'_>,
    name: &TargetName,
    source: &SourceCollection,
    wanted: &[&SourcePartition],
    mapped: &BTreeMap<i64, PartitionMapping>,
    rules: PartitionRules<'_>,
) -> Result<Counterparts, Problem> {
    let mut there = target.partitions(&name.db, &name.collection).await?;
    if rules.ignore_partition {
        return into_default(name, wanted, &there, rules);
    }
    let lacking: Vec<&&SourcePartition> =
        wanted.iter().filter(|partition| find(&there, &partition.name).is_none()).collect();
    if source.has_partition_key() && !lacking.is_empty() {
        return Err(Problem::operator(format!(
            "collection {}.{} differs from {name} at the target: its partition key makes {} partitions at the source, {} \
             at the target; drop or rename the one at the target",
            source.db_name,
            source.name,
            source.partitions.len(),
            there.len()
        )));
    }
    creating.begin(source, name, &lacking).await?;
    let mut result = Counterparts::default();
    for partition in &lacking {
        let created =
            target.create_partition(&name.db, &name.collection, &partition.name, partition.created_ts).await;
        match created {
            Ok(()) => {
                tracing::info!(collection = %name, partition = partition.name, "created a partition at the target")
            }
            Err(error) => result
                .problems
                .push(Problem::from(error).of(format_args!("creating partition {name}.{}", partition.name))),
        }
    }
    if !lacking.is_empty() {
        there = target.partitions(&name.db, &name.collection).await?;
    }
    pair(name, wanted, &there, mapped, &mut result);
    Ok(result)
}

fn find<'a>(there: &'a [Partition], name: &str) -> Option<&'a Partition> {
    there.iter().find(|partition| partition.name == name)
}

fn pair(
    name: &TargetName,
    wanted: &[&SourcePartition],
    there: &[Partition],
    mapped: &BTreeMap<i64, PartitionMapping>,
    result: &mut Counterparts,
) {
    let taken: BTreeSet<i64> = mapped.values().map(|mapping| mapping.target_id).collect();
    for partition in wanted {
        let Some(counterpart) = find(there, &partition.name) else { continue };
        if taken.contains(&counterpart.id) {
            result.problems.push(Problem::operator(format!(
                "partition {} of {name} was dropped and created again at the source, and the target still has the old one \
                 with its rows: drop that one at the target",
                partition.name
            )));
            continue;
        }
        result.found.insert(partition.id, mapping(partition, counterpart));
    }
}

fn into_default(
    name: &TargetName,
    wanted: &[&SourcePartition],
    there: &[Partition],
    rules: PartitionRules<'_>,
) -> Result<Counterparts, Problem> {
    // A target may call it otherwise; it is made with the collection, so it has the least id.
    let default = find(there, rules.default_partition_name)
        .or_else(|| there.iter().min_by_key(|partition| partition.id))
        .ok_or_else(|| Problem::bug(format!("collection {name} has no partition at the target")))?;
    let found = wanted.iter().map(|partition| (partition.id, mapping(partition, default))).collect();
    Ok(Counterparts { found, problems: Vec::new() })
}

fn mapping(source: &SourcePartition, target: &Partition) -> PartitionMapping {
    PartitionMapping {
        source_name: source.name.clone(),
        target_id: target.id,
        target_name: target.name.clone(),
        dropped: false,
    }
}

/// A partition that is gone from the source: what is still on the log of it is discarded.
pub(super) fn dropped(source_name: &str) -> PartitionMapping {
    PartitionMapping {
        source_name: source_name.to_owned(),
        target_id: 0,
        target_name: String::new(),
        dropped: true,
    }
}
