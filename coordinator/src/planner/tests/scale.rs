//! 1,000 tasks of 16 channels on 200 workers. Work is counted in plans and moves, not in time:
//! `examples/plan_times` measures that.

use super::*;

const TASKS: usize = 1_000;
const CHANNELS: usize = 16;
const WORKERS: usize = 200;

fn large_state() -> State {
    let mut state = State::default();
    for task in 0..TASKS {
        for channel in 0..CHANNELS {
            let sender_id = format!("t{task:04}/p{channel:02}");
            let shard_id = format!("task{task:04}/src-dml_{channel}_{task}v0");
            state.shards.insert(shard_id, shard(&sender_id, ShardPhase::Active));
            state.senders.insert(sender_id, sender(None, None, true));
        }
    }
    state
}

fn workers(numbers: std::ops::Range<usize>) -> Liveness {
    let standings = numbers.map(|number| (format!("w{number:03}"), Standing::Accepting));
    Liveness::new(standings.collect(), false)
}

fn counts(state: &State) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for owner in state.senders.values().filter_map(|sender| sender.owner.clone()) {
        *counts.entry(owner).or_default() += 1;
    }
    counts
}

fn assert_even(state: &State, workers: usize) {
    let counts = counts(state);
    let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
    assert_eq!((counts.len(), counts.values().sum::<usize>()), (workers, TASKS * CHANNELS));
    assert!(most - least <= 1, "{least} to {most}");
}

#[test]
fn sixteen_thousand_senders_are_placed_at_once_and_moved_no_more_than_needed() {
    let mut state = large_state();
    let all = workers(0..WORKERS);
    let first = plan(&state, &all, true);
    commit(&mut state, &first);
    assert_even(&state, WORKERS);
    assert_eq!(
        plan(&state, &all, true),
        Plan::default(),
        "one plan places all, and then nothing is left to do"
    );

    // A worker dies: its senders move, and no others.
    let rest = workers(1..WORKERS);
    let moved = plan(&state, &rest, true);
    assert_eq!(moved.assignments.len(), TASKS * CHANNELS / WORKERS);
    commit(&mut state, &moved);
    assert_even(&state, WORKERS - 1);

    // Another comes: senders move to it one at a time, and from whoever has most.
    let mut balance = Balance { may_begin: true, ..Balance::default() };
    for moves in 1..=3 {
        let next = super::super::plan(&state, &all, &balance);
        assert_eq!((next.assignments.len(), next.balanced.len()), (1, 1));
        balance.under_way.extend(next.balanced.clone());
        commit(&mut state, &next);
        say_final_words(&mut state);
        let placed = super::super::plan(&state, &all, &balance);
        commit(&mut state, &placed);
        balance.under_way.clear();
        assert_eq!(counts(&state)["w000"], moves);
    }
}
