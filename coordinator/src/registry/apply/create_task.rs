//! `CreateTask`: a new task, if it is allowed next to those that exist.

use super::super::target::find_target;
use super::super::{Refusal, Reply, State, Target, TargetId, Task, TaskState};
use super::overlap::{conflict, overlap};

pub(super) fn apply(state: &mut State, task: &Task, target: &Target, task_count_max: u32) -> Reply {
    if let Some(existing) = state.tasks.get(&task.id) {
        return Reply::Existing(Box::new(existing.clone()));
    }
    if state.tasks.len() >= task_count_max as usize {
        return Reply::Refused(Refusal::TooManyTasks(task_count_max));
    }
    // Two requests for a new cluster may run side by side, each with an id of its own for it.
    let target_id = find_target(&state.targets, target).unwrap_or_else(|| target.id.clone());
    let neighbours = state.tasks.values().filter(|other| other.target_id == target_id);
    for other in neighbours {
        let refuse = if task.spec.gives_way { conflict } else { overlap };
        if let Some(what) = refuse(&task.spec, &other.spec) {
            return Reply::Refused(Refusal::Overlap { other: other.id.clone(), what });
        }
    }
    merge_target(state, &target_id, target);

    let mut task = task.clone();
    task.target_id = target_id;
    task.state = if task.spec.disable_auto_start { TaskState::Paused } else { TaskState::Initial };
    task.created_ms = state.last_entry_ms;
    task.state_changed_ms = state.last_entry_ms;
    state.tasks.insert(task.id.clone(), task);
    Reply::Done
}

fn merge_target(state: &mut State, target_id: &TargetId, seen: &Target) {
    let known = state.targets.entry(target_id.clone()).or_insert_with(|| Target {
        id: target_id.clone(),
        addresses: Default::default(),
        collection_ids: Default::default(),
    });
    known.addresses.extend(seen.addresses.iter().cloned());
    known.collection_ids.extend(&seen.collection_ids);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, Refusal, Reply, TaskState};
    use super::super::fixtures::{Bench, TARGET, TASK, spec, target, task};

    fn create(bench: &mut Bench, id: &str, names: &[&str]) -> Reply {
        bench.apply(Command::CreateTask {
            task: Box::new(task(id, spec(names))),
            target: target(TARGET),
            task_count_max: 3,
        })
    }

    #[test]
    fn times_and_state_come_from_the_entry() {
        let mut bench = Bench::new();
        bench.now_ms = 7_000;
        assert_eq!(create(&mut bench, "a", &["x"]), Reply::Done);
        let created = &bench.state.tasks["a"];
        assert_eq!((created.state, created.created_ms), (TaskState::Initial, bench.state.last_entry_ms));

        let mut paused = task("b", spec(&["y"]));
        paused.spec.disable_auto_start = true;
        bench.apply(Command::CreateTask {
            task: Box::new(paused),
            target: target(TARGET),
            task_count_max: 3,
        });
        assert_eq!(bench.state.tasks["b"].state, TaskState::Paused);
    }

    #[test]
    fn an_existing_id_is_returned_unchanged() {
        let mut bench = Bench::created();
        let before = bench.state.tasks.clone();
        let reply = create(&mut bench, TASK, &["something else"]);
        assert_eq!(reply, Reply::Existing(Box::new(before[TASK].clone())));
        assert_eq!(bench.state.tasks, before);
    }

    #[test]
    fn limits_and_overlaps_are_refused() {
        let mut bench = Bench::new();
        create(&mut bench, "a", &["x"]);
        let overlap = Refusal::Overlap { other: "a".into(), what: "default.x".into() };
        assert_eq!(create(&mut bench, "b", &["*"]), Reply::Refused(overlap));
        create(&mut bench, "b", &["y"]);
        create(&mut bench, "c", &["z"]);
        assert_eq!(create(&mut bench, "d", &["w"]), Reply::Refused(Refusal::TooManyTasks(3)));
        assert_eq!(bench.state.tasks.len(), 3);
    }

    #[test]
    fn another_target_may_have_the_same_collection() {
        let mut bench = Bench::new();
        create(&mut bench, "a", &["x"]);
        let mut elsewhere = target("00000000000000bb");
        elsewhere.addresses = ["elsewhere:19530".to_owned()].into();
        elsewhere.collection_ids = [999].into();
        let reply = bench.apply(Command::CreateTask {
            task: Box::new(task("b", spec(&["x"]))),
            target: elsewhere,
            task_count_max: 3,
        });
        assert_eq!(reply, Reply::Done);
        assert_eq!(bench.state.tasks["b"].target_id, "00000000000000bb");
    }

    #[test]
    fn one_cluster_under_two_addresses_is_one_target() {
        let mut bench = Bench::new();
        create(&mut bench, "a", &["x"]);
        let mut same = target("00000000000000bb");
        same.addresses = ["other-name:19530".to_owned()].into();
        let reply = bench.apply(Command::CreateTask {
            task: Box::new(task("b", spec(&["y"]))),
            target: same,
            task_count_max: 3,
        });
        assert_eq!(reply, Reply::Done);
        assert_eq!(bench.state.tasks["b"].target_id, TARGET);
        assert_eq!(bench.state.targets.len(), 1);
        assert_eq!(bench.state.targets[TARGET].addresses.len(), 2);
    }
}
