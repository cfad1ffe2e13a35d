//! The coordinators: members of a simulated Raft group, each with the registry as far as it has applied it.
//!
//! Beside them the group's history is kept as it was decided: whoever applies an entry has to apply that one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use harrier_coordinator::registry::{Command, Entry, Reply, State, apply};
use tokio::sync::oneshot;

use super::World;
use super::mail::Letter;
use super::tenure::Tenure;
use super::verdict::Promises;
use crate::raft::{Habits, Logged, Message, NODES, Node, NodeId, Out, Snapshot};
use crate::random::Random;

/// Entries between two snapshots of a member.
const SNAPSHOT_ENTRIES: u64 = 60;
/// How long a decision of the group is waited for.
const PROPOSE_MS: u64 = 1_000;

/// A change that somebody waits for.
struct Proposal {
    term: u64,
    deadline_ms: u64,
    purpose: Purpose,
}

/// Who waits.
pub(super) enum Purpose {
    Plan,
    /// The last entry of a batch.
    BatchEnd,
    Nobody,
    Sync(oneshot::Sender<Reply>),
    /// A request of the operator, by its number.
    Operator(usize),
}

/// One coordinator.
pub(super) struct Coordinator {
    pub(super) raft: Node,
    pub(super) state: Arc<Mutex<State>>,
    pub(super) applied: u64,
    proposals: BTreeMap<u64, Proposal>,
    pub(super) tenure: Option<Tenure>,
    /// Not scheduled until then.
    pub(super) frozen_until_ms: u64,
    /// Its process is not there until then.
    pub(super) dead_until_ms: u64,
    /// Nothing gets from it to that other one until then.
    pub(super) cut_until_ms: [u64; NODES],
    /// How far its wall clock is off.
    pub(super) wall_off_ms: i64,
    /// Speed of its clock, in percent.
    pub(super) speed: u64,
    /// What arrived while it was frozen.
    inbox: Vec<Letter>,
}

/// What the members' machines are like.
pub(super) struct Members {
    speeds: [u64; NODES],
    habits: [Habits; NODES],
}

impl Members {
    pub(super) fn draw(random: &mut Random) -> Self {
        Self { speeds: std::array::from_fn(|_| clock_speed(random)), habits: Habits::draw(random) }
    }
}

/// Of a clock, in percent. Extremes are what leases have to stand.
pub(super) fn clock_speed(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => 90,
        1 => 110,
        _ => 90 + random.below(21),
    }
}

/// All of them.
pub(super) struct Group {
    /// As it was decided.
    pub(super) state: State,
    decided: Vec<Logged>,
    pub(super) nodes: Vec<Coordinator>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Group {
    /// A group that begins with a snapshot.
    pub(super) fn new(members: &Members, first: Snapshot) -> Self {
        let first = Arc::new(first);
        let nodes = members.speeds.iter().enumerate().map(|(id, speed)| Coordinator {
            raft: Node::new(id, first.clone(), members.habits[id]),
            state: Arc::new(Mutex::new(first.state.clone())),
            applied: first.index,
            proposals: BTreeMap::new(),
            tenure: None,
            frozen_until_ms: 0,
            dead_until_ms: 0,
            cut_until_ms: [0; NODES],
            wall_off_ms: 0,
            speed: *speed,
            inbox: Vec::new(),
        });
        let nodes = nodes.collect();
        let before = Logged { term: first.term, entry: None };
        let decided = vec![before; usize::try_from(first.index).unwrap()];
        Self { state: first.state.clone(), decided, nodes }
    }

    /// A coordinator that leads, as far as it knows.
    pub(super) fn any_leader(&self) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.raft.leads().is_some())
    }

    pub(super) fn decided_count(&self) -> u64 {
        self.decided.len() as u64
    }

    /// Whether all that have applied everything have the same state.
    pub(super) fn assert_equal(&self) {
        for node in self.nodes.iter().filter(|node| node.applied == self.decided.len() as u64) {
            assert!(*lock(&node.state) == self.state, "two members have applied the same and differ");
        }
    }
}

