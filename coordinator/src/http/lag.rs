//! How far behind something is. Computed when it is asked for, so that it rises when something is stuck.

use harrier_milvus::tso;

use super::position::task_shards;
use crate::registry::{ShardState, State, Task, TaskState};

/// Seconds since a time in unix milliseconds; 0 if it is yet to come.
pub(super) fn seconds_since(then_ms: u64, now_ms: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a lag are far below 2^53")]
    let elapsed_ms = now_ms.saturating_sub(then_ms) as f64;
    elapsed_ms / 1000.0
}

/// Seconds since the newest source time up to which everything of the shard is at the target; before the first one,
/// since its task was created.
pub(super) fn of_shard(task: &Task, shard: &ShardState, now_ms: u64) -> f64 {
    let reached_ms = if shard.confirmed == 0 { task.created_ms } else { tso::physical_ms(shard.confirmed) };
    seconds_since(reached_ms, now_ms)
}

/// The largest lag of the task's shards; without any, 0 once the task runs.
pub(super) fn of_task(registry: &State, task: &Task, now_ms: u64) -> f64 {
    let shards = task_shards(registry, &task.id).map(|(_, shard)| of_shard(task, shard, now_ms));
    let nothing_yet =
        if task.state == TaskState::Initial { seconds_since(task.created_ms, now_ms) } else { 0.0 };
    shards.fold(nothing_yet, f64::max)
}
