//! What is on its way, by the moment of its arrival.

use std::collections::BTreeMap;

use harrier_proto::harrier::v1::{HeartbeatReply, HeartbeatRequest, LeaveRequest};
use harrier_worker::simulation::{Answer, Call};

use super::World;
use super::port::TargetCall;
use super::process::Process;
use crate::raft::{Message, NodeId};

/// One letter. `to` is a coordinator; workers get theirs by their id.
pub(super) enum Letter {
    Member {
        to: NodeId,
        message: Box<Message>,
    },
    Register {
        to: NodeId,
        worker_id: String,
        attempt: u64,
    },
    Heartbeat {
        to: NodeId,
        request: Box<HeartbeatRequest>,
        attempt: u64,
    },
    Leave {
        to: NodeId,
        request: Box<LeaveRequest>,
        attempt: u64,
    },
    /// Of the operator, by its number.
    Request {
        to: NodeId,
        number: usize,
        forwarded: bool,
    },
    /// A read that has to show everything up to `floor`; a backup is one.
    Read {
        to: NodeId,
        floor: u64,
        backup: bool,
    },
    Registered {
        worker_id: String,
        attempt: u64,
    },
    Answer {
        worker_id: String,
        attempt: u64,
        reply: Box<HeartbeatReply>,
    },
    Left {
        worker_id: String,
        attempt: u64,
    },
    /// Another coordinator leads: that one, if it is known.
    NotLeader {
        worker_id: String,
        attempt: u64,
        leader: Option<NodeId>,
    },
    /// A call reaches the target, which executes so many of its messages; `answers`: the answer finds its way back.
    Execute {
        /// The process that made it.
        from: u64,
        call: Box<Call>,
        count: usize,
        answers: bool,
        /// Owners and unknown outcomes of its sender when it was made.
        openings: u32,
    },
    /// A call that everybody has given up is executed, from one message to another.
    ExecuteLate {
        call: Box<Call>,
        from: usize,
        to: usize,
        /// Owners and unknown outcomes of its sender until it was given up.
        openings: u32,
    },
    Executed {
        to: u64,
        call_id: u64,
        answer: Answer,
    },
    /// A call to the catalog of a target, which may execute it once more later.
    Change {
        call: TargetCall,
        answers: bool,
        again_ms: Option<u64>,
    },
}

/// The post.
#[derive(Default)]
pub(super) struct Mail {
    letters: BTreeMap<(u64, u64), Letter>,
    sent: u64,
}

impl Mail {
    pub(super) fn post(&mut self, at_ms: u64, letter: Letter) {
        self.sent += 1;
        self.letters.insert((at_ms, self.sent), letter);
    }

    fn next(&mut self, now_ms: u64) -> Option<Letter> {
        let first = self.letters.first_entry()?;
        (first.key().0 <= now_ms).then(|| first.remove())
    }

    /// The operator may still change something.
    pub(super) fn any_request(&self) -> bool {
        self.letters.values().any(|letter| matches!(letter, Letter::Request { .. }))
    }

    /// The coordinators are no longer there.
    pub(super) fn return_to_senders(&mut self) {
        self.letters.retain(|_, letter| letter.coordinator().is_none());
    }
}

impl Letter {
    /// The coordinator that it is for.
    const fn coordinator(&self) -> Option<NodeId> {
        match self {
            Self::Member { to, .. }
            | Self::Register { to, .. }
            | Self::Heartbeat { to, .. }
            | Self::Leave { to, .. }
            | Self::Request { to, .. }
            | Self::Read { to, .. } => Some(*to),
            _ => None,
        }
    }
}

impl World {
    pub(super) fn deliver_mail(&mut self) {
        while let Some(letter) = self.mail.next(self.now_ms) {
            if let Some(to) = letter.coordinator() {
                self.arrive(to, letter);
                continue;
            }
            match letter {
                Letter::Registered { worker_id, attempt } => self.on_registered(&worker_id, attempt),
                Letter::Answer { worker_id, attempt, reply } => self.on_answer(&worker_id, attempt, *reply),
                Letter::Left { worker_id, attempt } => self.on_left(&worker_id, attempt),
                Letter::NotLeader { worker_id, attempt, leader } => {
                    self.on_not_leader(&worker_id, attempt, leader);
                }
                Letter::Execute { from, call, count, answers, openings } => {
                    self.on_execute(from, &call, count, (answers, openings));
                }
                Letter::ExecuteLate { call, from, to, openings } => {
                    self.on_execute_late(&call, from, to, openings);
                }
                Letter::Executed { to, call_id, answer } => self.on_executed(to, call_id, answer),
                Letter::Change { call, answers, again_ms } => self.on_change(call, answers, again_ms),
                _ => {}
            }
        }
    }

    /// Sends between a worker and the coordinators: late, lost or twice, if the weather is bad. `worker_id` is the end
    /// that may be cut off.
    pub(super) fn send(&mut self, worker_id: &str, letter: Letter) {
        let is_cut = |process: &Process| process.is(worker_id) && !process.coordinators.is_open(self.now_ms);
        let cut = self.processes.iter().any(is_cut);
        if cut || (self.weather.is_bad() && self.random.chance(self.weather.loss)) {
            return;
        }
        let delay_ms = self.delay_ms();
        self.mail.post(self.now_ms + delay_ms, letter);
    }

    pub(super) fn delay_ms(&mut self) -> u64 {
        if self.weather.is_bad() && self.random.chance(self.weather.delay) {
            // Now and then so late that leases, terms and backups have come and gone.
            let latest_ms = if self.random.chance(10) { 6_000 } else { 900 };
            self.random.below(latest_ms)
        } else {
            1 + self.random.below(self.weather.letter_delay_ms())
        }
    }
}
