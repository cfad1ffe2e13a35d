//! `TaskStarted`: the first round of the catalog sync is done.

use super::super::{Refusal, Reply, State, TaskState};

pub(super) fn apply(state: &mut State, task_id: &str) -> Reply {
    let now_ms = state.last_entry_ms;
    let Some(task) = state.tasks.get_mut(task_id) else {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    };
    match task.state {
        TaskState::Initial => {
            task.state = TaskState::Running;
            task.state_changed_ms = now_ms;
            Reply::Done
        }
        TaskState::Running => Reply::Done,
        // Only an operator resumes a task that was paused meanwhile.
        TaskState::Paused => Reply::Refused(Refusal::Stale),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, Refusal, Reply, TaskState};
    use super::super::fixtures::{Bench, TASK};

    #[test]
    fn only_an_initial_task_starts() {
        let mut bench = Bench::created();
        assert_eq!(bench.state.tasks[TASK].state, TaskState::Initial);
        let started = Command::TaskStarted { task_id: TASK.into() };
        assert_eq!(bench.apply(started.clone()), Reply::Done);
        assert_eq!(bench.state.tasks[TASK].state, TaskState::Running);
        assert_eq!(bench.apply(started.clone()), Reply::Done);

        bench.apply(Command::PauseTask { task_id: TASK.into() });
        assert_eq!(bench.apply(started), Reply::Refused(Refusal::Stale));
        assert_eq!(bench.state.tasks[TASK].state, TaskState::Paused);
    }
}
