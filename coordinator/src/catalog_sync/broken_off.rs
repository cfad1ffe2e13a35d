//! Creations that were broken off because their task was paused or deleted, wherever that was in the middle.
//!
//! What the target has of them is told to the registry: its pchannels need their first tick, or the target's data node
//! watches nothing that is created later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use harrier_milvus::client::ClientError;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Problem;
use super::ports::TargetCatalog;
use super::round::{Tools, commit};
use crate::registry::{Command, DropId, PendingCreation, UnfinishedCreation};

/// How long the target may still execute a creation that was asked of it: the deadline of a call, and some more.
pub(super) const LATE: Duration = Duration::from_secs(15);

const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// An account and one of its creations.
type Key = (String, DropId);

/// Runs until cancelled.
pub(super) async fn run(tools: Arc<Tools>, mut applied: watch::Receiver<u64>, poll: Duration) {
    let mut known_since: BTreeMap<Key, Instant> = BTreeMap::new();
    let mut pause = BACKOFF_MIN;
    loop {
        applied.mark_unchanged();
        let work = tools.coordination.unfinished_creations();
        known_since.retain(|key, _| work.iter().any(|one| key_of(one) == *key));
        for one in &work {
            let since = *known_since.entry(key_of(one)).or_insert_with(Instant::now);
            if let Err(problem) = settle(&tools, one, since).await {
                let (task, reason) = (&one.task.id, problem.message);
                tracing::warn!(task, reason, "a creation that was broken off cannot be looked at yet");
            }
        }
        if work.is_empty() {
            pause = BACKOFF_MIN;
            tokio::select! {
                changed = applied.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(poll) => {}
            }
        } else {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }
}

fn key_of(one: &UnfinishedCreation) -> Key {
    (one.account.clone(), one.creation.id())
}

async fn settle(tools: &Tools, one: &UnfinishedCreation, since: Instant) -> Result<(), Problem> {
    tools.coordination.linearizable().await?;
    let target = tools.connector.connect(&one.task).await?;
    let target_pchannels = pchannels_of(&*target, &one.creation).await?;
    if target_pchannels.is_empty() && since.elapsed() < LATE {
        return Ok(());
    }
    let (account, id, target_id) = (one.account.clone(), one.creation.id(), one.task.target_id.clone());
    tracing::info!(account, creation = id, ?target_pchannels, "a creation was broken off");
    let command = Command::SettleCreation { account, id, target_id, target_pchannels };
    commit(&*tools.coordination, command).await
}

/// Where the target carries what was made of a creation; another collection of that name has nothing to do with it.
async fn pchannels_of(
    target: &dyn TargetCatalog,
    creation: &PendingCreation,
) -> Result<BTreeSet<String>, ClientError> {
    let found = match target.describe_collection(&creation.target_db, &creation.target_name).await {
        Ok(found) => found,
        Err(ClientError::NotFound { .. }) => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let is_it = found.name == creation.target_name && found.created_timestamp == creation.created_ts;
    let pchannels = found.shards.into_iter().filter(|_| is_it).map(|shard| shard.pchannel);
    Ok(pchannels.collect())
}
