//! Why a task does not get on, in words for its owner.

use std::cmp::Ordering;

use harrier_milvus::error::ErrorClass;
use harrier_proto::harrier::v1::TaskError;

/// Longest message that is taken from a worker, in characters.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// What keeps a task, a sender or a shard from going on, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskReason {
    /// Who can make it go away.
    pub class: ErrorClass,
    /// What is the matter and what to do.
    pub message: String,
    /// Unix milliseconds.
    pub since_ms: u64,
}

impl TaskReason {
    /// What a worker says; `None` if it says nothing.
    pub(crate) fn from_wire(error: Option<TaskError>) -> Option<Self> {
        let error = error.filter(|error| !error.message.is_empty())?;
        let class = match error.class.as_str() {
            "transient" => ErrorClass::Transient,
            "operator" => ErrorClass::Operator,
            _ => ErrorClass::Bug,
        };
        let message = error.message.chars().take(MESSAGE_CHARS_MAX).collect();
        Some(Self { class, message, since_ms: error.since_ms })
    }

    /// The same trouble as before keeps its beginning. What passes by itself is the same whatever words it uses: a
    /// server that is away says it in many ways.
    pub(crate) fn continuing(mut self, former: Option<&Self>) -> Self {
        if let Some(former) = former
            && former.class == self.class
            && (former.message == self.message || self.class == ErrorClass::Transient)
        {
            self.since_ms = self.since_ms.min(former.since_ms);
        }
        self
    }
}

/// What an operator can mend first, what heals by itself last; among equals the oldest.
pub(crate) fn by_urgency(one: &TaskReason, other: &TaskReason) -> Ordering {
    let rank = |reason: &TaskReason| match reason.class {
        ErrorClass::Operator => 0,
        ErrorClass::Bug => 1,
        ErrorClass::Transient => 2,
    };
    (rank(one), one.since_ms, &one.message).cmp(&(rank(other), other.since_ms, &other.message))
}
