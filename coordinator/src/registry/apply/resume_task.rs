//! `ResumeTask`: the task's shards come back, each from its own position and not yet caught up.

use super::super::{Refusal, Reply, State, TaskState};
use super::inputs::{ChangedInputs, activate, note_drops};

pub(super) fn apply(state: &mut State, task_id: &str) -> Reply {
    let now_ms = state.last_entry_ms;
    let Some(task) = state.tasks.get_mut(task_id) else {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    };
    if task.state != TaskState::Paused {
        return Reply::Refused(Refusal::TaskRunning(task_id.to_owned()));
    }
    task.state = TaskState::Running;
    task.state_changed_ms = now_ms;

    let mut changed = ChangedInputs::default();
    for shard_id in state.shards_of_task(task_id) {
        activate(state, &shard_id, &mut changed);
    }
    note_drops(state, task_id, &mut changed);
    changed.bump(state);
    Reply::Done
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, Refusal, Reply, ShardPhase, TaskState};
    use super::super::fixtures::{Bench, SENDER, TASK};

    #[test]
    fn resume_brings_the_shards_back_as_late_inputs_of_a_new_version() {
        let mut bench = Bench::mapped();
        bench.state.shards.values_mut().for_each(|shard| shard.joined = true);
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        let paused_version = bench.state.senders[SENDER].input_version;
        assert_eq!(bench.apply(Command::ResumeTask { task_id: TASK.into() }), Reply::Done);

        assert_eq!(bench.state.tasks[TASK].state, TaskState::Running);
        assert_eq!(bench.state.senders[SENDER].input_version, paused_version + 1);
        let shard = bench.shard();
        assert_eq!((shard.phase, shard.joined), (ShardPhase::Active, false));
        assert_eq!(shard.active_since, paused_version + 1);
    }

    #[test]
    fn refusals() {
        let mut bench = Bench::mapped();
        let running = bench.apply(Command::ResumeTask { task_id: TASK.into() });
        assert_eq!(running, Reply::Refused(Refusal::TaskRunning(TASK.into())));
        let unknown = bench.apply(Command::ResumeTask { task_id: "nobody".into() });
        assert_eq!(unknown, Reply::Refused(Refusal::TaskNotFound("nobody".into())));
    }
}
