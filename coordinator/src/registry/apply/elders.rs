//! Tasks of one target whose patterns meet: what both select is the older one's. Pure.

use super::super::{State, Task};
use super::overlap::overlap;

/// Whether `other` goes before `task` where both select a collection.
fn is_elder(other: &Task, task: &Task) -> bool {
    (other.created_ms, &other.id) < (task.created_ms, &task.id)
}

/// Tasks to which `task_id` leaves what both select.
pub fn elders_of<'a>(state: &'a State, task_id: &str) -> impl Iterator<Item = &'a Task> + use<'a> {
    let task = state.tasks.get(task_id).filter(|task| task.spec.gives_way);
    let others = task.into_iter().flat_map(|task| state.tasks.values().map(move |other| (task, other)));
    others
        .filter(|(task, other)| {
            other.id != task.id && other.target_id == task.target_id && is_elder(other, task)
        })
        .map(|(_, other)| other)
}

/// What a task shares with others, a sentence each: who they are, and who has it.
pub fn shared_selections(state: &State, task_id: &str) -> Vec<String> {
    let Some(task) = state.tasks.get(task_id) else { return Vec::new() };
    let neighbours =
        state.tasks.values().filter(|other| other.id != task.id && other.target_id == task.target_id);
    let sentence = |other: &Task| {
        let what = overlap(&task.spec, &other.spec)?;
        let id = &other.id;
        Some(if is_elder(other, task) {
            format!(
                "the older task {id} selects some of the same collections ({what}): it replicates what both select"
            )
        } else {
            format!(
                "the task {id} selects some of the same collections ({what}): this one is older, and replicates what both select"
            )
        })
    };
    neighbours.filter_map(sentence).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, Refusal, Reply};
    use super::super::fixtures::{Bench, TARGET, spec, target, task};
    use super::*;

    fn create(bench: &mut Bench, id: &str, names: &[&str]) -> Reply {
        let mut task = task(id, spec(names));
        task.spec.gives_way = true;
        bench.apply(Command::CreateTask { task: Box::new(task), target: target(TARGET), task_count_max: 9 })
    }

    #[test]
    fn patterns_that_meet_leave_it_to_the_older_task_and_both_say_so() {
        let mut bench = Bench::new();
        assert_eq!(create(&mut bench, "z", &["orders_*"]), Reply::Done);
        assert_eq!(create(&mut bench, "a", &["*_old"]), Reply::Done);
        let elders = |id| elders_of(&bench.state, id).map(|task| task.id.as_str()).collect::<Vec<_>>();
        assert_eq!((elders("z"), elders("a")), (vec![], vec!["z"]));
        let (of_older, of_newer) =
            (shared_selections(&bench.state, "z"), shared_selections(&bench.state, "a"));
        assert!(of_older[0].contains("the task a ") && of_older[0].contains("default.*_old"), "{of_older:?}");
        assert!(of_newer[0].contains("the older task z "), "{of_newer:?}");
    }

    #[test]
    fn what_is_named_or_would_have_nothing_left_is_refused_with_the_other_task() {
        let mut bench = Bench::new();
        create(&mut bench, "older", &["orders_*"]);
        for (names, what) in [
            (&["orders_1"][..], "default.orders_1"),
            (&["orders_*"][..], "default.orders_*"),
            (&["orders_2026_*"][..], "default.orders_2026_* and default.orders_*"),
        ] {
            let refusal = Refusal::Overlap { other: "older".into(), what: what.into() };
            assert_eq!(create(&mut bench, "newer", names), Reply::Refused(refusal), "{names:?}");
        }
        assert_eq!(create(&mut bench, "wider", &["*"]), Reply::Done);
        assert_eq!(shared_selections(&bench.state, "older").len(), 1);
    }

    #[test]
    fn a_task_of_before_gives_no_way() {
        let mut bench = Bench::new();
        create(&mut bench, "older", &["orders_*"]);
        let strict = Command::CreateTask {
            task: Box::new(task("newer", spec(&["*_old"]))),
            target: target(TARGET),
            task_count_max: 9,
        };
        assert!(matches!(bench.apply(strict), Reply::Refused(Refusal::Overlap { .. })));
    }
}
