//! Names and meanings of the worker's own metrics.

use metrics::{counter, describe_counter, describe_gauge, gauge};

const BUFFERED_BYTES: &str = "harrier_worker_buffered_bytes";
const SENDERS: &str = "harrier_worker_senders";
const LEASE_HELD: &str = "harrier_worker_lease_held";
const HEARTBEAT_FAILURES: &str = "harrier_worker_heartbeat_failures_total";

/// Name and bounds of each histogram, for whoever installs the recorder: without bounds, quantiles of several
/// workers cannot be put together.
pub const HISTOGRAM_BUCKETS: &[(&str, &[f64])] =
    &[(crate::sender::metrics::TICK_LAG, crate::sender::metrics::TICK_LAG_BUCKETS)];

/// Says what each metric means.
pub(crate) fn describe() {
    crate::sender::metrics::describe();
    describe_gauge!(BUFFERED_BYTES, "Bytes of source messages held in memory");
    describe_gauge!(SENDERS, "Senders that run or are stopping on this worker");
    describe_gauge!(LEASE_HELD, "1 while the worker may send, 0 while it is silent");
    describe_counter!(HEARTBEAT_FAILURES, "Registrations and heartbeats that no coordinator answered");
}

/// What a heartbeat says of the worker.
pub(crate) fn load(buffered_bytes: u64, senders: usize) {
    gauge!(BUFFERED_BYTES).set(buffered_bytes as f64);
    gauge!(SENDERS).set(senders as f64);
}

/// Whether the worker may send.
pub(crate) fn lease_held(held: bool) {
    gauge!(LEASE_HELD).set(f64::from(u8::from(held)));
}

/// No coordinator answered.
pub(crate) fn heartbeat_failed() {
    counter!(HEARTBEAT_FAILURES).increment(1);
}
