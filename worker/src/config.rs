//! The worker's configuration: plain data with defaults. Reading files and flags is the binary's part.

use serde::{Deserialize, Serialize};

/// The section `worker:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// Addresses (`host:port` or a URI) of the coordinators; the next is tried when one does not answer.
    pub coordinators: Vec<String>,
    /// Where `/metrics`, `/healthz` and `/readyz` are served; none = not at all.
    pub metrics_address: Option<String>,
    /// Source messages held in memory, over all senders, plus one message per reader.
    pub buffer_bytes_max: usize,
    /// Size to which Inserts of one shard and partition are merged.
    pub merge_bytes_max: usize,
    /// Size of one call to the target.
    pub call_bytes_max: usize,
    /// Size of the first calls to a target of which nothing is known; they grow with quick answers.
    pub call_bytes_start: usize,
    /// Calls to a target that is slow to answer become no smaller.
    pub call_bytes_min: usize,
    /// An answer within this time lets calls grow, in milliseconds.
    pub call_quick_ms: u64,
    /// Source messages that one sender holds beyond `buffer_bytes_max` while it waits for the tick that covers them.
    pub interval_bytes_max: usize,
    /// How often the target gets a tick.
    pub tick_interval_ms: u64,
    /// How long the answer to a call is waited for; longer than the lease lasts only while that is renewed, and only
    /// for calls of at most `call_patient_bytes_max`.
    pub call_timeout_ms: u64,
    /// The longest: it doubles with each of these that has no answer, until one has.
    pub call_timeout_ms_max: u64,
    /// Calls above this size are given up with the lease that they began with.
    pub call_patient_bytes_max: usize,
    /// What a new owner waits, after the target's first answer, before it sends.
    pub target_settle_ms: u64,
    /// What one read from the log asks for.
    pub read_batch_bytes_max: usize,
    /// First wait after a failure.
    pub backoff_ms_min: u64,
    /// Longest wait after repeated failures.
    pub backoff_ms_max: u64,
    /// First wait before a collection that the target refuses is tried again.
    pub hold_ms_min: u64,
    /// Longest wait before a collection that the target refuses is tried again.
    pub hold_ms_max: u64,
    /// How often the target is asked whether it still has the collections that are written to.
    pub target_check_interval_ms: u64,
    /// How long connecting to the target or a coordinator may take.
    pub connect_timeout_ms: u64,
    /// When a target or the source's log gave no sign for this time although something was expected of it, it is asked
    /// once more, on a new connection, in milliseconds.
    pub reach_silence_ms: u64,
    /// How long the answer to that is waited for, in milliseconds. Without one the coordinators are told.
    pub reach_probe_timeout_ms: u64,
    /// The least time from one such question to the next, in milliseconds; what does not answer is asked as often.
    pub reach_probe_interval_ms: u64,
    /// What nobody needs or asks for is asked no longer after this time, in milliseconds.
    pub reach_forget_ms: u64,
    /// How far ahead of its clock a sender asks to go, at least.
    pub lookahead_ms_min: u64,
    /// How often a target is asked for its clock, in milliseconds; every second while rows wait for it.
    pub target_clock_interval_ms: u64,
    /// How far ahead of the target's clock a call may lie, in milliseconds. From 2000 on the target refuses its rows
    /// (`dataCoord.segment.assignmentExpiration` there).
    pub target_ahead_ms_max: u64,
    /// After this time without a refusal, the size of messages that a target has refused doubles, in milliseconds.
    pub target_limit_probe_ms: u64,
    /// How long several messages at once that the sender of a target channel did not write may wait for an
    /// explanation, in milliseconds.
    pub foreign_grace_ms: u64,
    /// The same for a single message: the target writes one when it creates a collection, which explains it once the
    /// collection has got its partitions. In milliseconds.
    pub foreign_creation_grace_ms: u64,
    /// How long a shutdown waits for the senders to finish.
    pub drain_timeout_ms: u64,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            coordinators: vec!["127.0.0.1:8445".to_owned()],
            metrics_address: None,
            buffer_bytes_max: 64 << 20,
            merge_bytes_max: 4 << 20,
            call_bytes_max: 16 << 20,
            call_bytes_start: 1 << 20,
            call_bytes_min: 16 << 10,
            call_quick_ms: 500,
            interval_bytes_max: 8 << 20,
            tick_interval_ms: 200,
            call_timeout_ms: 5_000,
            call_timeout_ms_max: 60_000,
            call_patient_bytes_max: 256 << 10,
            target_settle_ms: 250,
            read_batch_bytes_max: 1 << 20,
            backoff_ms_min: 100,
            backoff_ms_max: 5_000,
            hold_ms_min: 1_000,
            hold_ms_max: 30_000,
            target_check_interval_ms: 5_000,
            connect_timeout_ms: 10_000,
            reach_silence_ms: 700,
            reach_probe_timeout_ms: 700,
            reach_probe_interval_ms: 1_000,
            reach_forget_ms: 600_000,
            lookahead_ms_min: 5_000,
            target_clock_interval_ms: 5_000,
            target_ahead_ms_max: 1_800,
            target_limit_probe_ms: 600_000,
            foreign_grace_ms: 5_000,
            foreign_creation_grace_ms: 30_000,
            drain_timeout_ms: 10_000,
        }
    }
}
