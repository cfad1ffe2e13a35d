//! `DeleteTask`: the task, its mappings and its shards go; senders and the target stay, because their clocks do.

use std::collections::BTreeMap;

use super::super::{Parting, Refusal, Reply, State, Task, parting_id};
use super::creations;
use super::inputs::{ChangedInputs, note_drops, remove};

pub(super) fn apply(state: &mut State, task_id: &str) -> Reply {
    let Some(task) = state.tasks.remove(task_id) else {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    };
    part(state, task);
    let mut changed = ChangedInputs::default();
    for shard_id in state.shards_of_task(task_id) {
        remove(state, &shard_id, &mut changed);
    }
    state.mappings.remove(task_id);
    state.metadata.remove(task_id);
    note_drops(state, task_id, &mut changed);
    state.drops.retain(|_, drop| drop.task_id != task_id);
    creations::forget(state, task_id, None);
    state.passed_over.remove(task_id);
    state.task_limits.remove(task_id);
    changed.bump(state);
    Reply::Done
}

/// Keeps what is needed of the task to finish at its target what it began.
fn part(state: &mut State, task: Task) {
    if !state.leaves_something(&task) {
        return;
    }
    let open = state.open_creations(&task.id);
    let deleted_ms = state.last_entry_ms;
    let id = parting_id(&task.id, task.created_ms);
    let parting = state.parting.entry(id).or_insert(Parting { task, deleted_ms, creations: BTreeMap::new() });
    parting.creations.extend(open);
}

/// `ForgetParting`.
pub(super) fn forget(state: &mut State, parting_id: &str) -> Reply {
    match state.parting.remove(parting_id) {
        Some(_) => Reply::Done,
        None => Reply::Refused(Refusal::Stale),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, Refusal, Reply};
    use super::super::fixtures::{Bench, SENDER, SHARD, TARGET, TASK, mapping, report};

    #[test]
    fn the_senders_clock_outlives_the_task() {
        let mut bench = Bench::running("worker-1");
        bench.checkpoint(report(&bench.state).clock(50).horizon(500));
        let version = bench.state.senders[SENDER].input_version;

        assert_eq!(bench.apply(Command::DeleteTask { task_id: TASK.into() }), Reply::Done);
        assert!(
            bench.state.tasks.is_empty() && bench.state.mappings.is_empty() && bench.state.shards.is_empty()
        );
        let sender = &bench.state.senders[SENDER];
        assert_eq!((sender.clock, sender.horizon, sender.input_version), (50, 500, version + 1));
        assert!(bench.state.targets.contains_key(TARGET));

        let again = bench.apply(Command::DeleteTask { task_id: TASK.into() });
        assert_eq!(again, Reply::Refused(Refusal::TaskNotFound(TASK.into())));
    }

    #[test]
    fn a_report_about_the_deleted_task_does_not_touch_its_successor_of_the_same_id() {
        let mut bench = Bench::running("worker-1");
        let late = report(&bench.state).stopped().clock(90).shard_end(b"far", 80, 0);
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        bench.create();
        bench.apply(Command::MapCollection { mapping: Box::new(mapping()) });

        bench.checkpoint(late);
        assert_eq!(bench.state.shards[SHARD].position, mapping().shards[0].start_position);
        assert!(bench.state.senders[SENDER].stopped);
    }
}
