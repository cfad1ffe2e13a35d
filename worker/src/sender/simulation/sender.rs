//! The shell of a sender, step by step: what `run` and `takeover` do with readers, the target and time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use harrier_milvus::client::ReplicatePosition;
use harrier_proto::harrier::v1::{SenderAssignment, SenderPhase, SenderReport};
use harrier_proto::milvus::ReplicateMessageRequest;
use tokio::sync::oneshot;

use super::channel::{SimChannel, order};
use super::worker::WorkerClock;
use crate::sender::call::{CallTimes, bytes_of, timeout_within};
use crate::sender::core::{Appetite, Core, CoreConfig, CoreStart, HoldConfig, LogEnds};
use crate::sender::foreign::{ForeignWrites, Grace};
use crate::sender::handle::starting_report;
use crate::sender::log_end::end_of;
use crate::sender::run::never_began;
use crate::sender::takeover::uncertain_bound;
use crate::session::Fence;

/// Times and sizes of a simulated worker.
#[derive(Clone, Copy, Debug)]
pub struct SimTimes {
    /// As `worker.call_timeout_ms`.
    pub call_timeout_ms: u64,
    /// As `worker.target_settle_ms`.
    pub target_settle_ms: u64,
    /// As `worker.foreign_grace_ms`.
    pub foreign_grace_ms: u64,
    /// Wait after a failed call.
    pub backoff_ms: u64,
    /// As `worker.merge_bytes_max`.
    pub merge_bytes_max: usize,
    /// As `worker.call_bytes_max`.
    pub call_bytes_max: usize,
}

/// A call on its way to the target.
#[derive(Clone, Debug)]
pub struct Call {
    /// Identifies it, over all workers.
    pub id: u64,
    /// The sender that makes it.
    pub sender_id: String,
    /// Its epoch.
    pub epoch: u64,
    /// `None` = the question whether the target answers.
    pub request: Option<ReplicateMessageRequest>,
    /// After so many milliseconds the target does not begin to execute it. The sender may wait longer for the answer.
    pub timeout_ms: u64,
}

/// What a worker can reach from where it is.
pub trait Network {
    /// The channel of a sender; its logs can be read, the target is reached by [`Network::send`].
    fn channel(&self, sender_id: &str) -> Option<&SimChannel>;
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64;
    /// Sends a call, whose id is not set yet; answers the id. What becomes of it is told, if at all, to
    /// [`super::SimWorker::answered`].
    fn send(&mut self, call: Call) -> u64;
}

/// How long the answer to a question is waited for.
const ASK_AGAIN_MS: u64 = 1_000;

enum Phase {
    /// It finds out what it has to know.
    Starting {
        log_ends: Option<LogEnds>,
        settled: Settling,
    },
    Running(Box<Running>),
    Ended,
}

/// An answer of the target, then a time.
#[derive(Clone, Copy)]
enum Settling {
    Asking { call: Option<u64>, not_before_ms: u64 },
    Until(u64),
    Done,
}

struct Running {
    core: Core,
    settling: Settling,
    pause_until_ms: u64,
    call: Option<InFlight>,
    foreign: ForeignWrites,
    published_ms: u64,
    update: Option<SenderAssignment>,
}

struct InFlight {
    /// `None` = prepared, not sent yet.
    id: Option<u64>,
    request: ReplicateMessageRequest,
    /// The target does not execute it later.
    begin_by_ms: u64,
    /// The answer is waited for until then, while there is a lease.
    deadline_ms: u64,
}

struct Stop {
    reply: oneshot::Sender<SenderReport>,
    deadline_ms: u64,
    unknown: bool,
}

/// One sender of a simulated worker.
pub(super) struct SimSender {
    assignment: SenderAssignment,
    fence: Fence,
    times: SimTimes,
    horizon: u64,
    report: SenderReport,
    phase: Phase,
    stop_asked: Option<oneshot::Sender<SenderReport>>,
    stop: Option<Stop>,
    clock: WorkerClock,
}

