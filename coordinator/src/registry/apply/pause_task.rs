//! `PauseTask`: the task's shards leave their senders.

use super::super::{Refusal, Reply, State, TaskState};
use super::inputs::{ChangedInputs, note_drops, take_out};

pub(super) fn apply(state: &mut State, task_id: &str) -> Reply {
    let now_ms = state.last_entry_ms;
    let Some(task) = state.tasks.get_mut(task_id) else {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    };
    if task.state == TaskState::Paused {
        return Reply::Refused(Refusal::TaskPaused(task_id.to_owned()));
    }
    task.state = TaskState::Paused;
    task.state_changed_ms = now_ms;

    let mut changed = ChangedInputs::default();
    for shard_id in state.shards_of_task(task_id) {
        take_out(state, &shard_id, &mut changed);
    }
    note_drops(state, task_id, &mut changed);
    changed.bump(state);
    Reply::Done
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, Refusal, Reply, ShardPhase, TaskState};
    use super::super::fixtures::{Bench, SHARD, TASK, end_report, report};

    #[test]
    fn pause_waits_for_the_owners_final_word_and_remembers_the_horizon() {
        let mut bench = Bench::running("worker-1");
        bench.checkpoint(report(&bench.state).clock(50).horizon(500).shard_at(b"p1", 40));

        assert_eq!(bench.apply(Command::PauseTask { task_id: TASK.into() }), Reply::Done);
        assert_eq!(bench.state.tasks[TASK].state, TaskState::Paused);
        let shard = bench.shard();
        assert_eq!((shard.phase, shard.replay_until), (ShardPhase::Stopping, 500));

        bench.checkpoint(end_report(&bench.state, b"p2", 60, 7));
        let shard = bench.shard();
        assert_eq!((shard.phase, shard.replay_until), (ShardPhase::Stopped, 7));
        assert_eq!(shard.position, b"p2");
    }

    #[test]
    fn pause_without_an_owner_is_exact_at_once() {
        let mut bench = Bench::mapped();
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        assert_eq!((bench.shard().phase, bench.shard().replay_until), (ShardPhase::Stopped, 0));
    }

    #[test]
    fn a_resume_before_the_final_word_replays_up_to_the_horizon_of_that_moment() {
        let mut bench = Bench::running("worker-1");
        bench.checkpoint(report(&bench.state).clock(50).horizon(500).shard_at(b"p1", 40));
        let before_pause = report(&bench.state);
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        // The owner has not seen the pause yet and gets more room.
        bench.checkpoint(before_pause.clone().clock(500).horizon(900));
        bench.apply(Command::ResumeTask { task_id: TASK.into() });

        let shard = bench.shard();
        assert_eq!((shard.phase, shard.replay_until), (ShardPhase::Active, 900));
        assert_eq!(shard.position, b"p1");
    }

    #[test]
    fn a_final_word_from_before_a_resume_is_not_taken_for_the_end_of_the_next_pause() {
        let mut bench = Bench::running("worker-1");
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        let late = end_report(&bench.state, b"p2", 60, 0);
        bench.apply(Command::ResumeTask { task_id: TASK.into() });
        bench.checkpoint(report(&bench.state).clock(50).horizon(500).shard_at(b"p3", 70));
        bench.apply(Command::PauseTask { task_id: TASK.into() });

        bench.checkpoint(late);
        let shard = &bench.state.shards[SHARD];
        assert_eq!((shard.phase, shard.position.as_slice()), (ShardPhase::Stopping, b"p3".as_slice()));
        assert_eq!(shard.replay_until, 500);
    }

    #[test]
    fn refusals() {
        let mut bench = Bench::mapped();
        let unknown = bench.apply(Command::PauseTask { task_id: "nobody".into() });
        assert_eq!(unknown, Reply::Refused(Refusal::TaskNotFound("nobody".into())));
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        let again = bench.apply(Command::PauseTask { task_id: TASK.into() });
        assert_eq!(again, Reply::Refused(Refusal::TaskPaused(TASK.into())));
    }
}
