//! What the metadata sync needs of a target.

use std::sync::Arc;

use async_trait::async_trait;
use harrier_milvus::catalog::SourceAccess;
use harrier_milvus::client::{ClientError, CollectionDescription, MetadataChange, TargetIndex, TargetLoad};
use harrier_milvus::tso::Timestamp;

use super::super::Problem;
use crate::registry::Task;

/// The metadata of one target.
#[async_trait]
pub trait MetadataTarget: Send + Sync + 'static {
    /// A collection by its id, whatever its name is now.
    async fn describe_by_id(&self, db: &str, id: i64) -> Result<CollectionDescription, ClientError>;
    /// A collection by its name or an alias.
    async fn describe(&self, db: &str, name: &str) -> Result<CollectionDescription, ClientError>;
    /// Names of all databases.
    async fn databases(&self) -> Result<Vec<String>, ClientError>;
    /// Names of all collections of a database.
    async fn collections(&self, db: &str) -> Result<Vec<String>, ClientError>;
    /// All indexes of a collection.
    async fn indexes(&self, db: &str, collection: &str) -> Result<Vec<TargetIndex>, ClientError>;
    /// What of a collection is loaded, or being loaded.
    async fn load(&self, db: &str, collection: &str, id: i64) -> Result<TargetLoad, ClientError>;
    /// Users, roles and grants.
    async fn access(&self) -> Result<SourceAccess, ClientError>;
    /// Makes one change, at a time of the source.
    async fn change(&self, change: &MetadataChange, at: Timestamp) -> Result<(), ClientError>;
}

/// Opens the target of a task.
#[async_trait]
pub trait MetadataConnector: Send + Sync + 'static {
    /// Connects with the task's credentials, and makes sure that it is a standby.
    async fn connect_metadata(&self, task: &Task) -> Result<Arc<dyn MetadataTarget>, Problem>;
}
