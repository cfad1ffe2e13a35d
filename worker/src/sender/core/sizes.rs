//! Sizes that the target refuses, and what follows from a refusal.
//!
//! Two kinds of limits meet here. `merge_bytes_max` is ours: merging stops there, and a source message that is larger
//! passes as it is. What the target's log takes is learned from its refusals: nothing larger goes out, and a source
//! message above it is split by rows. The largest message of a refused call is certainly too large, so each refusal
//! halves what is known, until the largest is a single row: then the error is one of that row.

use bytes::Bytes;
use thiserror::Error;

use super::Core;
use crate::message::{self, SplitRefusal};

/// Splitting takes columns apart: only for calls that had to become smaller than this, in bytes.
const SPLIT_BELOW: usize = 512 << 10;

/// What becomes smaller after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Smaller {
    /// Messages are at most this large from now on, unless a single row is larger.
    Message { bytes_max: usize },
    /// Calls are at most this large from now on.
    Call { bytes_max: usize },
}

/// A message that the target refuses and that cannot be made smaller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{what} of {bytes} bytes is larger than what the target takes{}: raise the limit of the target's log (Pulsar: maxMessageSize, Kafka: message.max.bytes of the topic and of the producer, NATS: natsmq.server.maxPayload)",
    .why.as_ref().map(|why| format!(" and cannot be split because {why}")).unwrap_or_default()
)]
pub(crate) struct Indivisible {
    what: &'static str,
    bytes: usize,
    why: Option<SplitRefusal>,
}

impl Core {
    /// The target refused the call on its way as too large: because of one of its messages (`of_message`), or as a whole.
    /// What was in it has to be sent again; this only makes it smaller.
    pub(crate) fn on_too_large(&mut self, of_message: bool) -> Result<Smaller, Indivisible> {
        let call =
            self.flights.front().filter(|flight| flight.awaiting).and_then(|flight| flight.calls.front());
        let Some(call) = call else { return Ok(Smaller::Call { bytes_max: self.call_bytes_limit }) };
        if !of_message && call.messages.len() > 2 {
            // More than one message and a tick.
            let bytes_max = (call.bytes() / 2).min(self.config.call_bytes_max);
            self.config.call_bytes_max = bytes_max;
            self.call_bytes_limit = self.call_bytes_limit.min(bytes_max);
            return Ok(Smaller::Call { bytes_max });
        }
        let largest = call.messages.iter().max_by_key(|message| message.bytes.len());
        let largest = largest.map(|message| message.bytes.clone()).unwrap_or_default();
        is_divisible(&largest)?;
        let bytes_max = self.message_bytes_max.map_or(largest.len(), |known| known.min(largest.len())) / 2;
        self.message_bytes_max = Some(bytes_max);
        Ok(Smaller::Message { bytes_max })
    }

    /// What is known of the target: it takes no larger messages; none = it has refused none.
    pub(crate) fn limit_messages(&mut self, bytes_max: Option<usize>) {
        self.message_bytes_max = bytes_max;
    }

    /// Source messages above this are split. A target that takes only little in time gets no call that is larger for a
    /// single message's sake.
    pub(super) fn largest_message(&self) -> Option<usize> {
        let slow = (self.call_bytes_limit < SPLIT_BELOW).then_some(self.call_bytes_limit);
        [self.message_bytes_max, slow].into_iter().flatten().min()
    }
}

/// A source message as parts of at most `bytes_max`, unless a row is larger. What cannot be split stays whole: the target
/// says whether it takes it.
pub(super) fn parts(payload: &Bytes, bytes_max: Option<usize>) -> Vec<Bytes> {
    match bytes_max.map(|bytes_max| message::split_rows(payload, bytes_max)) {
        Some(Ok(parts)) => parts,
        Some(Err(_)) | None => vec![payload.clone()],
    }
}

fn is_divisible(message: &Bytes) -> Result<(), Indivisible> {
    let bytes = message.len();
    match message::split_rows(message, bytes / 2) {
        Ok(parts) if parts.len() > 1 => Ok(()),
        Ok(_) => Err(Indivisible { what: "a single row", bytes, why: None }),
        Err(why) => Err(Indivisible { what: "a message", bytes, why: Some(why) }),
    }
}
