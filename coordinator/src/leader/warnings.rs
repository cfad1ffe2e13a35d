//! What an owner of a task should know although the task goes on.

use std::collections::BTreeMap;

use super::board::{split_sender_id, split_shard_id};
use super::foreign::ForeignWrites;
use super::utc::utc;
use crate::registry::{SenderId, ShardPhase, State};

/// The warnings of one task: who else wrote, within the last `shown_ms`, to the target channels that it writes to.
pub(crate) fn warnings_of(
    registry: &State,
    task_id: &str,
    foreign: &BTreeMap<SenderId, ForeignWrites>,
    (now_ms, shown_ms): (u64, u64),
) -> Vec<String> {
    let recent = foreign.iter().filter(|(_, writes)| now_ms < writes.seen_ms.saturating_add(shown_ms));
    let concerned = recent.filter(|(sender_id, _)| {
        registry.shards.iter().any(|(shard_id, shard)| {
            shard.sender_id == **sender_id
                && shard.phase != ShardPhase::Stopped
                && split_shard_id(shard_id).0 == task_id
        })
    });
    concerned.map(|(sender_id, writes)| foreign_write(sender_id, writes)).collect()
}

fn foreign_write(sender_id: &str, writes: &ForeignWrites) -> String {
    let channel = split_sender_id(sender_id).1;
    format!(
        "another writer wrote to channel {channel} of the target ({} messages, the last ones noticed at {}): a late \
         call of a worker that lost its lease, or another CDC. What such a call may have doubled was sent again. If \
         this goes on, look for a second CDC that replicates to this target",
        writes.messages,
        utc(writes.seen_ms),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::super::fixtures::{self, SENDER, TASK};
    use super::*;

    #[test]
    fn tasks_that_write_to_the_channel_are_warned_for_some_time() {
        let state = fixtures::running("w");
        let writes = ForeignWrites { messages: 3, seen_ms: 1_795_422_005_000 };
        let foreign = BTreeMap::from([(SENDER.to_owned(), writes)]);
        let warnings = |state: &State, task, now_ms| warnings_of(state, task, &foreign, (now_ms, 600_000));
        let found = warnings(&state, TASK, 1_795_422_006_000);
        assert_eq!(found.len(), 1);
        let channel = split_sender_id(SENDER).1;
        assert!(found[0].contains(&format!("{channel} of the target (3 messages")), "{found:?}");
        assert!(found[0].contains("2026-11-23T08:20:05Z"), "{found:?}");
        assert!(warnings(&state, "another", 1_795_422_006_000).is_empty());
        assert!(warnings(&state, TASK, 1_795_422_605_000).is_empty(), "its time is over");
    }
}