impl World {
    /// kill -9 of a coordinator.
    pub(super) fn crash(&mut self, id: NodeId, for_ms: u64) {
        let node = &mut self.group.nodes[id];
        node.tenure = None;
        node.proposals.clear();
        node.inbox.clear();
        node.dead_until_ms = self.now_ms + for_ms;
        node.raft.crash(node.dead_until_ms, &mut self.random);
        *lock(&node.state) = node.raft.log.snapshot.state.clone();
        node.applied = node.raft.log.snapshot.index;
    }

    pub(super) fn run_coordinator(&mut self, id: NodeId) {
        let node = &mut self.group.nodes[id];
        if self.now_ms < node.dead_until_ms || self.now_ms < node.frozen_until_ms {
            return;
        }
        for letter in std::mem::take(&mut node.inbox) {
            self.take_letter(id, letter);
        }
        let out = self.group.nodes[id].raft.tick(self.now_ms, &mut self.random);
        self.send_to_members(id, out);
        self.apply_decided(id);
        self.give_up_proposals(id);
        self.lead(id);
    }

    /// Something for a coordinator has arrived.
    pub(super) fn arrive(&mut self, id: NodeId, letter: Letter) {
        let node = &mut self.group.nodes[id];
        if self.now_ms < node.dead_until_ms {
            return;
        }
        if self.now_ms < node.frozen_until_ms {
            node.inbox.push(letter);
        } else {
            self.take_letter(id, letter);
        }
    }

    pub(super) fn on_member(&mut self, id: NodeId, message: Message) {
        let out = self.group.nodes[id].raft.receive(message, self.now_ms, &mut self.random);
        let risk = out.iter().map(|(_, answer)| self.weather.death_after(answer)).max().unwrap_or(0);
        self.send_to_members(id, out);
        // Whatever it has just promised, it has to keep.
        if risk > 0 && self.random.below(1_000) < risk {
            let for_ms = self.random.below(60);
            self.crash(id, for_ms);
        }
    }

    pub(super) fn send_to_members(&mut self, from: NodeId, out: Out) {
        for (to, message) in out {
            let cut = self.group.nodes[from].cut_until_ms[to] > self.now_ms;
            if cut || (self.weather.is_bad() && self.random.chance(self.weather.loss)) {
                continue;
            }
            if self.weather.is_bad() && self.random.chance(self.weather.loss) {
                let again_ms = self.now_ms + self.random.below(400);
                self.mail.post(again_ms, Letter::Member { to, message: Box::new(message.clone()) });
            }
            let slow = self.weather.is_bad() && self.random.chance(self.weather.delay);
            let fast_ms = self.weather.member_delay_ms();
            let delay_ms = self.random.below(if slow { 400 } else { fast_ms }) + u64::from(!slow);
            self.mail.post(self.now_ms + delay_ms, Letter::Member { to, message: Box::new(message) });
        }
    }

    /// Proposes as a leader; what nobody takes is as good as lost.
    pub(super) fn propose(&mut self, id: NodeId, command: Command, purpose: Purpose) {
        let time_ms = self.unix_ms().saturating_add_signed(self.group.nodes[id].wall_off_ms);
        let node = &mut self.group.nodes[id];
        let entry = Arc::new(Entry { time_ms, command });
        let deadline_ms = self.now_ms + PROPOSE_MS;
        match node.raft.propose(entry, self.now_ms, &mut self.random) {
            Some(index) => {
                let proposal = Proposal { term: node.raft.term(), deadline_ms, purpose };
                node.proposals.insert(index, proposal);
            }
            None => self.decide(id, purpose, None),
        }
    }

