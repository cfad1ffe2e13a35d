//! Targets of which some task asks for few calls at once.

use std::collections::BTreeSet;

use super::*;
use crate::registry::task::TargetAddress;
use crate::registry::{Sealed, Task, TaskSpec, TaskState};

const WORKERS: [&str; 4] = ["w0", "w1", "w2", "w3"];

/// Six senders of one target, and a task that bounds it.
fn bounded(channel_num: u32) -> State {
    let mut state = state_of((0..6).map(|_| running(None, None, true)));
    let target = TargetAddress { channel_num, ..TargetAddress::default() };
    let task = Task {
        id: "task".to_owned(),
        spec: TaskSpec { target, ..TaskSpec::default() },
        secrets: Sealed { key_id: String::new(), nonce: Vec::new(), ciphertext: Vec::new() },
        target_id: "t".to_owned(),
        state: TaskState::Running,
        created_ms: 1,
        state_changed_ms: 1,
    };
    state.tasks.insert(task.id.clone(), task);
    state
}

/// Plans until nothing changes; answers who has senders.
fn settle(state: &mut State, liveness: &Liveness) -> BTreeSet<String> {
    for _ in 0..50 {
        let plan = plan(state, liveness, true);
        if plan.assignments.is_empty() {
            break;
        }
        commit(state, &plan);
        say_final_words(state);
    }
    assert!(state.senders.values().all(|sender| sender.owner.is_some()));
    state.senders.values().filter_map(|sender| sender.owner.clone()).collect()
}

fn workers(dead: &str) -> Liveness {
    let standing = |worker: &str| if worker == dead { Standing::Dead } else { Standing::Accepting };
    alive(&WORKERS.map(|worker| (worker, standing(worker))))
}

#[test]
fn no_more_workers_than_calls_write_to_a_target_whatever_dies_and_joins() {
    for (channel_num, expected) in [(0, 4), (1, 1), (2, 2), (9, 4)] {
        let mut state = bounded(channel_num);
        let owners = settle(&mut state, &workers("nobody"));
        assert_eq!(owners.len(), expected, "{channel_num}: {owners:?}");
        let gone = owners.first().unwrap();
        let after = settle(&mut state, &workers(gone));
        assert_eq!(after.len(), expected.min(3), "{channel_num}: {after:?}");
        assert!(!after.contains(gone));
        // It comes back, and balance begins.
        assert_eq!(settle(&mut state, &workers("nobody")).len(), expected, "{channel_num}");
    }
}
