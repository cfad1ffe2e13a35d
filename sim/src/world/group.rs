//! The Raft group, as far as the roles can see it: one log, at most one leader that can confirm itself, proposals that
//! come through, are lost with their leader, or come through when nobody waits for them any more.

use std::collections::VecDeque;
use std::time::Duration;

use harrier_coordinator::registry::{Command, Reply, State};
use harrier_coordinator::simulation::SimLeader;
use harrier_proto::harrier::v1::{HeartbeatRequest, LeaveRequest};

use super::mail::Letter;
use super::{COMMIT_MS, HEARTBEAT_MS, LEASE_MARGIN_MS, LEASE_MS, PLAN_MS, PROBATION_MS, World};

/// A change on its way into the log.
struct Proposal {
    term: u64,
    decided_at_ms: u64,
    command: Command,
    purpose: Purpose,
    /// The proposer has given up waiting.
    abandoned: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Plan,
    /// The last entry of a batch.
    BatchEnd,
    Other,
}

pub(super) struct Group {
    pub(super) state: State,
    pub(super) term: u64,
    leader: Option<SimLeader>,
    /// No leader before.
    leaderless_until_ms: u64,
    proposals: VecDeque<Proposal>,
    plan_at_ms: u64,
    commit_at_ms: u64,
    catalog_at_ms: u64,
}

impl Group {
    pub(super) fn new() -> Self {
        Self {
            state: State::default(),
            term: 0,
            leader: None,
            leaderless_until_ms: 0,
            proposals: VecDeque::new(),
            plan_at_ms: 0,
            commit_at_ms: 0,
            catalog_at_ms: 0,
        }
    }

    /// Whether a collection is on its way into the log.
    pub(super) fn is_mapping(&self) -> bool {
        self.proposals.iter().any(|proposal| matches!(proposal.command, Command::MapCollection { .. }))
    }

    pub(super) fn has_leader(&self) -> bool {
        self.leader.is_some()
    }
}

impl World {
    /// The leader dies, or is cut off from the others: both look alike to everybody else.
    pub(super) fn lose_leader(&mut self, for_ms: u64) {
        self.group.leader = None;
        self.group.leaderless_until_ms = self.now_ms + for_ms;
        // What others had already heard of survives, in order; the rest is gone.
        let survive = self.random.index(self.group.proposals.len() + 1);
        let survivors: Vec<_> = self.group.proposals.drain(..).take(survive).collect();
        for proposal in survivors {
            self.commit(proposal.command);
        }
    }

    /// What the leader does by itself.
    pub(super) fn lead(&mut self) {
        if self.group.leader.is_none() {
            if self.now_ms < self.group.leaderless_until_ms {
                return;
            }
            self.group.term += 1;
            let lease_max = Duration::from_millis(LEASE_MS + LEASE_MARGIN_MS);
            let leader = SimLeader::new(lease_max, Duration::from_millis(PROBATION_MS), self.now());
            self.group.leader = Some(leader);
        }
        self.decide_proposals();
        self.plan();
        self.commit_reports();
        if self.now_ms >= self.group.catalog_at_ms {
            self.group.catalog_at_ms = self.now_ms + 60;
            for command in self.sync_catalog() {
                self.propose(command, Purpose::Other);
            }
        }
    }

    fn plan(&mut self) {
        let (now, now_ms) = (self.now(), self.now_ms);
        let Some(leader) = &mut self.group.leader else { return };
        if now_ms >= self.group.plan_at_ms {
            self.group.plan_at_ms = now_ms + PLAN_MS;
            leader.make_plan(&self.group.state, now);
        }
        // Sometimes time passes between plan and proposal.
        if self.random.chance(70)
            && let Some(command) = leader.propose_plan()
        {
            self.propose(command, Purpose::Plan);
        }
    }

    fn commit_reports(&mut self) {
        let Some(leader) = &mut self.group.leader else { return };
        if self.now_ms < self.group.commit_at_ms {
            return;
        }
        self.group.commit_at_ms = self.now_ms + COMMIT_MS;
        let mut commands = leader.take_batch(&self.group.state);
        let last = commands.pop();
        for command in commands {
            self.propose(command, Purpose::Other);
        }
        if let Some(command) = last {
            self.propose(command, Purpose::BatchEnd);
        }
    }

