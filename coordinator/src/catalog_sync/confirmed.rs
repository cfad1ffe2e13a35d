//! A target that only a leader can change: each change is asked for after the group has confirmed, in a round that
//! began after the change was decided, that this node leads.
//!
//! A round of the sync takes as long as the target takes for its calls, and a leader may be deposed between any two of
//! them. What only reads is asked without that: a deposed leader that reads harms nobody.

use std::sync::Arc;

use async_trait::async_trait;
use harrier_milvus::client::{ClientError, CollectionDescription, NewCollection, Partition};
use harrier_milvus::tso::Timestamp;

use super::Names;
use super::ports::{Coordination, TargetCatalog};

/// A target, and the group that has to confirm its leader before each change.
pub(super) struct ConfirmedTarget {
    target: Arc<dyn TargetCatalog>,
    coordination: Arc<dyn Coordination>,
    names: Names,
}

impl ConfirmedTarget {
    pub(super) fn new(
        target: Arc<dyn TargetCatalog>,
        coordination: Arc<dyn Coordination>,
        names: Names,
    ) -> Self {
        Self { target, coordination, names }
    }

    async fn confirm(&self) -> Result<(), ClientError> {
        let confirmed = self.coordination.linearizable().await;
        confirmed.map_err(|problem| ClientError::NotAsked { reason: problem.message })
    }
}

#[async_trait]
impl TargetCatalog for ConfirmedTarget {
    async fn databases(&self) -> Result<Vec<String>, ClientError> {
        self.target.databases().await
    }

    async fn collections(&self, db: &str) -> Result<Vec<(String, i64)>, ClientError> {
        self.target.collections(db).await
    }

    async fn create_database(&self, db: &str, at: Timestamp) -> Result<(), ClientError> {
        self.confirm().await?;
        self.target.create_database(db, at).await
    }

    async fn describe_collection(&self, db: &str, name: &str) -> Result<CollectionDescription, ClientError> {
        self.target.describe_collection(db, name).await
    }

    async fn create_collection(&self, new: &NewCollection) -> Result<(), ClientError> {
        self.confirm().await?;
        self.target.create_collection(new).await
    }

    async fn partitions(&self, db: &str, collection: &str) -> Result<Vec<Partition>, ClientError> {
        self.target.partitions(db, collection).await
    }

    async fn create_partition(
        &self,
        db: &str,
        collection: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        self.confirm().await?;
        self.target.create_partition(db, collection, name, at).await
    }

    async fn describe_collection_by_id(
        &self,
        db: &str,
        id: i64,
    ) -> Result<CollectionDescription, ClientError> {
        self.target.describe_collection_by_id(db, id).await
    }

    async fn rename_collection(
        &self,
        db: &str,
        from: &str,
        to: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        let _names = self.names.lock().await;
        self.confirm().await?;
        self.target.rename_collection(db, from, to, at).await
    }

    async fn drop_collection(&self, db: &str, name: &str, at: Timestamp) -> Result<(), ClientError> {
        let _names = self.names.lock().await;
        self.confirm().await?;
        self.target.drop_collection(db, name, at).await
    }

    async fn drop_partition(
        &self,
        db: &str,
        collection: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        self.confirm().await?;
        self.target.drop_partition(db, collection, name, at).await
    }

    async fn release_partition(
        &self,
        db: &str,
        collection: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        self.confirm().await?;
        self.target.release_partition(db, collection, name, at).await
    }
}
