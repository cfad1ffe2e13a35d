//! Brings what workers report into the registry: one entry per interval, at once for a last word.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::checkpoint;
use super::leading::Leading;
use super::pending::Reports;
use crate::registry::Command;

/// Runs until cancelled.
pub(crate) async fn run(leading: Arc<Leading>, cancelled: CancellationToken) {
    loop {
        tokio::select! {
            () = cancelled.cancelled() => return,
            () = tokio::time::sleep(leading.times.checkpoint_interval) => {}
            () = leading.commit_now.notified() => {}
        }
        let (number, batch) = {
            let mut pending = leading.shared.pending();
            if pending.is_empty() {
                continue;
            }
            pending.take()
        };
        if commit(&leading, &batch).await {
            leading.committed.send_replace(number + 1);
        } else {
            leading.shared.pending().put_back(batch);
            tokio::time::sleep(leading.times.plan_interval).await;
        }
    }
}

async fn commit(leading: &Leading, batch: &Reports) -> bool {
    let entries = leading.registry.read(|state| checkpoint::entries(state, batch));
    for senders in entries {
        let has_last_word = senders.iter().any(|sender| sender.stopped);
        if let Err(error) = leading.registry.propose(Command::Checkpoint { senders }).await {
            tracing::warn!(%error, "progress could not be committed, it is tried again");
            return false;
        }
        if has_last_word {
            leading.plan_now.notify_one();
        }
    }
    true
}