    fn propose(&mut self, command: Command, purpose: Purpose) {
        let slow = self.weather.is_bad() && self.random.chance(self.weather.delay);
        let delay_ms = if slow { self.random.below(1_500) } else { 1 + self.random.below(20) };
        // Entries are decided in order.
        let last_ms = self.group.proposals.back().map_or(0, |proposal| proposal.decided_at_ms);
        let decided_at_ms = last_ms.max(self.now_ms + delay_ms);
        let term = self.group.term;
        self.group.proposals.push_back(Proposal { term, decided_at_ms, command, purpose, abandoned: false });
        if slow && self.random.chance(30) {
            self.abandon_last();
        }
    }

    /// The leader's patience ends before the proposal is decided.
    fn abandon_last(&mut self) {
        let Some(proposal) = self.group.proposals.back_mut() else { return };
        proposal.abandoned = true;
        let purpose = proposal.purpose;
        if let Some(leader) = &mut self.group.leader {
            match purpose {
                Purpose::Plan => leader.plan_decided(None),
                Purpose::BatchEnd => leader.batch_decided(false),
                Purpose::Other => {}
            }
        }
    }

    fn decide_proposals(&mut self) {
        while let Some(first) = self.group.proposals.front()
            && first.decided_at_ms <= self.now_ms
            && let Some(proposal) = self.group.proposals.pop_front()
        {
            let reply = self.commit(proposal.command);
            self.tell_leader(
                proposal.purpose,
                &reply,
                proposal.abandoned || proposal.term != self.group.term,
            );
        }
    }

    fn tell_leader(&mut self, purpose: Purpose, reply: &Reply, abandoned: bool) {
        let Some(leader) = self.group.leader.as_mut().filter(|_| !abandoned) else { return };
        match purpose {
            Purpose::Plan => leader.plan_decided(Some(reply)),
            Purpose::BatchEnd => leader.batch_decided(true),
            Purpose::Other => {}
        }
    }

    pub(super) fn on_register(&mut self, worker_id: String, attempt: u64) {
        let now = self.now();
        let Some(leader) = &mut self.group.leader else { return };
        if leader.register(&worker_id, now) {
            self.send(&worker_id.clone(), Letter::Registered { worker_id, attempt });
        }
    }

    pub(super) fn on_heartbeat(&mut self, request: HeartbeatRequest, attempt: u64) {
        let now = self.now();
        self.note_missing(&request.senders);
        let worker_id = request.worker_id.clone();
        let Some(leader) = &mut self.group.leader else { return };
        if let Some(received) = leader.receive(request, now) {
            let received = Box::new(received);
            let term = self.group.term;
            let round_ms = self.delay_ms();
            self.mail.post(self.now_ms + round_ms, Letter::Confirmed { term, received, worker_id, attempt });
        }
    }

    pub(super) fn on_confirmed(
        &mut self,
        term: u64,
        received: harrier_coordinator::simulation::Received,
        worker_id: String,
        attempt: u64,
    ) {
        let Some(leader) = self.group.leader.as_mut().filter(|_| term == self.group.term) else { return };
        let reply = Box::new(leader.answer(&self.group.state, &self.catalog.connections, received));
        self.send(&worker_id.clone(), Letter::Answer { worker_id, attempt, reply });
    }

    pub(super) fn on_leave(&mut self, request: LeaveRequest, attempt: u64) {
        let worker_id = request.worker_id.clone();
        let Some(leader) = &mut self.group.leader else { return };
        let batch = leader.leaving(request);
        let term = self.group.term;
        self.mail.post(self.now_ms + 1, Letter::Leaving { term, batch, worker_id, attempt });
    }

    pub(super) fn on_leaving(&mut self, term: u64, batch: Option<u64>, worker_id: String, attempt: u64) {
        let Some(leader) = self.group.leader.as_mut().filter(|_| term == self.group.term) else { return };
        if batch.is_some_and(|batch| !leader.is_committed(batch)) {
            self.mail
                .post(self.now_ms + HEARTBEAT_MS / 4, Letter::Leaving { term, batch, worker_id, attempt });
            return;
        }
        leader.left(&worker_id);
        self.send(&worker_id.clone(), Letter::Left { worker_id, attempt });
    }

    const fn now(&self) -> Duration {
        Duration::from_millis(self.now_ms)
    }
}
