//! A member of a Raft group without IO and clocks: what the registry's real group promises, and what it may lose.
//!
//! Terms, votes and the log are on disk; what was not synced is lost with the process, and nothing is acknowledged
//! before it is. Members that are far behind get a snapshot. Who calls owns time and the network.

mod log;
mod messages;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use harrier_coordinator::registry::Entry;

pub(crate) use log::{Log, Logged, Snapshot};
pub(crate) use messages::Message;

use crate::random::Random;

/// A member, by its number.
pub(crate) type NodeId = usize;

/// Members of the group.
pub(crate) const NODES: usize = 3;
/// Between two messages of a leader, in milliseconds: as elsewhere, times are a third of the product's.
const BEAT_MS: u64 = 60;
const ELECTION_MS_MIN: u64 = 130;
const ELECTION_MS_MAX: u64 = 230;

/// What a member's machine is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// The longest that it takes to sync, in milliseconds.
    sync_ms_max: u64,
    /// Entries of one message.
    entries_max: u64,
}

impl Habits {
    pub(crate) fn draw(random: &mut Random) -> [Self; NODES] {
        let entries_max = [5, 20, 20, 20][random.index(4)];
        std::array::from_fn(|_| Self { sync_ms_max: [8, 8, 8, 40][random.index(4)], entries_max })
    }
}

enum Role {
    Follower,
    Candidate(BTreeSet<NodeId>),
    Leader(Box<Leading>),
}

/// What a leader knows of the others.
struct Leading {
    next: [u64; NODES],
    matched: [u64; NODES],
    /// The last round that each has answered.
    answered: [u64; NODES],
    round: u64,
    /// The entry that its term began with.
    began_at: u64,
    beat_at_ms: u64,
}

/// One member.
pub(crate) struct Node {
    id: NodeId,
    habits: Habits,
    // On disk, as the log is.
    term: u64,
    voted: Option<NodeId>,
    pub(crate) log: Log,
    // In memory.
    role: Role,
    leader: Option<NodeId>,
    pub(crate) commit: u64,
    /// So far its log is known to be that of the present leader.
    agreed: u64,
    election_at_ms: u64,
    sync_at_ms: Option<u64>,
    answered_round: u64,
}

/// Messages to others.
pub(crate) type Out = Vec<(NodeId, Message)>;

impl Node {
    pub(crate) fn new(id: NodeId, snapshot: Arc<Snapshot>, habits: Habits) -> Self {
        Self {
            id,
            habits,
            term: snapshot.term,
            voted: None,
            commit: snapshot.index,
            log: Log::new(snapshot),
            role: Role::Follower,
            leader: None,
            agreed: 0,
            election_at_ms: 0,
            sync_at_ms: None,
            answered_round: 0,
        }
    }

    /// Its process dies: what it had not synced is gone. It is as it will be when it starts again.
    pub(crate) fn crash(&mut self, now_ms: u64, random: &mut Random) {
        self.log.crash();
        self.role = Role::Follower;
        self.forget_leader();
        self.commit = self.log.snapshot.index;
        self.sync_at_ms = None;
        self.wait_for_leader(now_ms, random);
    }

    pub(crate) const fn term(&self) -> u64 {
        self.term
    }

    /// The term and its first entry, while this member leads as far as it knows.
    pub(crate) fn leads(&self) -> Option<(u64, u64)> {
        match &self.role {
            Role::Leader(leading) => Some((self.term, leading.began_at)),
            _ => None,
        }
    }

    /// Who leads, as far as it knows.
    pub(crate) const fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    fn wait_for_leader(&mut self, now_ms: u64, random: &mut Random) {
        self.election_at_ms = now_ms + ELECTION_MS_MIN + random.below(ELECTION_MS_MAX - ELECTION_MS_MIN);
    }

