//! When a task that was paused or deleted writes no rows any more: a request that stops one answers not before.
//!
//! The registry stops a task at once, and its senders hear of it with their next beat. Until then they write: a client
//! that compares both clusters right after the answer, or writes to the target itself, would meet those rows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::AppState;
use crate::registry::{Sender, SenderId, ShardPhase};

/// Whether the owner of that epoch may still send what its inputs had before that version. Another epoch is given only
/// after a final word, or after the end of a lease.
const fn is_busy(sender: &Sender, epoch: u64, version: u64) -> bool {
    sender.epoch == epoch && !sender.has_settled(version)
}

impl AppState {
    /// The senders that may write rows of the task: those with a shard of it whose end is not known.
    pub(super) fn writers(&self, task_id: &str) -> BTreeSet<SenderId> {
        self.registry.read(|state| {
            let shards = state.shards_of_task(task_id);
            let shards = shards.iter().filter_map(|shard_id| state.shards.get(shard_id));
            let open = shards.filter(|shard| shard.phase != ShardPhase::Stopped);
            open.map(|shard| shard.sender_id.clone()).collect()
        })
    }

    /// Waits, after the command that took the task's shards from its `writers`, until none of them has anything of it
    /// on its way any more, `stop_wait_ms` at most. The data of the answer: nothing, or the senders that have not told
    /// by then.
    pub(super) async fn quiet(&self, task_id: &str, writers: BTreeSet<SenderId>) -> Value {
        let told: BTreeMap<SenderId, (u64, u64)> = self.registry.read(|state| {
            let known = writers.into_iter().filter_map(|sender_id| {
                let sender = state.senders.get(&sender_id)?;
                Some((sender_id, (sender.epoch, sender.input_version)))
            });
            known.collect()
        });
        let busy = || -> Vec<&SenderId> {
            self.registry.read(|state| {
                let busy = told.iter().filter(|(sender_id, (epoch, version))| {
                    state.senders.get(*sender_id).is_some_and(|sender| is_busy(sender, *epoch, *version))
                });
                busy.map(|(sender_id, _)| sender_id).collect()
            })
        };
        let mut applied = self.registry.applied();
        let quiet = async { while !busy().is_empty() && applied.changed().await.is_ok() {} };
        if tokio::time::timeout(Duration::from_millis(self.config.stop_wait_ms), quiet).await.is_ok() {
            return json!({});
        }
        let unsettled = busy();
        tracing::warn!(
            task_id,
            ?unsettled,
            "the task is stopped, but what these senders sent of it is not settled"
        );
        json!({ "unsettled_senders": unsettled })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_busy_until_it_told_or_was_given_away() {
        let owned = Sender { stopped: false, epoch: 3, ..Sender::new("target", "channel") };
        assert!(is_busy(&Sender { settled_version: 6, ..owned.clone() }, 3, 7));
        assert!(!is_busy(&Sender { settled_version: 7, ..owned.clone() }, 3, 7));
        assert!(!is_busy(&Sender { epoch: 4, ..owned.clone() }, 3, 7));
        assert!(!is_busy(&Sender { stopped: true, ..owned }, 3, 7));
    }
}
