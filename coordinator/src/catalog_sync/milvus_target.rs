//! Real targets: a client for each task, whose changes are counted.

use std::sync::Arc;

use async_trait::async_trait;
use harrier_milvus::client::{
    ClientError, CollectionDescription, Endpoint, MilvusClient, NewCollection, Partition,
};
use harrier_milvus::tso::Timestamp;

use super::Problem;
use super::ports::{Connector, TargetCatalog};
use crate::registry::{Task, TaskId};

/// Is told of every change that is asked of a target: for which task, and Milvus' name of the request.
pub trait CountCalls: Fn(&str, &'static str) + Send + Sync + 'static {}

impl<F: Fn(&str, &'static str) + Send + Sync + 'static> CountCalls for F {}

/// Opens real targets. `endpoint` turns a task into where to and with which secrets, or says what is wrong with them.
/// Every change that is asked of a target is told to `count`.
pub struct MilvusConnector<F, C> {
    endpoint: F,
    count: Arc<C>,
}

impl<F, C> MilvusConnector<F, C>
where
    F: Fn(&Task) -> Result<Endpoint, String> + Send + Sync + 'static,
    C: CountCalls,
{
    /// A connector over a function that finds the endpoint of a task.
    pub fn new(endpoint: F, count: C) -> Self {
        Self { endpoint, count: Arc::new(count) }
    }

    /// A client of a task's target, which is a standby.
    pub(super) async fn client(&self, task: &Task) -> Result<MilvusClient, Problem> {
        let endpoint = (self.endpoint)(task).map_err(Problem::operator)?;
        let client = MilvusClient::connect(&endpoint).await?;
        client.probe_standby().await?;
        Ok(client)
    }

    pub(super) fn count(&self) -> Arc<C> {
        Arc::clone(&self.count)
    }
}

#[async_trait]
impl<F, C> Connector for MilvusConnector<F, C>
where
    F: Fn(&Task) -> Result<Endpoint, String> + Send + Sync + 'static,
    C: CountCalls,
{
    async fn connect(&self, task: &Task) -> Result<Arc<dyn TargetCatalog>, Problem> {
        let client = self.client(task).await?;
        Ok(Arc::new(MilvusTarget { client, task_id: task.id.clone(), count: Arc::clone(&self.count) }))
    }
}

/// The target of one task.
struct MilvusTarget<C> {
    client: MilvusClient,
    task_id: TaskId,
    count: Arc<C>,
}

impl<C: CountCalls> MilvusTarget<C> {
    fn count(&self, api_type: &'static str) {
        (self.count)(&self.task_id, api_type);
    }
}

#[async_trait]
impl<C: CountCalls> TargetCatalog for MilvusTarget<C> {
    async fn databases(&self) -> Result<Vec<String>, ClientError> {
        self.client.list_databases().await
    }

    async fn collections(&self, db: &str) -> Result<Vec<(String, i64)>, ClientError> {
        let listed = self.client.list_collections(db).await?;
        Ok(listed.into_iter().map(|collection| (collection.name, collection.id)).collect())
    }

    async fn create_database(&self, db: &str, at: Timestamp) -> Result<(), ClientError> {
        self.count("CreateDatabase");
        self.client.create_database(db, at).await
    }

    async fn describe_collection(&self, db: &str, name: &str) -> Result<CollectionDescription, ClientError> {
        self.client.describe_collection(db, name).await
    }

    async fn create_collection(&self, new: &NewCollection) -> Result<(), ClientError> {
        self.count("CreateCollection");
        self.client.create_collection(new).await
    }

    async fn partitions(&self, db: &str, collection: &str) -> Result<Vec<Partition>, ClientError> {
        self.client.list_partitions(db, collection).await
    }

    async fn create_partition(
        &self,
        db: &str,
        collection: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        self.count("CreatePartition");
        self.client.create_partition(db, collection, name, at).await
    }

    async fn describe_collection_by_id(
        &self,
        db: &str,
        id: i64,
    ) -> Result<CollectionDescription, ClientError> {
        self.client.describe_collection_by_id(db, id).await
    }

    async fn rename_collection(
        &self,
        db: &str,
        from: &str,
        to: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        self.count("RenameCollection");
        self.client.rename_collection(db, from, to, at).await
    }

    async fn drop_collection(&self, db: &str, name: &str, at: Timestamp) -> Result<(), ClientError> {
        self.count("DropCollection");
        self.client.drop_collection(db, name, at).await
    }

    async fn drop_partition(
        &self,
        db: &str,
        collection: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        self.count("DropPartition");
        self.client.drop_partition(db, collection, name, at).await
    }

    async fn release_partition(
        &self,
        db: &str,
        collection: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        self.count("ReleasePartitions");
        self.client.release_partition(db, collection, name, at).await
    }
}
