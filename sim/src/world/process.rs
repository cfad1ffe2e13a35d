//! Worker processes: their loop, and what becomes of them.

use harrier_proto::harrier::v1::{HeartbeatReply, HeartbeatRequest, RegisterReply, SourceLog};
use harrier_worker::simulation::{Answer, Beat, SimWorker, WorkerClock};

use super::cuts::Cut;
use super::group::clock_speed;
use super::mail::Letter;
use super::targets::Wire;
use super::{CALL_MS, HEARTBEAT_MS, LEASE_MS, World};
use crate::raft::{NODES, NodeId};

/// Attempts of one request: there are three coordinators to ask.
const ATTEMPTS: u32 = 3;

/// One place for a worker process.
pub(super) struct Process {
    /// Calls of another process than this one are none of its business.
    pub(super) number: u64,
    pub(super) worker: SimWorker,
    /// Not scheduled (SIGSTOP, a sleeping machine) until then.
    pub(super) frozen_until_ms: u64,
    /// The ways to the coordinators, ...
    pub(super) coordinators: Cut,
    /// ... the targets, ...
    pub(super) targets: Cut,
    /// (which may be cut one way: calls get there, and answers do not come back)
    pub(super) one_way: bool,
    /// ... and the source's logs.
    pub(super) logs: Cut,
    /// It is not there until then.
    pub(super) dead_until_ms: u64,
    pub(super) draining: bool,
    /// Speed of its clock, in percent.
    speed: u64,
    wall_off_ms: i64,
    booted_ms: u64,
    next_beat_ms: u64,
    attempt: Option<Attempt>,
    attempts: u32,
    /// The coordinator that is asked first.
    coordinator: NodeId,
    /// What arrived while it was frozen.
    inbox: Vec<Inbox>,
}

struct Attempt {
    number: u64,
    sent: WorkerClock,
    sent_ms: u64,
    what: Asked,
}

enum Asked {
    Registration,
    Heartbeat(Box<Beat>),
    Goodbye,
}

enum Inbox {
    Registered(u64),
    Answer(u64, HeartbeatReply),
    Left(u64),
    NotLeader(u64, Option<NodeId>),
    Executed(u64, Answer),
}

impl Process {
    pub(super) fn is(&self, worker_id: &str) -> bool {
        self.worker.id() == worker_id
    }

    /// It cannot do anything for a sender.
    pub(super) fn is_cut_off(&self, now_ms: u64) -> bool {
        !self.targets.is_open(now_ms) || !self.logs.is_open(now_ms)
    }

    pub(super) const fn set_wall_off_ms(&mut self, wall_off_ms: i64) {
        self.wall_off_ms = wall_off_ms;
    }

    fn clock(&self, now_ms: u64, begin_ms: u64) -> WorkerClock {
        let boot_ms = now_ms.saturating_sub(self.booted_ms) * self.speed / 100;
        WorkerClock { true_ms: begin_ms + now_ms, boot_ms: 10_000 + boot_ms, wall_off_ms: self.wall_off_ms }
    }
}

impl World {
    /// A process that just began, with a clock of its own.
    pub(super) fn new_process(&mut self) -> Process {
        self.names += 1;
        let worker = SimWorker::new(format!("{:032x}", self.names), self.times, self.runtime.clone());
        Process {
            number: self.names,
            worker,
            frozen_until_ms: 0,
            coordinators: Cut::default(),
            targets: Cut::default(),
            one_way: false,
            logs: Cut::default(),
            dead_until_ms: 0,
            draining: false,
            speed: clock_speed(&mut self.random),
            wall_off_ms: self.random.below(200).cast_signed() - 100,
            booted_ms: self.now_ms,
            next_beat_ms: self.now_ms,
            attempt: None,
            attempts: 0,
            coordinator: self.random.index(NODES),
            inbox: Vec::new(),
        }
    }

    /// kill -9; another process takes its place some time later.
    pub(super) fn kill(&mut self, index: usize, for_ms: u64) {
        let mut process = self.new_process();
        process.dead_until_ms = self.now_ms + for_ms;
        process.booted_ms = process.dead_until_ms;
        self.processes[index] = process;
    }

    pub(super) fn terminate(&mut self, index: usize) {
        let clock = self.processes[index].clock(self.now_ms, self.begin_ms);
        let process = &mut self.processes[index];
        if !process.draining {
            process.draining = true;
            process.worker.drain(clock);
        }
    }

    pub(super) fn run_process(&mut self, index: usize) {
        let process = &mut self.processes[index];
        if self.now_ms < process.frozen_until_ms || self.now_ms < process.dead_until_ms {
            return;
        }
        let clock = process.clock(self.now_ms, self.begin_ms);
        let inbox = std::mem::take(&mut process.inbox);
        for letter in inbox {
            self.take(index, clock, letter);
        }
        self.talk(index, clock);
        let process = &mut self.processes[index];
        let before = process.worker.sender_count();
        let reads = process.logs.is_open(self.now_ms);
        let mut wire = Wire::new(&mut self.targets, &mut self.random, reads);
        process.worker.turn(clock, &mut wire);
        let calls = wire.into_calls();
        let news = process.worker.has_news();
        if process.worker.sender_count() < before || news {
            // A last word is what another worker may be waiting for.
            process.next_beat_ms = self.now_ms;
        }
        for call in calls {
            self.dispatch(index, call);
        }
    }

