//! The sender's loop: events in, calls of the core, calls to the target out.

pub(super) mod calls;
mod foreign;
mod pacing;
mod presence;
mod readers;
mod refused;
mod report;
mod sight;
mod target_clock;
mod too_large;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use harrier_milvus::client::{ClientError, MilvusClient};
use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::{SenderAssignment, SenderPhase, SenderReport};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use self::calls::{Called, connect};
use self::pacing::Turn;
use self::presence::Asking;
use self::report::PUBLISH_MS;
pub(super) use self::report::{abandoned, never_began};
use super::backoff::Backoff;
use super::call::{self, Outcome};
use super::core::{Core, CoreConfig, CoreStart, FeedId, HoldConfig, LogEnds};
use super::flush_due::FlushDue;
use super::foreign::{ForeignWrites, Grace};
use super::handle::{Command, SenderContext, starting_report};
use super::problems::Problems;
use super::reader::{ReaderEvent, ReaderTask};
use super::takeover::{Findings, Takeover, Trouble};
use super::target_clock::TargetClock;
use super::time::{Monotonic, unix_ms};
use crate::reach::Watch;

/// Beyond the timeout of a call that is on its way, what a stop may take.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// What the next call has to wait for.
enum Gate {
    Open,
    /// An error: not before this moment.
    Pause(Instant),
    /// The target has to answer, and settle.
    Settling(BoxFuture<'static, ()>),
}

/// A running sender.
pub(super) struct Runner {
    assignment: SenderAssignment,
    context: SenderContext,
    commands: mpsc::UnboundedReceiver<Command>,
    report: watch::Sender<SenderReport>,
    horizon: u64,
    clock: Monotonic,
    client: Result<MilvusClient, ClientError>,
    target: Watch,
    problems: Problems,
    troubles: (mpsc::UnboundedSender<Trouble>, mpsc::UnboundedReceiver<Trouble>),
}

/// Everything that exists once the sender has begun.
struct Running {
    core: Core,
    readers: HashMap<FeedId, ReaderTask>,
    events: (mpsc::Sender<ReaderEvent>, mpsc::Receiver<ReaderEvent>),
    call: Option<BoxFuture<'static, Outcome>>,
    /// When it began, and its size.
    called: Called,
    /// What it is made with: an assignment may name another way to the target meanwhile.
    calling: Option<MilvusClient>,
    gate: Gate,
    turn: Turn,
    backoff: Backoff,
    /// A channel whose messages cannot be read: its reader rests until then.
    resting: HashMap<FeedId, Instant>,
    /// Input sets whose shards' log ends are being asked for.
    update: Option<BoxFuture<'static, (SenderAssignment, LogEnds)>>,
    foreign: ForeignWrites,
    /// Messages that somebody else wrote, and when that was last seen, in unix milliseconds.
    foreign_messages: u64,
    foreign_seen_ms: u64,
    /// Where the last acknowledged message stands on the target's log.
    target_position: Bytes,
    /// How often it could not be known what the target has.
    windows_opened: u64,
    flush_due: FlushDue,
    flushing: Option<BoxFuture<'static, Result<usize, ClientError>>>,
    target_clock: TargetClock,
    presence: Asking,
    asking_clock: Option<BoxFuture<'static, Result<Timestamp, ClientError>>>,
    source_ahead_ms: u64,
    published_ms: u64,
    stop: Option<Stop>,
}

struct Stop {
    reply: oneshot::Sender<SenderReport>,
    deadline: Instant,
    /// A call of unknown fate was met while stopping.
    unknown: bool,
    /// It was given up because the target answers nobody here.
    abandoned: bool,
}

impl Runner {
    pub(super) fn new(
        assignment: SenderAssignment,
        context: SenderContext,
        commands: mpsc::UnboundedReceiver<Command>,
        report: watch::Sender<SenderReport>,
    ) -> Self {
        let client = connect(&assignment, &context);
        let target = context.reach.target(&assignment.target.clone().unwrap_or_default());
        Self {
            horizon: assignment.horizon,
            assignment,
            context,
            commands,
            report,
            clock: Monotonic::new(),
            client,
            target,
            problems: Problems::default(),
            troubles: mpsc::unbounded_channel(),
        }
    }

