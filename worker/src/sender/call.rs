//! One call to the target, within the lease.

use std::time::Duration;

use harrier_milvus::client::{ClientError, MilvusClient, ReplicatePosition};
use harrier_proto::milvus::ReplicateMessageRequest;

use crate::session::{BootInstant, Fence};

/// A shorter call than this is not worth starting: its deadline would come before most answers.
const CALL_MIN: Duration = Duration::from_millis(100);

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The target has all of it.
    Acknowledged { position: ReplicatePosition, messages: u64 },
    /// It certainly did nothing.
    NotSent(ClientError),
    /// It may have been executed, in whole or in part.
    Unknown(ClientError),
    /// There was no lease; nothing was sent.
    NoLease,
}

/// Sends one call. Its deadline ends within the lease, which is looked at right before.
pub(crate) async fn replicate(
    client: MilvusClient,
    request: ReplicateMessageRequest,
    fence: Fence,
    timeout_max: Duration,
) -> Outcome {
    let Some(timeout) = timeout_within(&fence, timeout_max) else { return Outcome::NoLease };
    let messages = request.msgs.len() as u64;
    match client.replicate(request, timeout).await {
        Ok(position) => Outcome::Acknowledged { position, messages },
        Err(error) if is_unknown(&error) => Outcome::Unknown(error),
        Err(error) => Outcome::NotSent(error),
    }
}

/// Whether anything of the call may have been executed. A message that is too large may have others before it.
fn is_unknown(error: &ClientError) -> bool {
    error.outcome_unknown() || matches!(error, ClientError::TooLarge { .. })
}

pub(crate) fn timeout_within(fence: &Fence, timeout_max: Duration) -> Option<Duration> {
    let left = fence.may_send_until()?.since(BootInstant::now());
    (left >= CALL_MIN).then(|| left.min(timeout_max))
}

/// Waits until a call may be made.
pub(crate) async fn lease(fence: &Fence) {
    if fence.allowed(CALL_MIN).await.is_err() {
        // Revoked for good: whoever revoked it ends this sender too.
        std::future::pending::<()>().await;
    }
}
