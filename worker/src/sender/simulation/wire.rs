//! What a simulated sender and the world say to each other.

use harrier_milvus::tso::Timestamp;
use harrier_proto::milvus::ReplicateMessageRequest;

use super::channel::SimChannel;

/// Times and sizes of a simulated worker.
#[derive(Clone, Copy, Debug)]
pub struct SimTimes {
    /// As `worker.call_timeout_ms`.
    pub call_timeout_ms: u64,
    /// As `worker.target_settle_ms`.
    pub target_settle_ms: u64,
    /// As `worker.foreign_grace_ms`.
    pub foreign_grace_ms: u64,
    /// As `worker.target_clock_interval_ms`.
    pub target_clock_interval_ms: u64,
    /// As `worker.target_ahead_ms_max`.
    pub target_ahead_ms_max: u64,
    /// Wait after a failed call.
    pub backoff_ms: u64,
    /// As `worker.merge_bytes_max`.
    pub merge_bytes_max: usize,
    /// As `worker.call_bytes_max`; calls begin with that size.
    pub call_bytes_max: usize,
    /// As `worker.call_bytes_min`.
    pub call_bytes_min: usize,
    /// As `worker.call_patient_bytes_max`.
    pub call_patient_bytes_max: usize,
    /// As `worker.call_quick_ms`.
    pub call_quick_ms: u64,
    /// As `worker.reach_silence_ms`.
    pub reach_silence_ms: u64,
    /// As `worker.reach_probe_timeout_ms`.
    pub reach_probe_timeout_ms: u64,
    /// As `worker.reach_probe_interval_ms`.
    pub reach_probe_interval_ms: u64,
}

/// A call on its way to the target.
#[derive(Clone, Debug)]
pub struct Call {
    /// Identifies it, over all workers.
    pub id: u64,
    /// The sender that makes it; for a look the target.
    pub sender_id: String,
    /// Its epoch.
    pub epoch: u64,
    /// What it wants.
    pub ask: Ask,
    /// After so many milliseconds the target does not begin to execute it. The sender may wait longer for the answer.
    pub timeout_ms: u64,
}

/// What a call wants.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Messages are to be written.
    Replicate(Box<ReplicateMessageRequest>),
    /// Does it answer, and where does its clock stand?
    Clock,
    /// What grows is to be sealed.
    Flush,
    /// Is it there? On a connection of its own.
    Look,
}

impl Call {
    /// The messages that it carries.
    pub fn messages(&self) -> Option<&ReplicateMessageRequest> {
        match &self.ask {
            Ask::Replicate(request) => Some(request),
            Ask::Clock | Ask::Flush | Ask::Look => None,
        }
    }
}

/// What the target answers.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// All messages are written, the last one at this position; or it is flushed.
    Done {
        /// Messages on the channel.
        position: u64,
    },
    /// Its clock.
    Clock(Timestamp),
    /// It did nothing: what the call holds lies too far ahead of its clock, which is this one.
    Ahead(Timestamp),
    /// It did nothing.
    Refused,
    /// It is there.
    Here,
}

/// What a worker can reach from where it is.
pub trait Network {
    /// The logs that feed the channel of a sender; `None` if they cannot be reached.
    fn logs(&self, sender_id: &str) -> Option<&SimChannel>;
    /// Whether the source's log answers.
    fn reaches_log(&self) -> bool;
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64;
    /// Sends a call, whose id is not set yet; answers the id. What becomes of it is told, if at all, to
    /// [`super::SimWorker::answered`].
    fn send(&mut self, call: Call) -> u64;
    /// A sender has ended without waiting for what it had on its way, and somebody else may go on before that is over.
    fn abandoned(&mut self, sender_id: &str, epoch: u64);
}
