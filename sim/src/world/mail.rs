//! What is on its way, by the moment of its arrival.

use std::collections::BTreeMap;

use harrier_coordinator::simulation::Received;
use harrier_proto::harrier::v1::{HeartbeatReply, HeartbeatRequest, LeaveRequest};
use harrier_worker::simulation::Call;

use super::World;

/// One letter.
pub(super) enum Letter {
    Register {
        worker_id: String,
        attempt: u64,
    },
    Registered {
        worker_id: String,
        attempt: u64,
    },
    Heartbeat {
        request: Box<HeartbeatRequest>,
        attempt: u64,
    },
    /// The group has confirmed the leader since the heartbeat came.
    Confirmed {
        term: u64,
        received: Box<Received>,
        worker_id: String,
        attempt: u64,
    },
    Answer {
        worker_id: String,
        attempt: u64,
        reply: Box<HeartbeatReply>,
    },
    Leave {
        request: Box<LeaveRequest>,
        attempt: u64,
    },
    /// Waits until its last words are committed.
    Leaving {
        term: u64,
        batch: Option<u64>,
        worker_id: String,
        attempt: u64,
    },
    Left {
        worker_id: String,
        attempt: u64,
    },
    /// A call reaches the target, which executes so many of its messages; `answers`: the answer finds its way back.
    Execute {
        call: Box<Call>,
        count: usize,
        answers: bool,
    },
    /// `None`: refused.
    Executed {
        call_id: u64,
        position: Option<u64>,
    },
    /// A change of the target's catalog.
    DropAtTarget {
        sender_id: String,
        number: usize,
        drop_id: String,
        created_ts: u64,
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
}

impl World {
    pub(super) fn deliver_mail(&mut self) {
        while let Some(letter) = self.mail.next(self.now_ms) {
            match letter {
                Letter::Register { worker_id, attempt } => self.on_register(worker_id, attempt),
                Letter::Heartbeat { request, attempt } => self.on_heartbeat(*request, attempt),
                Letter::Confirmed { term, received, worker_id, attempt } => {
                    self.on_confirmed(term, *received, worker_id, attempt);
                }
                Letter::Leave { request, attempt } => self.on_leave(*request, attempt),
                Letter::Leaving { term, batch, worker_id, attempt } => {
                    self.on_leaving(term, batch, worker_id, attempt);
                }
                Letter::Registered { worker_id, attempt } => self.on_registered(&worker_id, attempt),
                Letter::Answer { worker_id, attempt, reply } => self.on_answer(&worker_id, attempt, *reply),
                Letter::Left { worker_id, attempt } => self.on_left(&worker_id, attempt),
                Letter::Execute { call, count, answers } => self.on_execute(&call, count, answers),
                Letter::Executed { call_id, position } => self.on_executed(call_id, position),
                Letter::DropAtTarget { sender_id, number, drop_id, created_ts } => {
                    self.on_drop_at_target(&sender_id, number, drop_id, created_ts);
                }
            }
        }
    }

    /// Sends between a worker and the coordinators: late, lost or twice, if the weather is bad. `worker_id` is the end
    /// that may be cut off.
    pub(super) fn send(&mut self, worker_id: &str, letter: Letter) {
        let cut =
            self.processes.iter().any(|process| process.is(worker_id) && process.cut_until_ms > self.now_ms);
        if cut || (self.weather.is_bad() && self.random.chance(self.weather.loss)) {
            return;
        }
        let delay_ms = self.delay_ms();
        self.mail.post(self.now_ms + delay_ms, letter);
    }

    pub(super) fn delay_ms(&mut self) -> u64 {
        if self.weather.is_bad() && self.random.chance(self.weather.delay) {
            self.random.below(900)
        } else {
            1 + self.random.below(15)
        }
    }
}
