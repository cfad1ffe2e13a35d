//! What the sync needs of the world: the source, the targets, and the coordinator around it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use harrier_milvus::catalog::{CatalogClient, CatalogError, NameHistory};
use harrier_milvus::client::{ClientError, CollectionDescription, NewCollection, Partition};
use harrier_milvus::tso::Timestamp;

use super::{MetadataProblem, Problem};
use crate::registry::{
    CollectionMapping, Command, DropId, DropStage, MetadataItem, PendingCreation, PendingDrop, Reply, State,
    Task, TaskId, UnfinishedCreation, shard_id,
};

/// Reads of the source that must be newer than something that was seen before.
#[async_trait]
pub trait SourceReads: Send + Sync + 'static {
    /// A timestamp above every one that the source has handed out until now.
    async fn timestamp_upper_bound(&self) -> Result<Timestamp, CatalogError>;

    /// Ids of the partitions of a collection that are there and not being dropped, from the quorum.
    async fn living_partitions(&self, collection_id: i64) -> Result<BTreeSet<i64>, CatalogError>;

    /// The names that a collection has had. By default none is known but the present one.
    async fn names_of(&self, _db_id: i64, _collection_id: i64) -> Result<NameHistory, CatalogError> {
        Ok(NameHistory::default())
    }
}

#[async_trait]
impl SourceReads for CatalogClient {
    async fn timestamp_upper_bound(&self) -> Result<Timestamp, CatalogError> {
        Self::timestamp_upper_bound(self).await
    }

    async fn living_partitions(&self, collection_id: i64) -> Result<BTreeSet<i64>, CatalogError> {
        Self::living_partitions(self, collection_id).await
    }

    async fn names_of(&self, db_id: i64, collection_id: i64) -> Result<NameHistory, CatalogError> {
        Self::names_of(self, db_id, collection_id).await
    }
}

/// The catalog of one target.
#[async_trait]
pub trait TargetCatalog: Send + Sync + 'static {
    /// Names of all databases.
    async fn databases(&self) -> Result<Vec<String>, ClientError>;
    /// Names and ids of all collections of a database.
    async fn collections(&self, db: &str) -> Result<Vec<(String, i64)>, ClientError>;
    /// Creates a database; one that exists already is fine.
    async fn create_database(&self, db: &str, at: Timestamp) -> Result<(), ClientError>;
    /// A collection by its name or an alias.
    async fn describe_collection(&self, db: &str, name: &str) -> Result<CollectionDescription, ClientError>;
    /// Creates a collection.
    async fn create_collection(&self, new: &NewCollection) -> Result<(), ClientError>;
    /// All partitions of a collection.
    async fn partitions(&self, db: &str, collection: &str) -> Result<Vec<Partition>, ClientError>;
    /// Creates a partition; one that exists already is fine.
    async fn create_partition(
        &self,
        db: &str,
        collection: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), ClientError>;
    /// A collection by its id, whatever its name is now.
    async fn describe_collection_by_id(
        &self,
        db: &str,
        id: i64,
    ) -> Result<CollectionDescription, ClientError>;
    /// Gives a collection another name.
    async fn rename_collection(
        &self,
        db: &str,
        from: &str,
        to: &str,
        at: Timestamp,
    ) -> Result<(), ClientError>;
    /// Drops a collection.
    async fn drop_collection(&self, db: &str, name: &str, at: Timestamp) -> Result<(), ClientError>;
    /// Drops a partition that is not loaded.
    async fn drop_partition(
        &self,
        db: &str,
        collection: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), ClientError>;
    /// Takes a partition out of memory.
    async fn release_partition(
        &self,
        db: &str,
        collection: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), ClientError>;
}

/// Opens the target of a task.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Connects with the task's credentials, and makes sure that it is a standby.
    async fn connect(&self, task: &Task) -> Result<Arc<dyn TargetCatalog>, Problem>;
}

/// A drop that is to be done at the target.
#[derive(Clone, Debug)]
pub struct DropWork {
    /// Its id.
    pub drop_id: DropId,
    /// The drop.
    pub drop: PendingDrop,
    /// No row of it can be on its way any more.
    pub has_left: bool,
}

/// Up to which source timestamp the target has everything of a collection, as committed; `None` without an input.
pub fn confirmed_of(state: &State, task_id: &str, source_collection_id: i64) -> Option<Timestamp> {
    let mapping = state.mappings.get(task_id)?.get(&source_collection_id)?;
    let shard_ids = mapping.shards.iter().map(|pair| shard_id(task_id, &pair.source_vchannel));
    shard_ids.filter_map(|id| state.shards.get(&id)).map(|shard| shard.confirmed).min()
}

