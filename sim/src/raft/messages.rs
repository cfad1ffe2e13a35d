//! What members say to each other, and what they make of it.

use std::sync::Arc;

use super::{Leading, Logged, NODES, Node, NodeId, Out, Role, Snapshot};
use crate::random::Random;

/// One message. Ends of logs are (term, index).
#[derive(Clone)]
pub(crate) enum Message {
    Vote {
        term: u64,
        candidate: NodeId,
        last: (u64, u64),
    },
    Voted {
        term: u64,
        from: NodeId,
        granted: bool,
    },
    Append {
        term: u64,
        leader: NodeId,
        previous: (u64, u64),
        entries: Vec<Logged>,
        commit: u64,
        round: u64,
    },
    Install {
        term: u64,
        leader: NodeId,
        snapshot: Arc<Snapshot>,
        round: u64,
    },
    Answer {
        term: u64,
        from: NodeId,
        round: u64,
        /// So far it has the leader's log, on disk; or where to begin to look for that.
        matched: Result<u64, u64>,
    },
}

impl Message {
    const fn term(&self) -> u64 {
        match self {
            Self::Vote { term, .. }
            | Self::Voted { term, .. }
            | Self::Append { term, .. }
            | Self::Install { term, .. }
            | Self::Answer { term, .. } => *term,
        }
    }
}

impl Node {
    pub(crate) fn receive(&mut self, message: Message, now_ms: u64, random: &mut Random) -> Out {
        let mut out = Out::new();
        if message.term() > self.term {
            self.follow(message.term());
        }
        let current = message.term() == self.term;
        match message {
            Message::Vote { candidate, last, .. } => {
                let granted = current
                    && self.voted.is_none_or(|voted| voted == candidate)
                    && last >= self.log.last()
                    && matches!(self.role, Role::Follower);
                if granted {
                    self.voted = Some(candidate);
                    self.wait_for_leader(now_ms, random);
                }
                out.push((candidate, Message::Voted { term: self.term, from: self.id, granted }));
            }
            Message::Voted { from, granted, .. } if current && granted => self.on_vote(from, now_ms, random),
            Message::Append { leader, previous, entries, commit, round, .. } => {
                if current {
                    self.hear_leader(leader, round, now_ms, random);
                    self.on_append(leader, previous, &entries, commit, (now_ms, random), &mut out);
                } else {
                    self.refuse(leader, &mut out);
                }
            }
            Message::Install { leader, snapshot, round, .. } => {
                if current {
                    self.hear_leader(leader, round, now_ms, random);
                    self.on_install(snapshot, &mut out);
                } else {
                    self.refuse(leader, &mut out);
                }
            }
            Message::Answer { from, round, matched, .. } if current => self.on_answer(from, round, matched),
            Message::Voted { .. } | Message::Answer { .. } => {}
        }
        out
    }

    fn refuse(&self, leader: NodeId, out: &mut Out) {
        let answer = Message::Answer { term: self.term, from: self.id, round: 0, matched: Ok(0) };
        out.push((leader, answer));
    }

    fn hear_leader(&mut self, leader: NodeId, round: u64, now_ms: u64, random: &mut Random) {
        assert!(!matches!(self.role, Role::Leader(_)), "two leaders of one term");
        self.role = Role::Follower;
        self.leader = Some(leader);
        self.answered_round = self.answered_round.max(round);
        self.wait_for_leader(now_ms, random);
    }

    fn on_vote(&mut self, from: NodeId, now_ms: u64, random: &mut Random) {
        let Role::Candidate(votes) = &mut self.role else { return };
        votes.insert(from);
        if votes.len() * 2 <= NODES {
            return;
        }
        self.leader = Some(self.id);
        self.log.append(Logged { term: self.term, entry: None });
        let began_at = self.log.last().1;
        let mut matched = [0; NODES];
        matched[self.id] = self.log.synced;
        self.role = Role::Leader(Box::new(Leading {
            next: [began_at; NODES],
            matched,
            answered: [0; NODES],
            round: 0,
            began_at,
            beat_at_ms: now_ms,
        }));
        self.begin_sync(now_ms, random);
    }

    fn on_append(
        &mut self,
        leader: NodeId,
        (previous_term, previous): (u64, u64),
        entries: &[Logged],
        commit: u64,
        (now_ms, random): (u64, &mut Random),
        out: &mut Out,
    ) {
        let known = previous <= self.log.snapshot.index || self.log.term_at(previous) == Some(previous_term);
        if !known {
            let matched = Err(previous.min(self.log.last().1 + 1).max(1));
            let round = self.answered_round;
            out.push((leader, Message::Answer { term: self.term, from: self.id, round, matched }));
            return;
        }
        if self.log.take(previous, entries, self.commit) {
            self.begin_sync(now_ms, random);
        }
        self.agreed = self.agreed.max(previous + entries.len() as u64);
        self.commit = self.commit.max(commit.min(self.agreed));
        self.answer_leader(out);
    }

    fn on_install(&mut self, snapshot: Arc<Snapshot>, out: &mut Out) {
        let index = snapshot.index;
        if index > self.commit {
            // What it has behind the snapshot may be decided already.
            if self.log.term_at(index) != Some(snapshot.term) {
                self.log.install(snapshot);
            }
            self.commit = index;
        }
        self.agreed = self.agreed.max(index);
        self.answer_leader(out);
    }

    fn on_answer(&mut self, from: NodeId, round: u64, matched: Result<u64, u64>) {
        let Role::Leader(leading) = &mut self.role else { return };
        leading.answered[from] = leading.answered[from].max(round);
        match matched {
            Ok(index) => {
                leading.matched[from] = leading.matched[from].max(index);
                leading.next[from] = leading.matched[from] + 1;
                self.advance_commit();
            }
            Err(next) => leading.next[from] = next.max(leading.matched[from] + 1),
        }
    }
}
