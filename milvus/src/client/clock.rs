//! The clock of the target.

use harrier_proto::milvus::AllocTimestampRequest;

use super::status::{self, Call};
use super::{ClientError, MilvusClient};
use crate::tso::Timestamp;

impl MilvusClient {
    /// A timestamp that the target has just taken from its own clock. A standby answers too.
    ///
    /// # Errors
    /// `Unsupported` from servers that have no such call; else as every call.
    pub async fn server_time(&self) -> Result<Timestamp, ClientError> {
        let mut service = self.service();
        let request = AllocTimestampRequest::default();
        let answer = self
            .call(self.options(""), request, async |request| service.alloc_timestamp(request).await)
            .await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        Ok(answer.timestamp)
    }
}
