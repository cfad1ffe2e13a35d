//! The shell of a sender, step by step: what `run` and `takeover` do with commands, readers and time. What it does with
//! the target is in `calling`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::{SenderAssignment, SenderPhase, SenderReport};
use tokio::sync::oneshot;

use super::calling::{Calling, Settling, call_of};
use super::channel::order;
use super::question::Question;
use super::sights::{Reading, Sights};
use super::sizes::Sizes;
use super::wire::{Answer, Ask, Network, SimTimes};
use super::worker::WorkerClock;
use crate::sender::call::timeout_within;
use crate::sender::core::{Appetite, Core, CoreConfig, CoreStart, HoldConfig, LogEnds};
use crate::sender::foreign::{ForeignWrites, Grace};
use crate::sender::handle::{Command, starting_report};
use crate::sender::log_end::end_of;
use crate::sender::run::{abandoned, never_began};
use crate::sender::takeover::{bound_after_restore, uncertain_bound};
use crate::session::Fence;

/// Beyond the timeout of a call that is on its way, what a stop may take.
const STOP_GRACE_MS: u64 = 1_000;

pub(super) enum Phase {
    /// It finds out what it has to know.
    Starting(Starting),
    Running(Box<Running>),
    Ended,
}

pub(super) struct Starting {
    log_ends: Option<LogEnds>,
    /// Since the logs are asked for their ends.
    reading: Option<Reading>,
    settling: Settling,
    /// Asked of the target when the logs have answered, after a restore.
    asking_clock: Question,
    target_clock: Option<Timestamp>,
}

/// Everything that exists once the sender has begun.
pub(super) struct Running {
    pub core: Core,
    pub calling: Calling,
    pub foreign: ForeignWrites,
    published_ms: u64,
    /// Since the log last gave something.
    reading: Option<Reading>,
    /// Inputs whose log ends are being asked for.
    update: Option<SenderAssignment>,
    /// Since then.
    asking_ends: Option<Reading>,
}

pub(super) struct Stop {
    reply: oneshot::Sender<SenderReport>,
    deadline_ms: u64,
    /// A call of unknown fate was met while stopping.
    pub unknown: bool,
}

/// One sender of a simulated worker.
pub(super) struct SimSender {
    pub(super) assignment: SenderAssignment,
    pub(super) fence: Fence,
    pub(super) times: SimTimes,
    pub(super) sizes: Sizes,
    pub(super) sights: Sights,
    commands: VecDeque<Command>,
    horizon: u64,
    report: SenderReport,
    pub(super) phase: Phase,
    pub(super) stop: Option<Stop>,
    pub(super) clock: WorkerClock,
}

impl SimSender {
    pub fn new(
        assignment: SenderAssignment,
        fence: Fence,
        times: SimTimes,
        (sizes, sights): (Sizes, Sights),
    ) -> Self {
        let settling = if assignment.unclean { Settling::begin(0) } else { Settling::Done };
        let starting = Starting {
            log_ends: None,
            reading: None,
            settling,
            asking_clock: Question::default(),
            target_clock: None,
        };
        Self {
            horizon: assignment.horizon,
            report: starting_report(&assignment),
            assignment,
            fence,
            times,
            sizes,
            sights,
            commands: VecDeque::new(),
            phase: Phase::Starting(starting),
            stop: None,
            clock: WorkerClock::default(),
        }
    }

    pub fn id(&self) -> &str {
        &self.assignment.sender_id
    }

    /// One that has ended answers nothing.
    pub fn command(&mut self, command: Command) {
        if !self.has_ended() {
            self.commands.push_back(command);
        }
    }

    pub fn report(&self) -> SenderReport {
        self.report.clone()
    }