impl SimSender {
    pub fn new(assignment: SenderAssignment, fence: Fence, times: SimTimes) -> Self {
        let unclean = assignment.unclean;
        let settled =
            if unclean { Settling::Asking { call: None, not_before_ms: 0 } } else { Settling::Done };
        Self {
            horizon: assignment.horizon,
            report: starting_report(&assignment),
            assignment,
            fence,
            times,
            phase: Phase::Starting { log_ends: None, settled },
            stop_asked: None,
            stop: None,
            clock: WorkerClock::default(),
        }
    }

    pub fn id(&self) -> &str {
        &self.assignment.sender_id
    }

    pub fn update(&mut self, assignment: SenderAssignment) {
        match &mut self.phase {
            Phase::Starting { log_ends, settled } => {
                *log_ends = None;
                if assignment.unclean {
                    *settled = Settling::Asking { call: None, not_before_ms: 0 };
                }
                self.assignment = assignment;
            }
            Phase::Running(running) => running.update = Some(assignment),
            Phase::Ended => {}
        }
    }

    pub fn grant(&mut self, horizon: u64) {
        self.horizon = self.horizon.max(horizon);
        if let Phase::Running(running) = &mut self.phase {
            running.core.grant(horizon);
        }
    }

    pub fn report(&self) -> SenderReport {
        self.report.clone()
    }

    pub fn stop(&mut self, reply: oneshot::Sender<SenderReport>) {
        self.stop_asked = Some(reply);
    }

