//! Whether a target takes replicated messages.

use harrier_proto::milvus::ReplicateMessageRequest;

use super::status::{self, Call};
use super::{ClientError, MilvusClient};

/// "Invalid parameter": a standby's answer to a message for no channel.
const INVALID_PARAMETER: i32 = 1100;

impl MilvusClient {
    /// Asks whether the target is a standby, without any effect: a `ReplicateMessage` for no channel.
    /// A standby complains about the channel name; any other server refuses the call as such.
    ///
    /// # Errors
    /// `NotStandby`, `Unsupported` or `Auth` if the target will not take messages; else as every call.
    pub async fn probe_standby(&self) -> Result<(), ClientError> {
        let mut service = self.service();
        let request = ReplicateMessageRequest::default();
        let answer = self
            .call(self.options(""), request, async |request| service.replicate_message(request).await)
            .await?;
        match status::check(Call::Replicate, answer.status.as_ref()) {
            Ok(()) | Err(ClientError::Rejected { code: INVALID_PARAMETER, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
