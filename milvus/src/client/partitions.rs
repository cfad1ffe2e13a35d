//! Partitions of the target's collections.

use harrier_proto::common::MsgType;
use harrier_proto::milvus::{CreatePartitionRequest, ShowPartitionsRequest};

use super::call::replicated;
use super::status::{self, Call};
use super::{ClientError, MilvusClient};
use crate::tso::Timestamp;

/// A partition of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// Its id at the target.
    pub id: i64,
    /// When it was created; for a replicated one, the time at the source that its creation named.
    pub created_timestamp: Timestamp,
}

impl MilvusClient {
    /// All partitions of a collection.
    ///
    /// # Errors
    /// `NotFound` without the collection; else as every call.
    pub async fn list_partitions(&self, db: &str, collection: &str) -> Result<Vec<Partition>, ClientError> {
        let mut service = self.service();
        let request = ShowPartitionsRequest {
            db_name: db.to_owned(),
            collection_name: collection.to_owned(),
            ..ShowPartitionsRequest::default()
        };
        let answer = self
            .call(self.options(db), request, async |request| service.show_partitions(request).await)
            .await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        if answer.partition_names.len() != answer.partition_i_ds.len() {
            return Err(ClientError::Malformed { reason: "partitions without ids".to_owned() });
        }
        let created = answer.created_timestamps.into_iter().chain(std::iter::repeat(0));
        Ok(answer
            .partition_names
            .into_iter()
            .zip(answer.partition_i_ds)
            .zip(created)
            .map(|((name, id), created_timestamp)| Partition { name, id, created_timestamp })
            .collect())
    }

    /// Creates a partition; one that exists already is fine. A collection with a partition key has its
    /// partitions from the start and refuses more.
    ///
    /// # Errors
    /// `NotFound` without the collection; else as every call.
    pub async fn create_partition(
        &self,
        db: &str,
        collection: &str,
        partition: &str,
        msg_timestamp: Timestamp,
    ) -> Result<(), ClientError> {
        let mut service = self.service();
        let request = CreatePartitionRequest {
            base: Some(replicated(MsgType::CreatePartition, msg_timestamp)),
            db_name: db.to_owned(),
            collection_name: collection.to_owned(),
            partition_name: partition.to_owned(),
        };
        let created = self
            .change(self.options(db), request, async |request| service.create_partition(request).await)
            .await;
        match created {
            Err(ClientError::AlreadyExists { .. }) => Ok(()),
            other => other,
        }
    }
}