    fn give_up_proposals(&mut self, id: NodeId) {
        let node = &mut self.group.nodes[id];
        let is_late = |proposal: &Proposal| proposal.deadline_ms <= self.now_ms;
        let late: Vec<u64> =
            node.proposals.iter().filter(|(_, one)| is_late(one)).map(|(index, _)| *index).collect();
        for index in late {
            if let Some(proposal) = self.group.nodes[id].proposals.remove(&index) {
                self.decide(id, proposal.purpose, None);
            }
        }
    }

    fn apply_decided(&mut self, id: NodeId) {
        loop {
            let node = &mut self.group.nodes[id];
            let snapshot = node.raft.log.snapshot.clone();
            if node.applied < snapshot.index {
                assert!(
                    snapshot.index <= self.group.decided.len() as u64,
                    "a snapshot of what was not decided"
                );
                *lock(&node.state) = snapshot.state.clone();
                node.applied = snapshot.index;
                continue;
            }
            if node.applied >= node.raft.commit {
                return;
            }
            let index = node.applied + 1;
            let logged = node.raft.log.get(index).cloned().expect("decided entries are there");
            self.record(index, &logged);
            self.apply_at(id, index, &logged);
        }
    }

    fn apply_at(&mut self, id: NodeId, index: u64, logged: &Logged) {
        let node = &mut self.group.nodes[id];
        let mut state = lock(&node.state);
        let reply = logged.entry.as_ref().map(|entry| apply(&mut state, entry));
        node.applied = index;
        if index >= node.raft.log.snapshot.index + SNAPSHOT_ENTRIES {
            node.raft.log.compact(index, state.clone());
        }
        drop(state);
        if let Some(proposal) = node.proposals.remove(&index) {
            let reply = reply.filter(|_| proposal.term == logged.term);
            if reply.is_some() {
                self.acknowledged_index = self.acknowledged_index.max(index);
            }
            self.decide(id, proposal.purpose, reply);
        }
    }

    /// The first that applies an entry writes the history, the others repeat it.
    fn record(&mut self, index: u64, logged: &Logged) {
        let at = usize::try_from(index).unwrap() - 1;
        if let Some(decided) = self.group.decided.get(at) {
            let same = decided.entry.as_ref().map(Arc::as_ptr) == logged.entry.as_ref().map(Arc::as_ptr);
            assert!(same && decided.term == logged.term, "two entries were decided at {index}");
            return;
        }
        assert_eq!(at, self.group.decided.len(), "an entry was skipped");
        self.group.decided.push(logged.clone());
        let Some(entry) = &logged.entry else { return };
        self.tell(|| format!("decides {index} {:?}", entry.command));
        let before = Promises::of(&self.group.state, &entry.command);
        let reply = apply(&mut self.group.state, entry);
        self.tell(|| format!("  {reply:?}"));
        before.assert_kept(&self.group.state);
    }

    /// What became of a proposal. `None`: nobody knows.
    fn decide(&mut self, id: NodeId, purpose: Purpose, reply: Option<Reply>) {
        let now = self.clock_of(id);
        let tenure = self.group.nodes[id].tenure.as_mut();
        match (purpose, reply) {
            (Purpose::Plan, reply) => {
                if let Some(tenure) = tenure {
                    tenure.leader.plan_decided(reply.as_ref(), now);
                }
            }
            (Purpose::BatchEnd, reply) => {
                if let Some(tenure) = tenure {
                    tenure.leader.batch_decided(reply.is_some());
                }
            }
            (Purpose::Sync(answer), reply) => {
                self.tasks_heard = true;
                // Unanswered it fails.
                let _ = reply.map(|reply| answer.send(reply));
            }
            (Purpose::Operator(number), Some(reply)) => self.operator_answered(number, &reply),
            (Purpose::Nobody | Purpose::Operator(_), _) => {}
        }
    }

    /// A leader that leads no longer waits for nothing.
    pub(super) fn forget_proposals(&mut self, id: NodeId) {
        self.group.nodes[id].proposals.clear();
    }
}