    pub(super) async fn run(mut self) {
        let Some(findings) = self.start().await else { return };
        let sender = self.assignment.sender_id.clone();
        tracing::info!(sender, unclean = self.assignment.unclean, bound = ?findings.uncertain_bound, "sender begins");
        let mut running = self.begin(findings);
        while self.turn(&mut running).await {}
        if let Some(stop) = running.stop.take() {
            let mut report = self.make_report(&mut running);
            if stop.abandoned {
                report = abandoned(&self.assignment);
            } else if stop.unknown {
                report.phase = SenderPhase::Running as i32;
            }
            let stopped = !stop.unknown && !stop.abandoned;
            tracing::info!(sender, stopped, clock = report.clock, "sender ends");
            self.report.send_replace(report.clone());
            // The session may have lost interest.
            let _ = stop.reply.send(report);
        }
    }

    /// Finds out what has to be known. `None` when the sender is to end before it began.
    async fn start(&mut self) -> Option<Findings> {
        let mut settling = self.settling();
        let mut asking = Some(self.takeover().findings(self.assignment.clone()).boxed());
        let mut findings = None;
        while settling.is_some() || asking.is_some() {
            tokio::select! {
                () = optional(&mut settling) => continue,
                found = optional(&mut asking) => {
                    findings = Some(found);
                    continue;
                }
                command = self.commands.recv() => match command? {
                    Command::Grant(horizon) => self.horizon = self.horizon.max(horizon),
                    Command::Update(assignment) => {
                        // What was waited for holds for any inputs; and they may change again and again.
                        if self.take_assignment(*assignment) && settling.is_some() {
                            settling = self.settling();
                        }
                        asking = Some(self.takeover().findings(self.assignment.clone()).boxed());
                    }
                    Command::Stop(reply) => {
                        let _ = reply.send(never_began(&self.assignment));
                        return None;
                    }
                },
                Some(trouble) = self.troubles.1.recv() => self.note(trouble),
            }
            let report = SenderReport { error: self.problems.worst(), ..starting_report(&self.assignment) };
            self.report.send_replace(report);
        }
        findings
    }

    /// After an unclean end of the former owner.
    fn settling(&self) -> Option<BoxFuture<'static, ()>> {
        let takeover = self.takeover();
        self.assignment.unclean.then(|| async move { takeover.settle().await }.boxed())
    }

    fn begin(&mut self, findings: Findings) -> Running {
        let config = &self.context.config;
        let core_config = CoreConfig {
            merge_bytes_max: config.merge_bytes_max,
            call_bytes_max: config.call_bytes_max,
            interval_bytes_max: config.interval_bytes_max,
            tick_interval_ms: config.tick_interval_ms,
            lookahead_ms_min: config.lookahead_ms_min,
            hold: HoldConfig { wait_ms_min: config.hold_ms_min, wait_ms_max: config.hold_ms_max },
        };
        let log = self.context.log.clone();
        let order = Arc::new(move |a: &[u8], b: &[u8]| log.compare(a, b));
        let start = CoreStart {
            uncertain_bound: findings.uncertain_bound,
            log_ends: findings.log_ends,
            now_ms: self.clock.now_ms(),
            // Without randomness the present will do: nobody sends 2^18 messages in a millisecond.
            random: getrandom::u64().unwrap_or_else(|_| unix_ms() << 20),
        };
        let grace =
            Grace { single_ms: config.foreign_creation_grace_ms, several_ms: config.foreign_grace_ms };
        let mut core = Core::new(core_config, &self.assignment, order, &start);
        core.grant(self.horizon);
        Running {
            core,
            readers: HashMap::new(),
            events: mpsc::channel(16),
            call: None,
            called: Called { at: Instant::now(), bytes: 0 },
            calling: None,
            gate: Gate::Open,
            turn: Turn::None,
            backoff: Backoff::new(config),
            resting: HashMap::new(),
            update: None,
            foreign: ForeignWrites::new(&self.assignment, grace),
            foreign_messages: 0,
            windows_opened: 0,
            foreign_seen_ms: 0,
            target_position: Bytes::new(),
            flush_due: FlushDue::default(),
            flushing: None,
            target_clock: TargetClock::default(),
            presence: Asking::default(),
            asking_clock: None,
            source_ahead_ms: 0,
            published_ms: 0,
            stop: None,
        }
    }

