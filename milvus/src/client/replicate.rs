//! The one call that carries data.

use std::time::Duration;

use harrier_proto::milvus::ReplicateMessageRequest;

use super::call::Options;
use super::status::{self, Call};
use super::{ClientError, MilvusClient, ReplicatePosition};

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The deadline that the target is told. It does not begin to execute a call after that, but what it has begun it
    /// finishes, and answers.
    pub begin_within: Duration,
    /// How long its answer is waited for: at least as long.
    pub answer_within: Duration,
}

impl From<Duration> for Patience {
    /// The same for both.
    fn from(timeout: Duration) -> Self {
        Self { begin_within: timeout, answer_within: timeout }
    }
}

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
        patience: Patience,
    ) -> Result<ReplicatePosition, ClientError> {
        let mut service = self.service();
        let begin_within = Some(patience.begin_within);
        let options = Options { db: "", timeout: patience.answer_within, begin_within };
        let answer =
            self.call(options, request, async |request| service.replicate_message(request).await).await?;
        status::check(Call::Replicate, answer.status.as_ref())?;
        ReplicatePosition::parse(&answer.position)
    }
}
