//! `SetLimits`: how fast a task, or a target, may be written.

use super::super::{Limited, Limits, Refusal, Reply, State};

pub(super) fn apply(state: &mut State, limited: &Limited, limits: Limits) -> Reply {
    let (known, id, all) = match limited {
        Limited::Task(id) => (state.tasks.contains_key(id), id, &mut state.task_limits),
        Limited::Target(id) => (state.targets.contains_key(id), id, &mut state.target_limits),
    };
    if !known {
        return Reply::Refused(match limited {
            Limited::Task(id) => Refusal::TaskNotFound(id.clone()),
            Limited::Target(_) => Refusal::Stale,
        });
    }
    if limits.is_none() {
        all.remove(id);
    } else {
        all.insert(id.clone(), limits);
    }
    Reply::Done
}

#[cfg(test)]
mod tests {
    use super::super::super::{Command, Limited, Limits, Refusal, Reply};
    use super::super::fixtures::{Bench, TARGET, TASK};

    fn set(bench: &mut Bench, limited: Limited, bytes_per_second: u64) -> Reply {
        bench.apply(Command::SetLimits { limited, limits: Limits { bytes_per_second, rows_per_second: 0 } })
    }

    #[test]
    fn they_are_set_changed_and_taken_away_and_end_with_the_task() {
        let mut bench = Bench::created();
        let of_task = || Limited::Task(TASK.into());
        assert_eq!(set(&mut bench, of_task(), 5), Reply::Done);
        assert_eq!(set(&mut bench, of_task(), 7), Reply::Done);
        assert_eq!(bench.state.task_limits[TASK].bytes_per_second, 7);
        assert_eq!(set(&mut bench, of_task(), 0), Reply::Done);
        assert!(bench.state.task_limits.is_empty());
        assert_eq!(set(&mut bench, Limited::Target(TARGET.into()), 9), Reply::Done);
        assert_eq!(set(&mut bench, Limited::Target("unknown".into()), 9), Reply::Refused(Refusal::Stale));
        set(&mut bench, of_task(), 5);
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        assert!(bench.state.task_limits.is_empty() && bench.state.target_limits.len() == 1);
        assert_eq!(set(&mut bench, of_task(), 5), Reply::Refused(Refusal::TaskNotFound(TASK.into())));
    }
}
