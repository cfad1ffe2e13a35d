//! Names and meanings of the senders' own metrics.

use metrics::{counter, describe_counter, describe_histogram, histogram};

const REPLAY_WINDOWS: &str = "harrier_worker_replay_windows_total";
const REPLAYED_ROWS: &str = "harrier_worker_replayed_rows_total";
const FOREIGN_MESSAGES: &str = "harrier_worker_foreign_messages_total";

/// See [`describe`].
pub(crate) const TICK_LAG: &str = "harrier_worker_tick_lag_seconds";
/// In seconds: steps of 10 ms where a worker is that keeps up, coarse where it catches up.
pub(crate) const TICK_LAG_BUCKETS: &[f64] = &[
    0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17,
    0.18, 0.19, 0.2, 0.21, 0.22, 0.23, 0.24, 0.25, 0.26, 0.27, 0.28, 0.29, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6,
    0.7, 0.8, 0.9, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
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