    /// What is due.
    pub(crate) fn tick(&mut self, now_ms: u64, random: &mut Random) -> Out {
        let mut out = Out::new();
        if self.sync_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.sync_at_ms = None;
            self.log.sync();
            self.on_synced(&mut out);
        }
        match &mut self.role {
            Role::Leader(leading) if leading.beat_at_ms <= now_ms => self.broadcast(now_ms, &mut out),
            Role::Follower | Role::Candidate(_) if self.election_at_ms <= now_ms => {
                self.stand_for_election(now_ms, random, &mut out);
            }
            _ => {}
        }
        out
    }

    fn on_synced(&mut self, out: &mut Out) {
        let synced = self.log.synced;
        match &mut self.role {
            Role::Leader(leading) => {
                leading.matched[self.id] = synced;
                self.advance_commit();
            }
            _ => self.answer_leader(out),
        }
    }

    fn answer_leader(&self, out: &mut Out) {
        if let Some(leader) = self.leader.filter(|leader| *leader != self.id) {
            let matched = Ok(self.log.synced.min(self.agreed));
            let answer =
                Message::Answer { term: self.term, from: self.id, round: self.answered_round, matched };
            out.push((leader, answer));
        }
    }

    fn stand_for_election(&mut self, now_ms: u64, random: &mut Random, out: &mut Out) {
        self.term += 1;
        self.voted = Some(self.id);
        self.forget_leader();
        self.role = Role::Candidate([self.id].into());
        self.wait_for_leader(now_ms, random);
        let vote = Message::Vote { term: self.term, candidate: self.id, last: self.log.last() };
        out.extend(self.others().map(|other| (other, vote.clone())));
    }

    fn others(&self) -> impl Iterator<Item = NodeId> + use<> {
        let own = self.id;
        (0..NODES).filter(move |id| *id != own)
    }

    fn broadcast(&mut self, now_ms: u64, out: &mut Out) {
        let Role::Leader(leading) = &mut self.role else { return };
        leading.beat_at_ms = now_ms + BEAT_MS;
        leading.round += 1;
        leading.answered[self.id] = leading.round;
        let (next, round) = (leading.next, leading.round);
        for other in self.others() {
            out.push((other, self.log.message_for(next[other], self, round)));
        }
    }

    /// A round that begins now; it is over when [`Node::confirmed`] has got to it.
    pub(crate) fn begin_round(&mut self, now_ms: u64, out: &mut Out) -> u64 {
        self.broadcast(now_ms, out);
        match &self.role {
            Role::Leader(leading) => leading.round,
            _ => u64::MAX,
        }
    }

    /// The newest round that most members have answered.
    pub(crate) fn confirmed(&self) -> u64 {
        match &self.role {
            Role::Leader(leading) => majority(leading.answered),
            _ => 0,
        }
    }

    /// Appends an entry; `None` if this member does not lead as far as it knows.
    pub(crate) fn propose(&mut self, entry: Arc<Entry>, now_ms: u64, random: &mut Random) -> Option<u64> {
        self.leads()?;
        self.log.append(Logged { term: self.term, entry: Some(entry) });
        self.begin_sync(now_ms, random);
        if let Role::Leader(leading) = &mut self.role {
            leading.beat_at_ms = now_ms;
        }
        Some(self.log.last().1)
    }

    fn begin_sync(&mut self, now_ms: u64, random: &mut Random) {
        let takes_ms = random.below(self.habits.sync_ms_max);
        self.sync_at_ms.get_or_insert(now_ms + takes_ms);
    }

    fn advance_commit(&mut self) {
        let Role::Leader(leading) = &self.role else { return };
        let index = majority(leading.matched);
        // Entries of former terms are decided with one of its own.
        if index > self.commit && self.log.term_at(index) == Some(self.term) {
            self.commit = index;
        }
    }

    fn follow(&mut self, term: u64) {
        if term > self.term {
            self.term = term;
            self.voted = None;
            self.forget_leader();
        }
        self.role = Role::Follower;
    }

    /// What is known of a leader's log and rounds says nothing of the next one's.
    const fn forget_leader(&mut self) {
        self.leader = None;
        self.agreed = 0;
        self.answered_round = 0;
    }
}

/// The largest number that most members have reached.
fn majority(mut numbers: [u64; NODES]) -> u64 {
    numbers.sort_unstable();
    numbers[(NODES - 1) / 2]
}