    pub fn abort(&mut self) {
        self.phase = Phase::Ended;
        self.stop_asked = None;
        self.stop = None;
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// What can be done now.
    pub fn turn(&mut self, clock: WorkerClock, network: &mut impl Network) {
        self.clock = clock;
        match &self.phase {
            Phase::Starting { .. } => self.start(network),
            Phase::Running(_) => self.run(network),
            Phase::Ended => {}
        }
    }

    fn start(&mut self, network: &mut impl Network) {
        if let Some(reply) = self.stop_asked.take() {
            let _ = reply.send(never_began(&self.assignment));
            self.phase = Phase::Ended;
            return;
        }
        let now_ms = self.clock.monotonic_ms();
        let may_ask =
            timeout_within(&self.fence, Duration::from_millis(self.times.call_timeout_ms)).is_some();
        let ends = self.log_ends(network, self.assignment.unclean, &self.assignment);
        let Phase::Starting { log_ends, settled } = &mut self.phase else { return };
        if log_ends.is_none() && network.below(3) == 0 {
            *log_ends = Some(ends);
        }
        settle(settled, now_ms, may_ask, &self.assignment, network);
        if let (Some(ends), Settling::Done) = (log_ends, settled) {
            let ends = std::mem::take(ends);
            self.begin(ends, network.below(u64::MAX));
        }
    }

    /// As `Takeover::log_ends`: of all inputs, or of those that cannot do without.
    fn log_ends(&self, network: &impl Network, all: bool, assignment: &SenderAssignment) -> LogEnds {
        let Some(channel) = network.channel(self.id()) else { return LogEnds::new() };
        let needed = assignment.shards.iter().filter(|shard| all || Core::needs_log_end(shard));
        let end = |pchannel: &str| end_of(&channel.tail(pchannel, self.clock.true_ms), self.clock.unix_ms());
        needed
            .filter_map(|shard| Some((shard.source_pchannel.clone(), end(&shard.source_pchannel)?)))
            .collect()
    }

    fn begin(&mut self, log_ends: LogEnds, random: u64) {
        let assignment = &self.assignment;
        let uncertain_bound = assignment.unclean.then(|| uncertain_bound(assignment, &log_ends));
        let grace_ms = self.times.foreign_grace_ms;
        let grace = Grace { single_ms: grace_ms, several_ms: grace_ms };
        let config = CoreConfig {
            merge_bytes_max: self.times.merge_bytes_max,
            call_bytes_max: self.times.call_bytes_max,
            interval_bytes_max: 1 << 20,
            tick_interval_ms: 200,
            lookahead_ms_min: 5_000,
            hold: HoldConfig { wait_ms_min: 1_000, wait_ms_max: 30_000 },
        };
        let start = CoreStart { uncertain_bound, log_ends, now_ms: self.clock.monotonic_ms(), random };
        let mut core = Core::new(config, assignment, Arc::new(order), &start);
        core.grant(self.horizon);
        self.phase = Phase::Running(Box::new(Running {
            core,
            settling: Settling::Done,
            pause_until_ms: 0,
            call: None,
            foreign: ForeignWrites::new(assignment, grace),
            published_ms: 0,
            update: None,
        }));
    }

    fn run(&mut self, network: &mut impl Network) {
        let now_ms = self.clock.monotonic_ms();
        // Before the commands, as the real shell: the session tells what to stop before it renews the lease.
        let may_call = timeout_within(&self.fence, Duration::from_millis(self.times.call_timeout_ms));
        self.take_commands(now_ms, network);
        self.read(network);
        self.keep_calling(now_ms, may_call, network);
        self.publish(now_ms);
        self.end_if_over(now_ms);
    }

    fn take_commands(&mut self, now_ms: u64, network: &impl Network) {
        let update = match &mut self.phase {
            Phase::Running(running) => running.update.take(),
            _ => None,
        };
        if let Some(assignment) = update {
            let ends = self.log_ends(network, false, &assignment);
            if let Phase::Running(running) = &mut self.phase {
                running.core.update(&assignment, &ends, now_ms);
                running.foreign.update(&assignment, now_ms);
            }
            self.assignment = assignment;
        }
        if let Some(reply) = self.stop_asked.take()
            && let Phase::Running(running) = &mut self.phase
        {
            running.core.begin_stop(now_ms);
            let deadline_ms = now_ms + self.times.call_timeout_ms + 1_000;
            self.stop = Some(Stop { reply, deadline_ms, unknown: false });
        }
    }

    fn read(&mut self, network: &mut impl Network) {
        let id = self.assignment.sender_id.clone();
        let Phase::Running(running) = &mut self.phase else { return };
        for plan in running.core.readers() {
            if running.core.appetite(plan.feed) == Appetite::None || network.below(3) == 0 {
                continue;
            }
            let count = 1 + usize::try_from(network.below(30)).unwrap_or(0);
            let Some(channel) = network.channel(&id) else { return };
            let batch = channel.read(&plan.channel, &plan.after, self.clock.true_ms, count);
            if !batch.is_empty()
                && let Err(error) = running.core.on_messages(plan.feed, plan.generation, batch, &None)
            {
                panic!("the source log holds what cannot be replicated: {error}");
            }
        }
    }

    fn keep_calling(&mut self, now_ms: u64, may_call: Option<Duration>, network: &mut impl Network) {
        let id = self.assignment.sender_id.clone();
        let Phase::Running(running) = &mut self.phase else { return };
        if running.foreign.verdict(now_ms).send_again {
            running.core.on_foreign_write();
        }
        running.core.prepare(now_ms);
        settle(&mut running.settling, now_ms, may_call.is_some(), &self.assignment, network);
        if let Some(call) = &mut running.call {
            if call.id.is_none() {
                // Right before the last frame is released.
                if self.fence.may_send_until().is_some() {
                    let timeout_ms = call.begin_by_ms.saturating_sub(now_ms);
                    let request = Some(call.request.clone());
                    call.id = Some(network.send(Call {
                        id: 0,
                        sender_id: id,
                        epoch: self.assignment.epoch,
                        request,
                        timeout_ms,
                    }));
                } else {
                    running.call = None;
                    running.core.on_not_sent();
                }
            } else if now_ms >= call.deadline_ms || self.fence.may_send_until().is_none() {
                self.unknown(now_ms);
            }
            return;
        }
        let open = matches!(running.settling, Settling::Done) && now_ms >= running.pause_until_ms;
        let Some(timeout) = may_call.filter(|_| open) else { return };
        if let Some(request) = running.core.next_call(now_ms) {
            running.foreign.calling(request.msgs.len());
            let times = CallTimes {
                timeout_max: Duration::from_millis(self.times.call_timeout_ms),
                patient_bytes_max: usize::MAX,
            };
            let patience = times.patience(bytes_of(&request), timeout);
            let at = |within: Duration| now_ms + u64::try_from(within.as_millis()).unwrap_or(0);
            let (begin_by_ms, deadline_ms) = (at(patience.begin_within), at(patience.answer_within));
            running.call = Some(InFlight { id: None, request, begin_by_ms, deadline_ms });
        }
    }

    /// The target has answered a call, or refused it without doing anything (`None`).
    pub fn answered(&mut self, clock: WorkerClock, call_id: u64, position: Option<u64>) {
        self.clock = clock;
        let now_ms = clock.monotonic_ms();
        match &mut self.phase {
            Phase::Starting { settled, .. } => answer(settled, call_id, now_ms, self.times),
            Phase::Running(running) => {
                answer(&mut running.settling, call_id, now_ms, self.times);
                if running.call.take_if(|call| call.id == Some(call_id)).is_none() {
                    return;
                }
                match position {
                    Some(position) => {
                        running.core.on_acknowledged();
                        let id = Bytes::copy_from_slice(&position.to_le_bytes());
                        running.foreign.acknowledged(ReplicatePosition { id }, now_ms);
                    }
                    None => {
                        running.core.on_not_sent();
                        running.pause_until_ms = now_ms + self.times.backoff_ms;
                    }
                }
            }
            Phase::Ended => {}
        }
    }

    fn unknown(&mut self, now_ms: u64) {
        let Phase::Running(running) = &mut self.phase else { return };
        running.call = None;
        running.core.on_unknown_outcome();
        running.foreign.unknown_outcome();
        let not_before_ms = now_ms + self.times.backoff_ms;
        running.settling = Settling::Asking { call: None, not_before_ms };
        if let Some(stop) = &mut self.stop {
            stop.unknown = true;
        }
    }

    fn publish(&mut self, now_ms: u64) {
        let Phase::Running(running) = &mut self.phase else { return };
        if now_ms >= running.published_ms + 100 {
            running.published_ms = now_ms;
            self.report = running.report(self.clock);
        }
    }

    fn end_if_over(&mut self, now_ms: u64) {
        let (Phase::Running(running), Some(stop)) = (&mut self.phase, &mut self.stop) else { return };
        let late = now_ms >= stop.deadline_ms;
        stop.unknown |= late;
        if !late && !running.core.is_stopped() {
            return;
        }
        let mut report = running.report(self.clock);
        if stop.unknown {
            report.phase = SenderPhase::Running as i32;
        }
        self.report = report.clone();
        self.phase = Phase::Ended;
        if let Some(stop) = self.stop.take() {
            let _ = stop.reply.send(report);
        }
    }
}

impl Running {
    fn report(&mut self, clock: WorkerClock) -> SenderReport {
        let _ = self.core.drain_traffic();
        self.core.report(clock.monotonic_ms(), clock.unix_ms())
    }
}

fn settle(
    settling: &mut Settling,
    now_ms: u64,
    may_ask: bool,
    assignment: &SenderAssignment,
    network: &mut impl Network,
) {
    match settling {
        Settling::Asking { call, not_before_ms } if call.is_none() && may_ask && now_ms >= *not_before_ms => {
            *call = Some(network.send(Call {
                id: 0,
                sender_id: assignment.sender_id.clone(),
                epoch: assignment.epoch,
                request: None,
                timeout_ms: ASK_AGAIN_MS,
            }));
            // Asked again when no answer comes.
            *not_before_ms = now_ms + ASK_AGAIN_MS;
        }
        Settling::Asking { call, not_before_ms } if now_ms >= *not_before_ms => *call = None,
        Settling::Until(until) if now_ms >= *until => *settling = Settling::Done,
        _ => {}
    }
}

fn answer(settling: &mut Settling, call_id: u64, now_ms: u64, times: SimTimes) {
    if matches!(settling, Settling::Asking { call: Some(call), .. } if *call == call_id) {
        *settling = Settling::Until(now_ms + times.target_settle_ms);
    }
}
