//! Drops at the target. A name may lead to another object by the time a call arrives, so nothing is dropped by a name
//! that anybody else may take.

use harrier_proto::common::MsgType;
use harrier_proto::milvus::{
    DescribeCollectionRequest, DropCollectionRequest, DropPartitionRequest, ReleasePartitionsRequest,
    RenameCollectionRequest,
};

use super::call::replicated;
use super::collections::description;
use super::status::{self, Call};
use super::{ClientError, CollectionDescription, MilvusClient};
use crate::tso::Timestamp;

impl MilvusClient {
    /// What the target says of the collection of this id, whatever its name is now.
    ///
    /// # Errors
    /// `NotFound` without the collection; else as every call.
    pub async fn describe_collection_by_id(
        &self,
        db: &str,
        id: i64,
    ) -> Result<CollectionDescription, ClientError> {
        let mut service = self.service();
        let request = DescribeCollectionRequest {
            db_name: db.to_owned(),
            collection_id: id,
            ..DescribeCollectionRequest::default()
        };
        let answer = self
            .call(self.options(db), request, async |request| service.describe_collection(request).await)
            .await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        description(answer)
    }

    /// Gives a collection another name in its database.
    ///
    /// # Errors
    /// `NotFound` without the collection; else as every call.
    pub async fn rename_collection(
        &self,
        db: &str,
        from: &str,
        to: &str,
        msg_timestamp: Timestamp,
    ) -> Result<(), ClientError> {
        let mut service = self.service();
        let request = RenameCollectionRequest {
            base: Some(replicated(MsgType::RenameCollection, msg_timestamp)),
            db_name: db.to_owned(),
            old_name: from.to_owned(),
            new_name: to.to_owned(),
            new_db_name: db.to_owned(),
        };
        self.change(self.options(db), request, async |request| service.rename_collection(request).await).await
    }

    /// Drops a collection. Its data nodes learn of it from the data stream alone.
    ///
    /// # Errors
    /// As every call; a target without the collection may answer either way.
    pub async fn drop_collection(
        &self,
        db: &str,
        name: &str,
        msg_timestamp: Timestamp,
    ) -> Result<(), ClientError> {
        let mut service = self.service();
        let request = DropCollectionRequest {
            base: Some(replicated(MsgType::DropCollection, msg_timestamp)),
            db_name: db.to_owned(),
            collection_name: name.to_owned(),
        };
        self.change(self.options(db), request, async |request| service.drop_collection(request).await).await
    }

    /// Drops a partition. A loaded one is refused: release it before.
    ///
    /// # Errors
    /// As every call; a target without the partition may answer either way.
    pub async fn drop_partition(
        &self,
        db: &str,
        collection: &str,
        partition: &str,
        msg_timestamp: Timestamp,
    ) -> Result<(), ClientError> {
        let mut service = self.service();
        let request = DropPartitionRequest {
            base: Some(replicated(MsgType::DropPartition, msg_timestamp)),
            db_name: db.to_owned(),
            collection_name: collection.to_owned(),
            partition_name: partition.to_owned(),
        };
        self.change(self.options(db), request, async |request| service.drop_partition(request).await).await
    }

    /// Takes a partition out of memory; one that is not loaded is fine.
    ///
    /// # Errors
    /// As every call.
    pub async fn release_partition(
        &self,
        db: &str,
        collection: &str,
        partition: &str,
        msg_timestamp: Timestamp,
    ) -> Result<(), ClientError> {
        let mut service = self.service();
        let request = ReleasePartitionsRequest {
            base: Some(replicated(MsgType::ReleasePartitions, msg_timestamp)),
            db_name: db.to_owned(),
            collection_name: collection.to_owned(),
            partition_names: vec![partition.to_owned()],
        };
        self.change(self.options(db), request, async |request| service.release_partitions(request).await)
            .await
    }
}