    /// What it last said is true, but not final.
    pub fn abort(&mut self) {
        self.phase = Phase::Ended;
        self.commands.clear();
        self.stop = None;
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// It has begun, and nothing is to be sent again.
    pub fn is_settled(&self) -> bool {
        matches!(&self.phase, Phase::Running(running) if !running.core.is_replaying())
    }

    /// What can be done now.
    pub fn turn(&mut self, clock: WorkerClock, network: &mut impl Network) {
        self.clock = clock;
        match &self.phase {
            Phase::Starting(_) => self.start(network),
            Phase::Running(_) => self.run(network),
            Phase::Ended => {}
        }
    }

    /// As `Runner::start`, and what `Takeover` waits for.
    fn start(&mut self, network: &mut impl Network) {
        while let Some(command) = self.commands.pop_front() {
            match command {
                Command::Grant(horizon) => self.horizon = self.horizon.max(horizon),
                Command::Update(assignment) => {
                    self.assignment = *assignment;
                    if let Phase::Starting(starting) = &mut self.phase {
                        // What was waited for holds for any inputs.
                        (starting.log_ends, starting.target_clock) = (None, None);
                    }
                }
                Command::Stop(reply) => {
                    // The session may have lost interest.
                    let _ = reply.send(never_began(&self.assignment));
                    return self.abort();
                }
            }
        }
        let may_ask = self.may_call().is_some();
        let now_ms = self.clock.monotonic_ms();
        let heard = network.below(3) == 0;
        let all = self.assignment.unclean;
        let ends = heard.then(|| self.log_ends(network, all, &self.assignment)).flatten();
        let restored = self.assignment.unclean && self.assignment.restored;
        let Self { phase: Phase::Starting(starting), assignment, times, sights, .. } = self else { return };
        let patience_ms = times.call_timeout_ms + times.backoff_ms;
        if starting.log_ends.is_none() {
            starting.log_ends = ends;
            starting.reading.get_or_insert_with(|| sights.read(now_ms));
            if starting.log_ends.is_some() {
                sights.heard_log(now_ms);
                starting.reading = None;
            }
        }
        let target_id = target_of(assignment);
        let mut ask = || {
            let call = network.send(call_of(assignment, Ask::Clock, times.call_timeout_ms));
            sights.called(target_id, call, now_ms, times.call_timeout_ms);
            call
        };
        starting.settling.keep(now_ms, patience_ms, may_ask, &mut ask);
        let asks = restored && starting.log_ends.is_some() && starting.target_clock.is_none();
        starting.asking_clock.keep(now_ms, patience_ms, may_ask && asks, &mut ask);
        let known = !restored || starting.target_clock.is_some();
        if known
            && starting.settling.is_done()
            && let Some(ends) = starting.log_ends.take()
        {
            let target_clock = starting.target_clock.unwrap_or(0);
            self.begin(ends, target_clock, network.below(u64::MAX));
        }
    }

    /// How long a call may take; `None` if none may be made.
    pub(super) fn may_call(&self) -> Option<Duration> {
        timeout_within(&self.fence, Duration::from_millis(self.times.call_timeout_ms))
    }

    /// As `Takeover::log_ends`: of all inputs, or of those that cannot do without. `None` if the logs do not answer.
    fn log_ends(&self, network: &impl Network, all: bool, assignment: &SenderAssignment) -> Option<LogEnds> {
        let mut needed =
            assignment.shards.iter().filter(|shard| all || Core::needs_log_end(shard)).peekable();
        if needed.peek().is_none() {
            return Some(LogEnds::default());
        }
        let logs = network.logs(self.id())?;
        let end = |pchannel: &str| end_of(&logs.tail(pchannel, self.clock.true_ms), self.clock.unix_ms());
        let ends = needed
            .filter_map(|shard| Some((shard.source_pchannel.clone(), end(&shard.source_pchannel)?)))
            .collect();
        Some(ends)
    }

    fn begin(&mut self, log_ends: LogEnds, target_clock: Timestamp, random: u64) {
        let assignment = &self.assignment;
        let uncertain_bound = assignment.unclean.then(|| {
            if assignment.restored {
                bound_after_restore(assignment, &log_ends, target_clock)
            } else {
                uncertain_bound(assignment, &log_ends)
            }
        });
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
            calling: Calling::default(),
            foreign: ForeignWrites::new(assignment, grace),
            published_ms: 0,
            reading: None,
            update: None,
            asking_ends: None,
        }));
    }

    pub(super) fn running(&mut self) -> Option<&mut Running> {
        match &mut self.phase {
            Phase::Running(running) => Some(running),
            Phase::Starting(_) | Phase::Ended => None,
        }
    }

    /// As `Runner::turn`, in its order; what its events do is `take_update`, `read` and `answered`.
    fn run(&mut self, network: &mut impl Network) {
        let now_ms = self.clock.monotonic_ms();
        // Before the commands: the session tells what to stop before it renews the lease.
        let may_call = self.may_call();
        self.take_commands(now_ms);
        self.keep_in_sight(network);
        self.take_update(now_ms, network);
        self.read(network);
        if may_call.is_some() {
            self.keep_target_clock(now_ms, network);
            self.keep_flushing(now_ms, network);
        }
        self.keep_calling(now_ms, may_call, network);
        self.publish(now_ms);
        self.end_if_over(now_ms);
    }

    /// As `Runner::keep_in_sight`: a sender that is to stop does not wait for a target that answers nobody here.
    fn keep_in_sight(&mut self, network: &mut impl Network) {
        let Phase::Running(running) = &self.phase else { return };
        if running.core.is_stopped() || !self.sights.is_lost(target_of(&self.assignment)) {
            return;
        }
        let Some(stop) = self.stop.take() else { return };
        network.abandoned(&self.assignment.sender_id, self.assignment.epoch);
        self.report = abandoned(&self.assignment);
        self.phase = Phase::Ended;
        // The session may have lost interest.
        let _ = stop.reply.send(self.report.clone());
    }

    fn take_commands(&mut self, now_ms: u64) {
        while let Some(command) = self.commands.pop_front() {
            let Phase::Running(running) = &mut self.phase else { return };
            match command {
                Command::Grant(horizon) => running.core.grant(horizon),
                Command::Update(assignment) => {
                    running.foreign.update(&assignment, now_ms);
                    running.update = Some(*assignment);
                }
                Command::Stop(reply) => {
                    running.core.begin_stop(now_ms);
                    let deadline_ms = now_ms + self.times.call_timeout_ms + STOP_GRACE_MS;
                    self.stop = Some(Stop { reply, deadline_ms, unknown: false });
                }
            }
        }
    }

    /// Another input set, once the ends of its logs are known.
    fn take_update(&mut self, now_ms: u64, network: &mut impl Network) {
        let asked = self.running().is_some_and(|running| running.update.is_some());
        if !asked || network.below(3) == 0 {
            return;
        }
        let Some(assignment) = self.running().and_then(|running| running.update.take()) else { return };
        let ends = self.log_ends(network, false, &assignment);
        let Phase::Running(running) = &mut self.phase else { return };
        running.asking_ends.get_or_insert_with(|| self.sights.read(now_ms));
        match ends {
            Some(ends) => {
                running.asking_ends = None;
                self.sights.heard_log(now_ms);
                running.core.update(&assignment, &ends, now_ms);
                self.assignment = assignment;
            }
            None => running.update = Some(assignment),
        }
    }

    fn read(&mut self, network: &mut impl Network) {
        let now_ms = self.clock.monotonic_ms();
        let Phase::Running(running) = &mut self.phase else { return };
        let plans = running.core.readers();
        if plans.is_empty() {
            running.reading = None;
        } else {
            running.reading.get_or_insert_with(|| self.sights.read(now_ms));
        }
        for plan in plans {
            if network.below(3) == 0 || running.core.appetite(plan.feed) == Appetite::None {
                continue;
            }
            let count = 1 + usize::try_from(network.below(30)).unwrap_or(0);
            let Some(logs) = network.logs(&self.assignment.sender_id) else { return };
            let batch = logs.read(&plan.channel, &plan.after, self.clock.true_ms, count);
            if batch.is_empty() {
                continue;
            }
            if let Err(error) = running.core.on_messages(plan.feed, plan.generation, batch, &None) {
                panic!("the source log holds what cannot be replicated: {error}");
            }
            self.sights.heard_log(now_ms);
            running.reading = Some(self.sights.read(now_ms));
        }
    }

    /// The target has answered a call.
    pub fn answered(&mut self, clock: WorkerClock, call_id: u64, answer: Answer) {
        self.clock = clock;
        let now_ms = clock.monotonic_ms();
        let again_ms = now_ms + self.times.backoff_ms;
        let settled_ms = now_ms + self.times.target_settle_ms;
        match &mut self.phase {
            Phase::Starting(starting) => {
                starting.settling.answered(call_id, answer, settled_ms, again_ms);
                match answer {
                    _ if !starting.asking_clock.is(call_id) => {}
                    Answer::Clock(clock) => starting.target_clock = Some(clock),
                    _ => starting.asking_clock.refused(again_ms),
                }
            }
            Phase::Running(_) => self.on_answer(now_ms, call_id, answer),
            Phase::Ended => {}
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

/// The id of an assignment's target.
pub(super) fn target_of(assignment: &SenderAssignment) -> &str {
    assignment.target.as_ref().map_or("", |target| &target.target_id)
}

impl Running {
    fn report(&mut self, clock: WorkerClock) -> SenderReport {
        let _ = self.core.drain_traffic();
        self.core.report(clock.monotonic_ms(), clock.unix_ms())
    }
}