    /// One round: what can be done now, then one event. False when the sender has ended.
    async fn turn(&mut self, running: &mut Running) -> bool {
        // In this order: the session tells what to stop before it renews the lease.
        let may_call = self.may_call();
        while let Ok(command) = self.commands.try_recv() {
            self.on_command(running, command);
        }
        self.keep_in_sight(running);
        self.keep_readers(running);
        if may_call {
            self.keep_target_clock(running);
            self.keep_flushing(running);
            self.keep_presence(running);
        }
        self.keep_calling(running, may_call);
        self.publish(running);
        if running.stop.is_some() && self.is_over(running) {
            return false;
        }
        let wake = self.next_wake(running);
        let waits_for_lease = running.call.is_none() && matches!(running.gate, Gate::Open);
        let leaseless = waits_for_lease && !may_call;
        let fence = self.context.fence.clone();
        tokio::select! {
            command = self.commands.recv() => match command {
                Some(command) => self.on_command(running, command),
                None => return false,
            },
            outcome = optional(&mut running.call) => self.on_outcome(running, outcome),
            Some(event) = running.events.1.recv() => self.on_reader(running, event),
            (assignment, ends) = optional(&mut running.update) => {
                running.core.update(&assignment, &ends, self.clock.now_ms());
                let _ = self.take_assignment(assignment);
            }
            outcome = optional(&mut running.flushing) => self.on_flushed(running, outcome),
            answer = optional(&mut running.asking_clock) => self.on_target_clock(running, answer),
            answer = optional(&mut running.presence.answer) => self.on_presence(running, answer),
            () = settled(&mut running.gate) => running.gate = Gate::Open,
            () = running.turn.comes() => {}
            Some(trouble) = self.troubles.1.recv() => self.note(trouble),
            () = call::lease(&fence), if leaseless => {}
            () = tokio::time::sleep_until(wake) => {}
        }
        true
    }

    fn next_wake(&self, running: &Running) -> Instant {
        let publish = self.clock.instant(running.published_ms + PUBLISH_MS);
        let mut wake = publish.max(Instant::now() + Duration::from_millis(1));
        if running.call.is_none()
            && matches!(running.gate, Gate::Open)
            && let Some(due_ms) = running.core.next_deadline_ms()
        {
            wake = wake.min(self.clock.instant(due_ms).max(Instant::now() + Duration::from_millis(1)));
        }
        if let Gate::Pause(until) = running.gate {
            wake = wake.min(until);
        }
        let pace_wait = self.pace_wait();
        if !pace_wait.is_zero() {
            wake = wake.min(Instant::now() + pace_wait.max(Duration::from_millis(1)));
        }
        match self.clock_wait_ms(running) {
            0 => wake,
            wait_ms => wake.min(Instant::now() + Duration::from_millis(wait_ms)),
        }
    }

    fn on_command(&mut self, running: &mut Running, command: Command) {
        match command {
            Command::Grant(horizon) => running.core.grant(horizon),
            Command::Update(assignment) => {
                running.foreign.update(&assignment, self.clock.now_ms());
                let takeover = self.takeover();
                running.update = Some(
                    async move {
                        let ends = takeover.needed_log_ends(&assignment).await;
                        (*assignment, ends)
                    }
                    .boxed(),
                );
            }
            Command::Stop(reply) => {
                let timeout = Duration::from_millis(self.context.config.call_timeout_ms);
                let deadline = Instant::now() + timeout + STOP_GRACE;
                running.core.begin_stop(self.clock.now_ms());
                running.stop = Some(Stop { reply, deadline, unknown: false, abandoned: false });
            }
        }
    }

    /// Whether a stopping sender has ended, in order or because its time is over.
    fn is_over(&self, running: &mut Running) -> bool {
        let Some(stop) = &mut running.stop else { return false };
        let late = Instant::now() >= stop.deadline;
        stop.unknown |= late;
        late || stop.abandoned || running.core.is_stopped()
    }

    /// Answers whether the target is reached in another way than before.
    fn take_assignment(&mut self, assignment: SenderAssignment) -> bool {
        let moved = assignment.target != self.assignment.target;
        self.assignment = assignment;
        if moved {
            // A call on the old connection goes on.
            self.client = connect(&self.assignment, &self.context);
            self.target = self.context.reach.target(&self.assignment.target.clone().unwrap_or_default());
        }
        moved
    }

    fn takeover(&self) -> Takeover {
        Takeover {
            log: self.context.log.clone(),
            config: self.context.config.clone(),
            fence: self.context.fence.clone(),
            client: self.client.clone(),
            target: self.target.clone(),
            troubles: self.troubles.0.clone(),
        }
    }

    fn note(&mut self, (place, trouble): Trouble) {
        match trouble {
            Some((class, message)) => self.problems.set(place, class, message, unix_ms()),
            None => {
                self.problems.clear(&place);
            }
        }
    }
}

/// Resolves with the future, if there is one, and takes it away.
async fn optional<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(running) => {
            let value = running.await;
            *future = None;
            value
        }
        None => std::future::pending().await,
    }
}

async fn settled(gate: &mut Gate) {
    match gate {
        Gate::Settling(settling) => settling.await,
        Gate::Open | Gate::Pause(_) => std::future::pending().await,
    }
}
