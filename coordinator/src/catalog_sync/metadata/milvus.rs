//! Real targets: a client for each task, whose changes are counted.

use std::sync::Arc;

use async_trait::async_trait;
use harrier_milvus::catalog::SourceAccess;
use harrier_milvus::client::{
    ClientError, CollectionDescription, Endpoint, MetadataChange, MilvusClient, TargetIndex, TargetLoad,
};
use harrier_milvus::tso::Timestamp;

use super::super::Problem;
use super::super::milvus_target::{CountCalls, MilvusConnector};
use super::ports::{MetadataConnector, MetadataTarget};
use crate::registry::{Task, TaskId};

#[async_trait]
impl<F, C> MetadataConnector for MilvusConnector<F, C>
where
    F: Fn(&Task) -> Result<Endpoint, String> + Send + Sync + 'static,
    C: CountCalls,
{
    async fn connect_metadata(&self, task: &Task) -> Result<Arc<dyn MetadataTarget>, Problem> {
        let client = self.client(task).await?;
        Ok(Arc::new(MilvusMetadata { client, task_id: task.id.clone(), count: self.count() }))
    }
}

/// The target of one task.
struct MilvusMetadata<C> {
    client: MilvusClient,
    task_id: TaskId,
    count: Arc<C>,
}

#[async_trait]
impl<C: CountCalls> MetadataTarget for MilvusMetadata<C> {
    async fn describe_by_id(&self, db: &str, id: i64) -> Result<CollectionDescription, ClientError> {
        self.client.describe_collection_by_id(db, id).await
    }

    async fn describe(&self, db: &str, name: &str) -> Result<CollectionDescription, ClientError> {
        self.client.describe_collection(db, name).await
    }

    async fn databases(&self) -> Result<Vec<String>, ClientError> {
        self.client.list_databases().await
    }

    async fn collections(&self, db: &str) -> Result<Vec<String>, ClientError> {
        let listed = self.client.list_collections(db).await?;
        Ok(listed.into_iter().map(|collection| collection.name).collect())
    }

    async fn indexes(&self, db: &str, collection: &str) -> Result<Vec<TargetIndex>, ClientError> {
        self.client.list_indexes(db, collection).await
    }

    async fn load(&self, db: &str, collection: &str, id: i64) -> Result<TargetLoad, ClientError> {
        self.client.load_of(db, collection, id).await
    }

    async fn access(&self) -> Result<SourceAccess, ClientError> {
        self.client.access().await
    }

    async fn change(&self, change: &MetadataChange, at: Timestamp) -> Result<(), ClientError> {
        (self.count)(&self.task_id, change.name());
        self.client.change_metadata(change, at).await
    }
}
