//! A worker process: its membership, its senders, its clocks.

use std::sync::Arc;
use std::time::Duration;

use harrier_proto::harrier::v1::{HeartbeatReply, HeartbeatRequest, LeaveRequest, RegisterReply, Sight};

use super::host::{SimHost, Started, lock};
use super::sender::SimSender;
use super::sights::Sights;
use super::sizes::Sizes;
use super::wire::{Answer, Network, SimTimes};
use crate::session::membership::{Carried, Membership};
use crate::session::{BootInstant, Lease};

/// The clocks of one worker at one moment, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkerClock {
    /// The real time: what is on the source's logs by now.
    pub true_ms: u64,
    /// The worker's clock since boot. It may run fast or slow, but never jumps.
    pub boot_ms: u64,
    /// How far the worker's wall clock is off.
    pub wall_off_ms: i64,
}

impl WorkerClock {
    /// As the shell's clock: never 0.
    pub(super) const fn monotonic_ms(self) -> u64 {
        1_000_000 + self.boot_ms
    }

    pub(super) const fn unix_ms(self) -> u64 {
        self.true_ms.saturating_add_signed(self.wall_off_ms)
    }
}

/// A heartbeat that waits for its answer.
pub struct Beat {
    /// What is sent.
    pub request: HeartbeatRequest,
    carried: Carried,
}

/// A worker process. Dropping it is killing it.
pub struct SimWorker {
    membership: Membership<SimHost>,
    host: SimHost,
    started: Started,
    runtime: Arc<tokio::runtime::Runtime>,
}

impl SimWorker {
    /// A process that begins. `runtime`: a current-thread runtime without time, for the session's bookkeeping.
    pub fn new(worker_id: String, times: SimTimes, runtime: Arc<tokio::runtime::Runtime>) -> Self {
        let started = Started::default();
        let (sizes, sights) = (Sizes::new(&times), Sights::new(&times));
        let host = SimHost { started: started.clone(), times, sizes, sights };
        let membership = Membership::new(worker_id, Arc::new(Lease::new()));
        Self { membership, host, started, runtime }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.membership.worker_id
    }

    /// Whether it has to register before it beats.
    pub const fn is_registered(&self) -> bool {
        self.membership.registered
    }

    /// Whether its lease lasts.
    pub fn holds_lease(&self, clock: WorkerClock) -> bool {
        now(clock);
        self.membership.lease.until().is_some()
    }

    /// The answer to a registration.
    pub fn take_registration(&mut self, clock: WorkerClock, reply: RegisterReply) {
        now(clock);
        let host = self.host.clone();
        if let Err(error) = self.membership.take_registration(reply, |_| Ok(host.clone())) {
            panic!("a simulated host can always be made: {error}");
        }
    }

    /// The next heartbeat.
    pub fn beat(&mut self, clock: WorkerClock) -> Beat {
        now(clock);
        self.settle();
        let (request, carried) = self.membership.heartbeat(Vec::new(), 0);
        Beat { request, carried }
    }

    /// What a heartbeat says of targets and logs, as of the moment of sending.
    pub fn sights(&self, clock: WorkerClock) -> Vec<Sight> {
        self.host.sights.told(clock.monotonic_ms())
    }

    /// Whether the coordinators should hear of that at once.
    pub fn has_news(&self) -> bool {
        self.host.sights.take_news()
    }

    /// Until the next heartbeat, after one that was answered, in milliseconds.
    pub fn pause_ms(&self) -> u64 {
        u64::try_from(self.membership.pause().as_millis()).unwrap_or(u64::MAX)
    }

    /// The answer to a heartbeat that was sent when the worker's clock was `sent`.
    pub fn take_answer(&mut self, clock: WorkerClock, sent: WorkerClock, beat: &Beat, reply: HeartbeatReply) {
        let _entered = self.runtime.enter();
        let sent = BootInstant::simulate(Duration::from_millis(sent.boot_ms));
        now(clock);
        self.host.sights.look(&reply.looks, clock.monotonic_ms());
        self.membership.take_answer(&beat.carried, sent, reply);
    }

    /// What its senders do now.
    pub fn turn(&mut self, clock: WorkerClock, network: &mut impl Network) {
        now(clock);
        self.host.sights.keep_looking(clock.monotonic_ms(), network);
        let started = lock(&self.started).clone();
        for sender in &started {
            lock(sender).turn(clock, network);
        }
        lock(&self.started).retain(|sender| !lock(sender).has_ended());
        self.settle();
    }

    /// The target has answered a call of a sender.
    pub fn answered(&mut self, clock: WorkerClock, call_id: u64, answer: Answer) {
        now(clock);
        self.host.sights.answered(call_id, answer, clock.monotonic_ms());
        for sender in lock(&self.started).iter() {
            lock(sender).answered(clock, call_id, answer);
        }
    }

    /// SIGTERM: it stops its senders and beats until they have ended.
    pub fn drain(&mut self, clock: WorkerClock) {
        let _entered = self.runtime.enter();
        now(clock);
        self.membership.draining = true;
        self.membership.senders.stop_all();
    }

    /// Whether a draining worker has nothing left to wait for.
    pub fn is_idle(&mut self) -> bool {
        self.settle();
        self.membership.senders.collect();
        self.membership.senders.is_idle()
    }

    /// The goodbye; `None` if a sender ended with something in flight.
    pub fn leave(&mut self, clock: WorkerClock) -> Option<LeaveRequest> {
        now(clock);
        let clean = self.membership.senders.abort_all();
        self.membership.lease.end();
        clean.then(|| self.membership.leave())
    }

    /// How many senders have not ended.
    pub fn sender_count(&self) -> usize {
        lock(&self.started).len()
    }

    /// Whether this sender works and has nothing to send again.
    pub fn is_settled(&self, sender_id: &str) -> bool {
        let started = lock(&self.started);
        let settled = |sender: &SimSender| sender.id() == sender_id && sender.is_settled();
        started.iter().any(|sender| settled(&lock(sender)))
    }

    /// Whether this sender has not ended.
    pub fn runs(&self, sender_id: &str) -> bool {
        lock(&self.started).iter().any(|sender| lock(sender).id() == sender_id)
    }

    /// Lets the session's tasks take the last words of senders that have stopped.
    fn settle(&self) {
        if !self.membership.senders.any_stopping() {
            return;
        }
        self.runtime.block_on(async {
            for _ in 0..2 {
                tokio::task::yield_now().await;
            }
        });
    }
}

fn now(clock: WorkerClock) {
    BootInstant::simulate(Duration::from_millis(clock.boot_ms));
}
