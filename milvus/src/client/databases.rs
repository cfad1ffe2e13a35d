//! Databases of the target.

use harrier_proto::common::MsgType;
use harrier_proto::milvus::{CreateDatabaseRequest, ListDatabasesRequest};

use super::call::replicated;
use super::status::{self, Call};
use super::{ClientError, MilvusClient};
use crate::tso::Timestamp;

impl MilvusClient {
    /// The names of all databases that the token's user may see.
    ///
    /// # Errors
    /// As every call.
    pub async fn list_databases(&self) -> Result<Vec<String>, ClientError> {
        let mut service = self.service();
        let request = ListDatabasesRequest::default();
        let answer = self
            .call(self.options(""), request, async |request| service.list_databases(request).await)
            .await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        Ok(answer.db_names)
    }

    /// Creates a database; one that exists already is fine.
    ///
    /// # Errors
    /// As every call.
    pub async fn create_database(&self, db: &str, msg_timestamp: Timestamp) -> Result<(), ClientError> {
        let mut service = self.service();
        let request = CreateDatabaseRequest {
            base: Some(replicated(MsgType::CreateDatabase, msg_timestamp)),
            db_name: db.to_owned(),
            properties: Vec::new(),
        };
        // No database in the header: the target would look up the one that is only to come.
        let created = self
            .change(self.options(""), request, async |request| service.create_database(request).await)
            .await;
        match created {
            Err(ClientError::AlreadyExists { .. }) => Ok(()),
            other => other,
        }
    }
}
