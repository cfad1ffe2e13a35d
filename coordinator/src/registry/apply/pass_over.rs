//! `PassOver`: collections that a task's filter names by now and that are none of its, because they were not named when
//! that was decided.

use std::collections::BTreeMap;

use super::super::{Refusal, Reply, State};

/// Replaces what was known before.
pub(super) fn apply(state: &mut State, task_id: &str, collections: &BTreeMap<i64, String>) -> Reply {
    if !state.tasks.contains_key(task_id) {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    }
    if collections.is_empty() {
        state.passed_over.remove(task_id);
    } else {
        state.passed_over.insert(task_id.to_owned(), collections.clone());
    }
    Reply::Done
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::collections::BTreeMap;

    use super::super::super::{Command, Refusal, Reply};
    use super::super::fixtures::{Bench, TASK};

    fn pass_over(bench: &mut Bench, ids: &[i64]) -> Reply {
        let collections = ids.iter().map(|id| (*id, format!("default.c{id}"))).collect();
        bench.apply(Command::PassOver { task_id: TASK.into(), collections })
    }

    #[test]
    fn the_last_word_counts_and_goes_with_the_task() {
        let mut bench = Bench::created();
        assert_eq!(pass_over(&mut bench, &[7, 8]), Reply::Done);
        assert_eq!(pass_over(&mut bench, &[8]), Reply::Done);
        assert_eq!(bench.state.passed_over[TASK], BTreeMap::from([(8, "default.c8".to_owned())]));
        pass_over(&mut bench, &[]);
        assert!(bench.state.passed_over.is_empty());
        pass_over(&mut bench, &[8]);
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        assert!(bench.state.passed_over.is_empty());
        assert_eq!(pass_over(&mut bench, &[8]), Reply::Refused(Refusal::TaskNotFound(TASK.into())));
    }
}
