//! The group's own promises, without anything around it.

use std::sync::Arc;

use harrier_coordinator::registry::{Command, Entry, State};

use super::{Habits, Message, NODES, Node, NodeId, Snapshot};
use crate::random::Random;

/// `HARRIER_SIM_RAFT_SEEDS` sets another number.
const SEEDS: u64 = 200;

/// Whoever decides an entry first; everybody else has to decide the same.
struct Group {
    nodes: Vec<Node>,
    mail: Vec<(NodeId, Message)>,
    decided: Vec<(u64, Option<Arc<Entry>>)>,
    random: Random,
    now_ms: u64,
}

impl Group {
    fn new(seed: u64) -> Self {
        let snapshot = Arc::new(Snapshot { index: 0, term: 0, state: State::default() });
        let mut random = Random::new(seed);
        let entries_max = 1 + random.below(4);
        let habits = Habits::draw(&mut random).map(|habits| Habits { entries_max, ..habits });
        let nodes = (0..NODES).map(|id| Node::new(id, snapshot.clone(), habits[id])).collect();
        Self { nodes, mail: Vec::new(), decided: Vec::new(), random, now_ms: 0 }
    }

    fn step(&mut self, loss: u64) {
        self.now_ms += self.random.below(10);
        for id in 0..NODES {
            let out = self.nodes[id].tick(self.now_ms, &mut self.random);
            self.mail.extend(out);
        }
        for _ in 0..self.mail.len() {
            let at = self.random.index(self.mail.len());
            let (to, message) = self.mail.swap_remove(at);
            if self.random.chance(loss) {
                continue;
            }
            if self.random.chance(5) {
                self.mail.push((to, message.clone()));
            }
            let out = self.nodes[to].receive(message, self.now_ms, &mut self.random);
            self.mail.extend(out);
            self.check();
            // Whatever it has just promised, it has to keep.
            if loss > 0 && self.random.below(100) == 0 {
                self.nodes[to].crash(self.now_ms, &mut self.random);
            }
        }
        self.check();
    }

    fn check(&mut self) {
        for node in &self.nodes {
            for index in node.log.snapshot.index + 1..=node.commit {
                let logged = node.log.get(index).unwrap();
                match self.decided.get(usize::try_from(index).unwrap() - 1) {
                    Some((term, entry)) => {
                        let same = entry.as_ref().map(Arc::as_ptr) == logged.entry.as_ref().map(Arc::as_ptr);
                        assert!(*term == logged.term && same, "two entries at {index}");
                    }
                    None => {
                        assert_eq!(index, self.decided.len() as u64 + 1);
                        self.decided.push((logged.term, logged.entry.clone()));
                    }
                }
            }
        }
    }

    fn propose(&mut self) {
        for node in &mut self.nodes {
            let command = Command::PauseTask { task_id: "none".to_owned() };
            let entry = Arc::new(Entry { time_ms: self.now_ms, command });
            node.propose(entry, self.now_ms, &mut self.random);
        }
    }
}

#[test]
fn what_is_decided_stays_decided_through_crashes_and_losses() {
    let seeds = std::env::var("HARRIER_SIM_RAFT_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..seeds.unwrap_or(SEEDS) {
        let mut group = Group::new(seed);
        for round in 0..600 {
            let loss = [0, 10, 60][(round / 100) % 3];
            group.step(loss);
            if round % 7 == 0 {
                group.propose();
            }
            let id = group.random.index(NODES);
            if group.random.below(50) == 0 {
                group.nodes[id].crash(group.now_ms, &mut group.random);
            }
            if round % 40 == 0 {
                let index = group.nodes[id].commit;
                group.nodes[id].log.compact(index, State::default());
            }
        }
        for _ in 0..2_000 {
            group.step(0);
        }
        assert!(group.decided.len() > 5, "seed {seed}: only {} entries", group.decided.len());
        let commits: Vec<u64> = group.nodes.iter().map(|node| node.commit).collect();
        assert!(commits.iter().all(|commit| *commit == commits[0]), "seed {seed}: {commits:?}");
    }
}

#[test]
fn only_a_leader_that_most_still_follow_is_confirmed() {
    let mut group = Group::new(1);
    while group.nodes.iter().all(|node| node.leads().is_none()) {
        group.step(0);
    }
    let leader = group.nodes.iter().position(|node| node.leads().is_some()).unwrap();
    let mut out = Vec::new();
    let round = group.nodes[leader].begin_round(group.now_ms, &mut out);
    assert!(group.nodes[leader].confirmed() < round);
    group.mail.extend(out);
    for _ in 0..3 {
        group.step(0);
    }
    assert!(group.nodes[leader].confirmed() >= round);
    // Nothing of the next round gets through, and it never is.
    let round = group.nodes[leader].begin_round(group.now_ms, &mut Vec::new());
    for _ in 0..5 {
        group.step(100);
    }
    assert!(group.nodes[leader].confirmed() < round);
}
