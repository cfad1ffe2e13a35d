//! Names and meanings of the senders' own metrics.

use metrics::{counter, describe_counter, describe_histogram, histogram};

const REPLAY_WINDOWS: &str = "harrier_worker_replay_windows_total";
const REPLAYED_ROWS: &str = "harrier_worker_replayed_rows_total";
const FOREIGN_MESSAGES: &str = "harrier_worker_foreign_messages_total";

/// See [`describe`].
pub(crate) const TICK_LAG: &str = "harrier_worker_tick_lag_seconds";
/// In seconds: fine where a worker that keeps up is, coarse where it catches up.
pub(crate) const TICK_LAG_BUCKETS: &[f64] = &[
    0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3,
    0.4, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
];

/// Says what each metric means.
pub(crate) fn describe() {
    describe_counter!(
        REPLAY_WINDOWS,
        "Times that a sender could not know what the target has, and sent it again"
    );
    describe_counter!(
        REPLAYED_ROWS,
        "Rows sent as deletion and insertion because the target might have had them"
    );
    describe_counter!(
        FOREIGN_MESSAGES,
        "Messages on target channels that their sender did not write (not known on RocksMQ)"
    );
    describe_histogram!(
        TICK_LAG,
        "How old a tick was, by this machine's clock, when the target had acknowledged it"
    );
}

pub(crate) fn replay_windows(opened: u64) {
    counter!(REPLAY_WINDOWS).increment(opened);
}

pub(crate) fn replayed_rows(rows: u64) {
    counter!(REPLAYED_ROWS).increment(rows);
}

pub(crate) fn foreign_messages(messages: u64) {
    counter!(FOREIGN_MESSAGES).increment(messages);
}

pub(crate) fn tick_lag(age_ms: u64) {
    histogram!(TICK_LAG).record(age_ms as f64 / 1000.0);
}
