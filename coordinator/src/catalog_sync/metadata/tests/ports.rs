//! What the loop sees of the world: source, registry and target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use harrier_milvus::catalog::{CatalogError, SourceAccess};
use harrier_milvus::client::{
    ClientError, CollectionDescription, MetadataChange, Missing, TargetIndex, TargetLoad,
};
use harrier_milvus::tso::Timestamp;
use harrier_proto::common::KeyValuePair;

use super::super::super::Problem;
use super::super::super::fixtures::description_of;
use super::super::super::metadata::{MetadataConnector, MetadataProblem, MetadataTarget};
use super::super::super::ports::{Coordination, DropWork, SourceReads, mappings_version};
use super::world::{A, B, UPPER_BOUND, World};
use crate::registry::{
    CollectionMapping, Command, MetadataItem, PendingCreation, Reply, Task, TaskId, TaskState,
    UnfinishedCreation,
};

#[async_trait]
impl MetadataConnector for World {
    async fn connect_metadata(&self, _task: &Task) -> Result<Arc<dyn MetadataTarget>, Problem> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl MetadataTarget for World {
    async fn describe_by_id(&self, _db: &str, id: i64) -> Result<CollectionDescription, ClientError> {
        let snapshot = self.source.borrow().snapshot.clone().unwrap();
        let source = snapshot.collections.get(&(id / 1_000));
        let missing = || ClientError::NotFound { what: Missing::Collection, reason: id.to_string() };
        let mut description = source.map(|source| description_of(source, id)).ok_or_else(missing)?;
        let properties = &self.inner().model.copies[&(id / 1_000)].properties;
        let pair = |(key, value): (&String, &String)| KeyValuePair { key: key.clone(), value: value.clone() };
        description.properties = properties.iter().map(pair).collect();
        Ok(description)
    }

    async fn describe(&self, db: &str, name: &str) -> Result<CollectionDescription, ClientError> {
        let alias = self.inner().model.aliases.get(name).copied();
        let id = match name {
            "a" => A,
            "b" => B,
            _ => alias.unwrap_or_default(),
        };
        self.describe_by_id(db, id * 1_000).await
    }

    async fn databases(&self) -> Result<Vec<String>, ClientError> {
        Ok(self.inner().model.databases.keys().cloned().collect())
    }

    async fn collections(&self, db: &str) -> Result<Vec<String>, ClientError> {
        Ok(self.inner().model.databases.get(db).cloned().unwrap_or_default())
    }

    async fn indexes(&self, _db: &str, collection: &str) -> Result<Vec<TargetIndex>, ClientError> {
        Ok(self.inner().model.copy(collection).indexes.values().cloned().collect())
    }

    async fn load(&self, _db: &str, collection: &str, _id: i64) -> Result<TargetLoad, ClientError> {
        Ok(self.inner().model.copy(collection).load.clone())
    }

    async fn access(&self) -> Result<SourceAccess, ClientError> {
        Ok(self.inner().model.access.clone())
    }

    async fn change(&self, change: &MetadataChange, _at: Timestamp) -> Result<(), ClientError> {
        self.effect(|world| {
            let mut inner = world.inner();
            inner.changes.push(change.clone());
            let MetadataChange::LoadCollection { collection, .. } = change else {
                return inner.model.change(change, &[]);
            };
            let mut partitions = vec!["_default".to_owned()];
            partitions.extend((collection == "a").then(|| "p".to_owned()));
            inner.model.change(change, &partitions)
        })
        .await
    }
}

#[async_trait]
impl SourceReads for World {
    async fn timestamp_upper_bound(&self) -> Result<Timestamp, CatalogError> {
        Ok(UPPER_BOUND)
    }

    async fn living_partitions(&self, _collection_id: i64) -> Result<BTreeSet<i64>, CatalogError> {
        Ok(BTreeSet::new())
    }
}

#[async_trait]
impl Coordination for World {
    fn runnable(&self) -> BTreeMap<TaskId, u64> {
        BTreeMap::new()
    }

    fn task(&self, task_id: &str) -> Option<Task> {
        let task = self.inner().registry.tasks.get(task_id).cloned();
        task.filter(|task| task.state != TaskState::Paused)
    }

    fn mappings(&self, task_id: &str) -> BTreeMap<i64, CollectionMapping> {
        self.inner().registry.mappings.get(task_id).cloned().unwrap_or_default()
    }

    fn confirmed(&self, _task_id: &str, _source_collection_id: i64) -> Option<Timestamp> {
        Some(if self.inner().held_back { 1 } else { UPPER_BOUND })
    }

    fn mapped_by_others(&self, _task_id: &str) -> BTreeSet<i64> {
        BTreeSet::new()
    }

    fn creations(&self, _task_id: &str) -> Vec<PendingCreation> {
        Vec::new()
    }

    fn unfinished_creations(&self) -> Vec<UnfinishedCreation> {
        Vec::new()
    }

    fn drops(&self, _task_id: &str) -> Vec<DropWork> {
        Vec::new()
    }

    fn missing_partitions(&self, _task_id: &str) -> BTreeMap<i64, BTreeSet<i64>> {
        BTreeMap::new()
    }

    fn lost(&self, _task_id: &str) -> BTreeSet<i64> {
        BTreeSet::new()
    }

    fn set_problems(&self, _task_id: &str, _problems: &[Problem], _next_try: Option<Duration>) {}

    fn metadata(&self, task_id: &str) -> BTreeSet<MetadataItem> {
        self.inner().registry.metadata.get(task_id).cloned().unwrap_or_default()
    }

    fn mappings_version(&self, task_id: &str) -> u64 {
        mappings_version(&self.inner().registry, task_id)
    }

    fn set_metadata_problems(&self, _task_id: &str, problems: &[MetadataProblem]) {
        self.inner().problems = problems.to_vec();
    }

    fn count_refused(&self, _task_id: &str, _operation: &'static str) {
        self.inner().refused += 1;
    }

    async fn linearizable(&self) -> Result<(), Problem> {
        Ok(())
    }

    async fn propose(&self, command: Command) -> Result<Reply, Problem> {
        Ok(self.effect(|world| world.apply(command)).await)
    }
}