    /// The session's loop: one request at a time.
    fn talk(&mut self, index: usize, clock: WorkerClock) {
        let now_ms = self.now_ms;
        let process = &mut self.processes[index];
        if let Some(attempt) = &process.attempt {
            let patience_ms = if matches!(attempt.what, Asked::Goodbye) { 2 * LEASE_MS } else { CALL_MS };
            if now_ms < attempt.sent_ms + patience_ms {
                return;
            }
            process.coordinator = (process.coordinator + 1) % NODES;
            self.ask_again(index, clock);
            return;
        }
        if now_ms < process.next_beat_ms {
            return;
        }
        process.attempts = 0;
        if process.draining && process.worker.is_idle() {
            match process.worker.leave(clock) {
                Some(_) => self.ask(index, clock, Asked::Goodbye),
                None => self.kill(index, 100),
            }
        } else if process.worker.is_registered() {
            let beat = Box::new(process.worker.beat(clock));
            self.ask(index, clock, Asked::Heartbeat(beat));
        } else {
            self.ask(index, clock, Asked::Registration);
        }
    }

    /// Another coordinator gets the same request.
    fn ask_again(&mut self, index: usize, clock: WorkerClock) {
        let process = &mut self.processes[index];
        let again = process.attempts < ATTEMPTS;
        match process.attempt.take() {
            Some(attempt) if again => self.ask(index, clock, attempt.what),
            _ => {
                process.attempts = 0;
                process.next_beat_ms = self.now_ms + HEARTBEAT_MS;
            }
        }
    }

    fn ask(&mut self, index: usize, clock: WorkerClock, what: Asked) {
        self.names += 1;
        let attempt = self.names;
        let process = &mut self.processes[index];
        let worker_id = process.worker.id().to_owned();
        let to = process.coordinator;
        let letter = match &what {
            Asked::Registration => Letter::Register { to, worker_id: worker_id.clone(), attempt },
            Asked::Heartbeat(beat) => {
                let sights = process.worker.sights(clock);
                let request = Box::new(HeartbeatRequest { sights, ..beat.request.clone() });
                Letter::Heartbeat { to, request, attempt }
            }
            Asked::Goodbye => match process.worker.leave(clock) {
                Some(request) => Letter::Leave { to, request: Box::new(request), attempt },
                None => return,
            },
        };
        process.attempts += 1;
        process.attempt = Some(Attempt { number: attempt, sent: clock, sent_ms: self.now_ms, what });
        self.send(&worker_id, letter);
    }

    pub(super) fn on_registered(&mut self, worker_id: &str, attempt: u64) {
        self.deliver(worker_id, Inbox::Registered(attempt));
    }

    pub(super) fn on_answer(&mut self, worker_id: &str, attempt: u64, reply: HeartbeatReply) {
        self.deliver(worker_id, Inbox::Answer(attempt, reply));
    }

    pub(super) fn on_left(&mut self, worker_id: &str, attempt: u64) {
        self.deliver(worker_id, Inbox::Left(attempt));
    }

    /// For whoever made the call.
    pub(super) fn on_executed(&mut self, from: u64, call_id: u64, answer: Answer) {
        let Some(process) = self.processes.iter_mut().find(|process| process.number == from) else { return };
        match process.targets.until(self.now_ms) {
            None => process.inbox.push(Inbox::Executed(call_id, answer)),
            // It may be sent again and again until then.
            Some(open_ms) if self.random.chance(50) => {
                self.mail.post(open_ms, Letter::Executed { to: from, call_id, answer });
            }
            Some(_) => {}
        }
    }

    pub(super) fn on_not_leader(&mut self, worker_id: &str, attempt: u64, leader: Option<NodeId>) {
        self.deliver(worker_id, Inbox::NotLeader(attempt, leader));
    }

    fn deliver(&mut self, worker_id: &str, letter: Inbox) {
        if let Some(process) = self.processes.iter_mut().find(|process| process.is(worker_id)) {
            process.inbox.push(letter);
        }
    }

    fn take(&mut self, index: usize, clock: WorkerClock, letter: Inbox) {
        let now_ms = self.now_ms;
        let process = &mut self.processes[index];
        let number = match &letter {
            Inbox::Executed(call_id, answer) => {
                return process.worker.answered(clock, *call_id, *answer);
            }
            Inbox::NotLeader(number, leader) => {
                if process.attempt.as_ref().is_some_and(|attempt| attempt.number == *number) {
                    process.coordinator = leader.unwrap_or((process.coordinator + 1) % NODES);
                    self.ask_again(index, clock);
                }
                return;
            }
            Inbox::Registered(number) | Inbox::Left(number) | Inbox::Answer(number, _) => *number,
        };
        let Some(attempt) = process.attempt.take_if(|attempt| attempt.number == number) else { return };
        process.attempts = 0;
        match (letter, attempt.what) {
            (Inbox::Registered(_), Asked::Registration) => {
                let reply = RegisterReply {
                    heartbeat_ms: HEARTBEAT_MS,
                    lease_ms: LEASE_MS,
                    source_log: Some(SourceLog { kind: "nats".to_owned(), ..SourceLog::default() }),
                };
                process.worker.take_registration(clock, reply);
                process.next_beat_ms = now_ms;
            }
            (Inbox::Answer(_, reply), Asked::Heartbeat(beat)) => {
                process.worker.take_answer(clock, attempt.sent, &beat, reply);
                process.next_beat_ms = now_ms + process.worker.pause_ms();
            }
            (Inbox::Left(_), Asked::Goodbye) => self.kill(index, 100),
            _ => {}
        }
    }
}
