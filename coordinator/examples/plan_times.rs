//! How long one plan takes for 1,000 tasks of 16 channels on 200 workers, 16,000 senders in all:
//! `cargo run --release -p harrier-coordinator --example plan_times`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Instant;

use harrier_coordinator::planner::{Balance, Liveness, Plan, Standing, plan};
use harrier_coordinator::registry::{Sender, ShardPhase, ShardState, State};

const TASKS: usize = 1_000;
const CHANNELS: usize = 16;
const WORKERS: usize = 200;
const REPEATS: u32 = 10;

fn main() {
    let mut state = State::default();
    for task in 0..TASKS {
        for channel in 0..CHANNELS {
            let sender_id = format!("{task:016x}/by-dev-rootcoord-dml_{channel}");
            let shard_id = format!("{task:032x}/by-dev-rootcoord-dml_{channel}_{}v0", 450_000_000 + task);
            state.shards.insert(shard_id, shard(&sender_id));
            state.senders.insert(sender_id, sender(channel));
        }
    }
    let all: BTreeMap<_, _> =
        (0..=WORKERS).map(|index| (format!("{index:032x}"), Standing::Accepting)).collect();
    let mut workers = all.clone();
    workers.pop_last();
    let liveness = Liveness::new(workers.clone(), false);
    let first = measure("everything is placed", &state, &liveness);
    for assign in first.assignments {
        let sender = state.senders.get_mut(&assign.sender_id).unwrap();
        sender.owner.clone_from(&assign.owner);
        sender.last_owner = assign.owner;
        sender.stopped = false;
    }
    measure("nothing to do", &state, &liveness);
    workers.pop_first();
    measure("a worker has died", &state, &Liveness::new(workers, false));
    measure("a worker has come", &state, &Liveness::new(all, false));
}

fn measure(what: &str, state: &State, liveness: &Liveness) -> Plan {
    let balance = Balance { may_begin: true, ..Balance::default() };
    let begin = Instant::now();
    let mut found = Plan::default();
    for _ in 0..REPEATS {
        found = plan(state, liveness, &balance);
    }
    let milliseconds = begin.elapsed().as_secs_f64() * 1_000.0 / f64::from(REPEATS);
    println!("{what}: {milliseconds:.1} ms, {} assignments", found.assignments.len());
    found
}

fn shard(sender_id: &str) -> ShardState {
    ShardState {
        sender_id: sender_id.to_owned(),
        source_collection_id: 1,
        phase: ShardPhase::Active,
        active_since: 0,
        position: Vec::new(),
        tick: 0,
        replay_until: 0,
        joined: false,
        confirmed: 0,
        windows: Vec::new(),
    }
}

fn sender(channel: usize) -> Sender {
    let target_pchannel = format!("by-dev-rootcoord-dml_{channel}");
    Sender { epoch: 1, input_version: 1, ..Sender::new("t", &target_pchannel) }
}
