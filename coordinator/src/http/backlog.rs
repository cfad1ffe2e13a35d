//! How much of the source's log a task has yet to read, and how long that will take. An estimate, asked of the broker
//! when somebody asks for the task.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use harrier_milvus::log::Backlog;
use harrier_milvus::tso;
use serde_json::{Value, json};

use super::AppState;
use super::position::task_shards;
use crate::registry::{ShardPhase, TaskId, TaskState};

/// How long the broker may take; without an answer the bytes are left out.
const LOG_TIMEOUT: Duration = Duration::from_secs(1);
/// Channels that are asked for at the same time.
const CHANNELS_MAX: usize = 8;
/// An answer of the broker is good for so long.
const FRESH_MS: u64 = 2_000;
/// Speed is measured over at least this, and at most that.
const SPEED_MS_MIN: u64 = 2_000;
const SPEED_MS_MAX: u64 = 60_000;
/// Below this, in milliseconds, a task is as far as it can be: ticks are on their way.
const NOTHING_MS: u64 = 2_000;

/// What was seen of the tasks that were asked for.
#[derive(Debug, Default)]
pub(super) struct Backlogs(Mutex<BTreeMap<TaskId, Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// When, and up to which source time everything was at the target then: both in unix milliseconds.
    reached: VecDeque<(u64, u64)>,
    asked_ms: u64,
    backlog: Option<Backlog>,
}

/// The backlog of a task that runs and has a channel; `None` for others.
pub(super) async fn of(state: &AppState, task_id: &str) -> Option<Value> {
    let now_ms = state.now_ms();
    let (reached_ms, channels) = places(state, task_id)?;
    let (seconds_left, fresh) = state.backlogs.note(task_id, (now_ms, reached_ms));
    let backlog = match fresh {
        Some(known) => known,
        None => {
            let asked = tokio::time::timeout(LOG_TIMEOUT, ask(state, channels)).await.ok().flatten();
            state.backlogs.keep(task_id, now_ms, asked);
            asked
        }
    };
    Some(json!({
        "bytes": backlog.map(|backlog| backlog.bytes),
        "messages": backlog.map(|backlog| backlog.messages),
        "seconds_behind": now_ms.saturating_sub(reached_ms) / 1000,
        "seconds_left": seconds_left,
    }))
}

type Channels = BTreeMap<String, Vec<u8>>;

/// Up to when everything is at the target, and where each channel has to be read on.
fn places(state: &AppState, task_id: &str) -> Option<(u64, Channels)> {
    state.registry.read(|registry| {
        let task = registry.tasks.get(task_id).filter(|task| task.state == TaskState::Running)?;
        let mut channels = Channels::new();
        let mut reached = u64::MAX;
        let shards = task_shards(registry, &task.id).filter(|(_, shard)| shard.phase == ShardPhase::Active);
        for (vchannel, shard) in shards {
            reached = reached.min(shard.confirmed);
            let channel = vchannel.rsplit_once('_').map_or(vchannel, |(pchannel, _)| pchannel);
            let least = channels.entry(channel.to_owned()).or_insert_with(|| shard.position.clone());
            if state.source_log.compare(&shard.position, least) == Ordering::Less {
                least.clone_from(&shard.position);
            }
        }
        (!channels.is_empty()).then(|| (tso::physical_ms(reached), channels))
    })
}

/// `None` if the broker does not know of any of them.
async fn ask(state: &AppState, channels: Channels) -> Option<Backlog> {
    let asked = channels.into_iter().map(|(channel, position)| {
        let log = state.source_log.clone();
        async move { log.backlog(&channel, &position).await.ok().flatten() }
    });
    let answers: Vec<Option<Backlog>> =
        futures::stream::iter(asked).buffer_unordered(CHANNELS_MAX).collect().await;
    let sum = |sum: Backlog, one: Option<Backlog>| {
        let one = one?;
        Some(Backlog { messages: sum.messages + one.messages, bytes: sum.bytes + one.bytes })
    };
    answers.into_iter().try_fold(Backlog::default(), sum)
}

impl Backlogs {
    /// Notes how far a task is. Answers the seconds left, if it is known how fast it catches up, and what the broker
    /// said a moment ago.
    fn note(&self, task_id: &str, at: (u64, u64)) -> (Option<u64>, Option<Option<Backlog>>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, seen| seen.reached.back().is_some_and(|(ms, _)| at.0 < ms + 10 * SPEED_MS_MAX));
        let seen = all.entry(task_id.to_owned()).or_default();
        seen.reached.retain(|(ms, _)| at.0 < ms + SPEED_MS_MAX);
        let left = seconds_left(seen.reached.front().copied(), at);
        seen.reached.push_back(at);
        (left, (at.0 < seen.asked_ms + FRESH_MS).then_some(seen.backlog))
    }

    fn keep(&self, task_id: &str, now_ms: u64, backlog: Option<Backlog>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = all.get_mut(task_id) {
            (seen.asked_ms, seen.backlog) = (now_ms, backlog);
        }
    }
}

/// From two looks at it, each with the time and how far everything was: while the source's time goes on by a second, the
/// task has to gain on it. `None`: too early to say, or it does not gain.
fn seconds_left(before: Option<(u64, u64)>, (now_ms, reached_ms): (u64, u64)) -> Option<u64> {
    let behind_ms = now_ms.saturating_sub(reached_ms);
    if behind_ms <= NOTHING_MS {
        return Some(0);
    }
    let (then_ms, reached_then_ms) = before?;
    let took_ms = now_ms.checked_sub(then_ms).filter(|took_ms| *took_ms >= SPEED_MS_MIN)?;
    let gained_ms =
        reached_ms.checked_sub(reached_then_ms)?.checked_sub(took_ms).filter(|gained| *gained > 0)?;
    let left_ms = u128::from(behind_ms) * u128::from(took_ms) / u128::from(gained_ms);
    u64::try_from(left_ms / 1000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_how_fast_it_gains() {
        // An hour behind, and 5 s of log in each second: it gains 4.
        assert_eq!(seconds_left(Some((10_000_000, 6_400_000)), (10_010_000, 6_450_000)), Some(890));
        for (before, at, why) in [
            (None, (10_000_000, 6_400_000), "seen once"),
            (Some((10_000_000, 6_400_000)), (10_000_500, 6_500_000), "a moment ago"),
            (Some((10_000_000, 6_400_000)), (10_010_000, 6_410_000), "it does not gain"),
            (Some((10_000_000, 6_400_000)), (10_010_000, 6_300_000), "it went back"),
        ] {
            assert_eq!(seconds_left(before, at), None, "{why}");
        }
        assert_eq!(seconds_left(None, (10_000_000, 9_999_000)), Some(0));
    }
}