/// Collections of the source that another task copies to the same target.
pub fn mapped_by_others(state: &State, task_id: &str) -> BTreeSet<i64> {
    let Some(target_id) = state.tasks.get(task_id).map(|task| &task.target_id) else {
        return BTreeSet::new();
    };
    let others = state.tasks.values().filter(|other| other.id != task_id && other.target_id == *target_id);
    let mappings = others.filter_map(|other| state.mappings.get(&other.id)).flatten();
    mappings.filter(|(_, mapping)| !mapping.dropped).map(|(source_id, _)| *source_id).collect()
}

/// Another number whenever something of a task's mappings is another.
pub fn mappings_version(state: &State, task_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (id, mapping) in state.mappings.get(task_id).into_iter().flatten() {
        (id, mapping.target_id, mapping.generation, mapping.dropped, &mapping.target_name).hash(&mut hasher);
        for (id, partition) in &mapping.partitions {
            (id, partition.target_id, partition.dropped).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// What a task is about to create, as the registry knows it.
pub fn creations_of(state: &State, task_id: &str) -> Vec<PendingCreation> {
    state.creations.values().filter(|creation| creation.task_id == task_id).cloned().collect()
}

impl DropWork {
    /// What is to be done for a task.
    pub fn of(state: &State, task_id: &str) -> Vec<Self> {
        let of_task = state.running_drops().filter(|(_, drop)| drop.task_id == task_id);
        let at_target = of_task.filter(|(_, drop)| drop.stage == DropStage::Leaving);
        let work = at_target.map(|(drop_id, drop)| Self {
            drop_id: drop_id.clone(),
            drop: drop.clone(),
            has_left: drop.has_left(&state.senders),
        });
        work.collect()
    }
}

/// The coordinator around the sync.
#[async_trait]
pub trait Coordination: Send + Sync + 'static {
    /// Tasks whose catalog is to be kept in step (initial and running ones), with the time of their creation.
    fn runnable(&self) -> BTreeMap<TaskId, u64>;
    /// A task, while it is to be kept in step.
    fn task(&self, task_id: &str) -> Option<Task>;
    /// Its mappings by source collection id, also dropped ones.
    fn mappings(&self, task_id: &str) -> BTreeMap<i64, CollectionMapping>;
    /// Up to which source timestamp the target has everything of a collection; `None` without an input.
    fn confirmed(&self, task_id: &str, source_collection_id: i64) -> Option<Timestamp>;
    /// Collections of the source that another task copies to the same target.
    fn mapped_by_others(&self, task_id: &str) -> BTreeSet<i64>;
    /// Tasks to which it leaves what both select.
    fn elders(&self, _task_id: &str) -> Vec<Task> {
        Vec::new()
    }
    /// Collections that are known to be none of a task's, whatever their names are: with these.
    fn passed_over(&self, _task_id: &str) -> BTreeMap<i64, String> {
        BTreeMap::new()
    }
    /// What is about to be created at the target, and has no mapping yet.
    fn creations(&self, task_id: &str) -> Vec<PendingCreation>;
    /// Creations of paused and of deleted tasks, of which nobody knows what the target has.
    fn unfinished_creations(&self) -> Vec<UnfinishedCreation>;
    /// What the target still has and the source has dropped.
    fn drops(&self, task_id: &str) -> Vec<DropWork>;
    /// Partitions that its shards wait for, by source collection id.
    fn missing_partitions(&self, task_id: &str) -> BTreeMap<i64, BTreeSet<i64>>;
    /// Collections that its shards hold because the target lost them, or partitions of them: by source id.
    fn lost(&self, task_id: &str) -> BTreeSet<i64>;
    /// Says what is the matter, and with which collections alone, and when it is tried again; nothing when all is well.
    fn set_problems(&self, task_id: &str, problems: &[Problem], next_try: Option<Duration>);
    /// What it has brought to its target besides collections and partitions.
    fn metadata(&self, task_id: &str) -> BTreeSet<MetadataItem>;
    /// Another number whenever its mappings may have changed.
    fn mappings_version(&self, task_id: &str) -> u64;
    /// Says what of the metadata is not at the target.
    fn set_metadata_problems(&self, task_id: &str, problems: &[MetadataProblem]);
    /// The target refused a change; `operation` is Milvus' name of the request.
    fn count_refused(&self, task_id: &str, operation: &'static str);
    /// Makes sure that this node leads now: nothing may be done at a target by a leader that was deposed.
    async fn linearizable(&self) -> Result<(), Problem>;
    /// Proposes a change of the registry.
    async fn propose(&self, command: Command) -> Result<Reply, Problem>;
}
