//! Names and meanings of the senders' own metrics.

use metrics::{counter, describe_counter};

const REPLAY_WINDOWS: &str = "harrier_worker_replay_windows_total";
const REPLAYED_ROWS: &str = "harrier_worker_replayed_rows_total";
const FOREIGN_MESSAGES: &str = "harrier_worker_foreign_messages_total";

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
