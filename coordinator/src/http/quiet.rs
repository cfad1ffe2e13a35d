//! When a task that was paused or deleted writes no rows any more: a request that stops one answers not before.
//!
//! The registry stops a task at once, and its senders hear of it with their next beat. Until then they write: a client
//! that compares both clusters right after the answer, or writes to the target itself, would meet those rows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::AppState;
use crate::registry::{Sender, SenderId, ShardPhase, State};

/// What the senders of a task had been given when it was stopped: epoch and input version of each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told(BTreeMap<SenderId, (u64, u64)>);

impl Told {
    /// The senders that may write rows of the task: those with a shard of it whose end is not known.
    pub(super) fn senders(state: &State, task_id: &str) -> Self {
        let shards =
            state.shards_of_task(task_id).into_iter().filter_map(|shard_id| state.shards.get(&shard_id));
        let open = shards.filter(|shard| shard.phase != ShardPhase::Stopped);
        Self(open.map(|shard| (shard.sender_id.clone(), (0, 0))).collect())
    }

    /// As these senders are now, after the command that took the task's shards from them.
    fn now(mut self, state: &State) -> Self {
        for (sender_id, told) in &mut self.0 {
            if let Some(sender) = state.senders.get(sender_id) {
                *told = (sender.epoch, sender.input_version);
            }
        }
        self
    }

    /// Those that may still write what they were given before.
    fn busy<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a SenderId> {
        let senders = self.0.iter().filter(|(sender_id, (epoch, version))| {
            state.senders.get(*sender_id).is_some_and(|sender| is_busy(sender, *epoch, *version))
        });
        senders.map(|(sender_id, _)| sender_id)
    }
}

/// Whether the owner of that epoch may still send what its inputs had before that version. Another epoch is given only
/// after a final word, or after the end of a lease.
const fn is_busy(sender: &Sender, epoch: u64, version: u64) -> bool {
    sender.epoch == epoch && !sender.stopped && sender.settled_version < version
}

impl AppState {
    /// Waits, after the command that stopped a task, until none of its senders has anything of it on its way any more,
    /// `stop_wait_ms` at most. The data of the answer: nothing, or the senders that have not told by then.
    pub(super) async fn quiet(&self, task_id: &str, told: Told) -> Value {
        let told = self.registry.read(|state| told.now(state));
        let mut applied = self.registry.applied();
        let quiet = async {
            loop {
                applied.borrow_and_update();
                if self.registry.read(|state| told.busy(state).next().is_none())
                    || applied.changed().await.is_err()
                {
                    return;
                }
            }
        };
        let limit = Duration::from_millis(self.config.stop_wait_ms);
        if tokio::time::timeout(limit, quiet).await.is_ok() {
            return json!({});
        }
        let unsettled: Vec<SenderId> = self.registry.read(|state| told.busy(state).cloned().collect());
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
