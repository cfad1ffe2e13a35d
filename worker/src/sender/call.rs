//! One call to the target, within the lease.

use std::time::Duration;

use harrier_milvus::client::{ClientError, MilvusClient, Patience, ReplicatePosition};
use harrier_milvus::tso::{self, Timestamp};
use harrier_proto::milvus::ReplicateMessageRequest;

use super::core::Subject;
use super::refusal::{Explained, explain, may_be_about_messages};
use crate::reach::Sign;
use crate::session::{BootInstant, Fence};

/// A shorter call than this is not worth starting: its deadline would come before most answers.
const CALL_MIN: Duration = Duration::from_millis(100);

/// A refused call that lies this far ahead of the target's clock was refused for that. The limit is 2 s, and some time
/// has passed since the refusal.
const AHEAD_MS_MIN: u64 = 1_500;

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The target has all of it.
    Acknowledged { position: ReplicatePosition },
    /// It certainly did nothing.
    NotSent(ClientError),
    /// It did nothing, because its timestamps lie too far ahead of the target's clock, which is this one.
    Ahead(Timestamp),
    /// It answered that it does not take what is in the call. Some of it may have been executed: the error says so.
    Refused(ClientError, Explained),
    /// It may have been executed, in whole or in part.
    Unknown(ClientError),
    /// There was no lease; nothing was sent.
    NoLease,
    /// The lease ended before the answer came.
    Lapsed,
}

impl Outcome {
    /// What it says of the target.
    pub(crate) fn sign(&self) -> Sign {
        match self {
            Self::Acknowledged { .. } | Self::Ahead(_) | Self::Refused(..) => Sign::Heard,
            Self::NotSent(error) | Self::Unknown(error) => sign_of(error),
            Self::NoLease | Self::Lapsed => Sign::Nothing,
        }
    }
}

/// What the outcome of a question says of the target.
pub(crate) fn sign<T>(outcome: &Result<T, ClientError>) -> Sign {
    outcome.as_ref().err().map_or(Sign::Heard, sign_of)
}

fn sign_of(error: &ClientError) -> Sign {
    match error {
        ClientError::Unavailable { .. } | ClientError::Deadline { .. } => Sign::Nobody,
        ClientError::Endpoint { .. } | ClientError::NotAsked { .. } => Sign::Nothing,
        _ => Sign::Heard,
    }
}

/// How long calls are waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallTimes {
    /// No call longer than this.
    pub timeout_max: Duration,
    /// Calls above this size, in bytes, no longer than the lease lasts that they began with.
    pub patient_bytes_max: usize,
}

impl CallTimes {
    /// For a call of so many bytes, with so much left of the lease.
    ///
    /// What the target is told ends within the lease: it does not begin what it gets later. Waiting longer for the answer
    /// is harmless as long as the lease is renewed, for whoever takes over waits for its end. Not so for a large call:
    /// its last bytes may still lie in buffers when the process that had the lease is gone.
    pub(crate) fn patience(&self, call_bytes: usize, left: Duration) -> Patience {
        let begin_within = left.min(self.timeout_max);
        let patient = call_bytes <= self.patient_bytes_max;
        Patience { begin_within, answer_within: if patient { self.timeout_max } else { begin_within } }
    }
}

/// Sends one call, about `subject` if that is one collection. The lease is looked at right before, and the call is given
/// up when it ends.
pub(crate) async fn replicate(
    client: MilvusClient,
    (request, subject): (ReplicateMessageRequest, Option<Subject>),
    fence: Fence,
    times: CallTimes,
) -> Outcome {
    let Some(left) = timeout_within(&fence, times.timeout_max) else { return Outcome::NoLease };
    let end_ts = request.end_ts;
    let patience = times.patience(bytes_of(&request), left);
    let answer = tokio::select! {
        // In this order: an answer that is there counts.
        biased;
        answer = client.replicate(request, patience) => answer,
        () = fence.ended() => return Outcome::Lapsed,
    };
    match answer {
        Ok(position) => Outcome::Acknowledged { position },
        Err(error) if may_be_about_messages(&error) => {
            refused(&client, error, end_ts, subject.as_ref()).await
        }
        Err(error) if is_unknown(&error) => Outcome::Unknown(error),
        Err(error) => Outcome::NotSent(error),
    }
}

/// The target says the same of a collection that it does not know as of a call that lies too far ahead of its clock.
async fn refused(
    client: &MilvusClient,
    error: ClientError,
    end_ts: Timestamp,
    subject: Option<&Subject>,
) -> Outcome {
    if let ClientError::NoSegment { .. } = error
        && let Ok(clock) = client.server_time().await
        && tso::physical_ms(end_ts) > tso::physical_ms(clock).saturating_add(AHEAD_MS_MIN)
    {
        return Outcome::Ahead(clock);
    }
    let explained = explain(client, &error, subject).await;
    Outcome::Refused(error, explained)
}

/// Whether anything of the call may have been executed. A message that is too large may have others before it.
fn is_unknown(error: &ClientError) -> bool {
    error.outcome_unknown() || matches!(error, ClientError::TooLarge { .. })
}

/// About what a call takes on the wire.
pub(crate) fn bytes_of(request: &ReplicateMessageRequest) -> usize {
    request.msgs.iter().map(bytes::Bytes::len).sum()
}

/// What is left of the lease, at most `timeout_max`; none if that is not worth a call.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Lease;

    #[test]
    fn the_deadline_of_a_call_lies_within_the_lease() {
        let (lease, longest) = (Lease::new(), Duration::from_secs(5));
        let fence = lease.fence();
        assert_eq!(timeout_within(&fence, longest), None, "without a lease there is no call");
        lease.renew(BootInstant::now() + CALL_MIN / 2);
        assert_eq!(timeout_within(&fence, longest), None, "what is left is too short for an answer");
        let end = BootInstant::now() + Duration::from_secs(2);
        lease.renew(end);
        let timeout = timeout_within(&fence, longest).unwrap_or_default();
        assert!(timeout >= CALL_MIN && BootInstant::now() + timeout <= end + Duration::from_millis(50));
        lease.renew(BootInstant::now() + Duration::from_secs(60));
        assert_eq!(timeout_within(&fence, longest), Some(longest));
        fence.revoke();
        assert_eq!(timeout_within(&fence, longest), None, "an epoch that was replaced calls no more");
    }
}
