//! The one call that carries data.

use std::time::Duration;

use harrier_proto::milvus::ReplicateMessageRequest;

use super::call::Options;
use super::status::{self, Call};
use super::{ClientError, MilvusClient, ReplicatePosition};

impl MilvusClient {
    /// Writes messages to a pchannel of the target, one after the other and not atomically.
    ///
    /// The target does not check `shardName`, partition ids or the channel's name: a wrong one makes it
    /// watch a channel that does not exist, and a later load of the collection then crashes a 2.3.5.
    ///
    /// # Errors
    /// As every call; `outcome_unknown()` says whether any of the messages may have been written.
    pub async fn replicate(
        &self,
        request: ReplicateMessageRequest,
        timeout: Duration,
    ) -> Result<ReplicatePosition, ClientError> {
        let mut service = self.service();
        let options = Options { db: "", timeout };
        let answer =
            self.call(options, request, async |request| service.replicate_message(request).await).await?;
        status::check(Call::Replicate, answer.status.as_ref())?;
        ReplicatePosition::parse(&answer.position)
    }
}
