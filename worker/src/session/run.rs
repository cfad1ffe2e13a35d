//! The session's loop: register, beat, obey, and leave.
//!
//! An answer is obeyed before the lease is renewed by it, so that a sender which was given to another worker
//! is fenced before anything may be sent again. While no coordinator answers, the senders go on until the
//! lease ends, fall silent, and go on in place when it is renewed.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use harrier_proto::harrier::v1::{
    HeartbeatReply, HeartbeatRequest, LeaveRequest, RegisterReply, RegisterRequest, SourceLog,
};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::coordinators::{Client, Coordinators};
use super::host::SenderHost;
use super::registration::{Times, UnknownLog};
use super::senders::Senders;
use super::{BootInstant, Lease};
use crate::byte_pool::BytePool;
use crate::metrics;
use crate::traffic::TrafficSink;

/// Makes the host of senders once the coordinator has said where the source's log is.
pub(crate) type MakeHost<H> = Box<dyn Fn(&SourceLog) -> Result<H, UnknownLog> + Send>;

/// What a session is made of.
pub(crate) struct SessionParts<H: SenderHost> {
    pub worker_id: String,
    pub description: String,
    pub coordinators: Coordinators,
    pub lease: Arc<Lease>,
    pub traffic: TrafficSink,
    pub byte_pool: BytePool,
    pub make_host: MakeHost<H>,
    pub drain_timeout: Duration,
    pub backoff_min: Duration,
    pub backoff_max: Duration,
}

/// The session of one worker process.
pub(crate) struct Session<H: SenderHost> {
    parts: SessionParts<H>,
    senders: Senders<H>,
    host: Option<(SourceLog, H)>,
    times: Times,
    sequence: u64,
    desired_version: u64,
    registered: bool,
    draining: bool,
    /// Since when no coordinator answers.
    silent_since: Option<BootInstant>,
}

impl<H: SenderHost> Session<H> {
    pub fn new(parts: SessionParts<H>) -> Self {
        let senders = Senders::new(parts.lease.clone());
        Self {
            parts,
            senders,
            host: None,
            times: Times::default(),
            sequence: 0,
            desired_version: 0,
            registered: false,
            draining: false,
            silent_since: None,
        }
    }

    /// Runs until `shutdown`, then drains and leaves.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let stopped = self.senders.stopped();
        while !shutdown.is_cancelled() {
            if !self.registered {
                self.register(&shutdown).await;
                continue;
            }
            self.beat().await;
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(self.times.heartbeat) => {}
                // A last word is what another worker may be waiting for.
                () = stopped.notified() => {}
            }
        }
        self.drain().await;
    }

    /// Registers, however long it takes.
    async fn register(&mut self, shutdown: &CancellationToken) {
        let mut backoff = self.parts.backoff_min;
        loop {
            if self.try_register().await || shutdown.is_cancelled() {
                return;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(backoff) => {}
            }
            // A lost session must be found again within a lease, however long ago it was lost.
            let longest = if self.senders.is_idle() { self.parts.backoff_max } else { self.times.heartbeat };
            backoff = (backoff * 2).min(longest).max(self.parts.backoff_min);
        }
    }

    async fn try_register(&mut self) -> bool {
        let request = RegisterRequest {
            worker_id: self.parts.worker_id.clone(),
            description: self.parts.description.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let timeout = self.times.call;
        let call = |mut client: Client| {
            let request = request.clone();
            async move { client.register(request).await }.boxed()
        };
        match self.parts.coordinators.call(timeout, call).await {
            Ok(reply) => self.take_registration(reply.into_inner()),
            Err(error) => {
                self.unanswered(&error);
                false
            }
        }
    }

    /// The lease begins with the first heartbeat that is answered, not here: only its answer says which senders
    /// are still this worker's.
    fn take_registration(&mut self, reply: RegisterReply) -> bool {
        self.answered();
        self.times = Times::of(&reply);
        let log = reply.source_log.unwrap_or_default();
        if self.host.as_ref().is_none_or(|(known, _)| *known != log) {
            match (self.parts.make_host)(&log) {
                Ok(host) => self.host = Some((log, host)),
                Err(error) => {
                    tracing::error!(%error, "cannot work for this coordinator");
                    return false;
                }
            }
        }
        tracing::info!(
            worker_id = self.parts.worker_id,
            coordinator = self.parts.coordinators.address(),
            heartbeat_ms = reply.heartbeat_ms,
            lease_ms = reply.lease_ms,
            "registered"
        );
        self.registered = true;
        // Another coordinator may number its sets anew.
        self.desired_version = 0;
        true
    }

    async fn beat(&mut self) {
        self.sequence += 1;
        let senders = self.senders.reports();
        let finals = self.senders.final_ids();
        let traffic = self.parts.traffic.drain();
        let buffered_bytes = self.parts.byte_pool.held_bytes() as u64;
        metrics::load(buffered_bytes, self.senders.len());
        let request = HeartbeatRequest {
            worker_id: self.parts.worker_id.clone(),
            sequence: self.sequence,
            draining: self.draining,
            desired_version: self.desired_version,
            senders,
            traffic: traffic.samples(),
            buffered_bytes,
        };
        let call = |mut client: Client| {
            // Each attempt counts from its own moment; the earlier ones were not answered.
            let (request, sent) = (request.clone(), BootInstant::now());
            async move { client.heartbeat(request).await.map(|reply| (sent, reply.into_inner())) }.boxed()
        };
        let answer = self.parts.coordinators.call(self.times.call, call).await;
        match answer {
            Ok((sent, reply)) => {
                self.answered();
                // Also one that does not know the worker has taken its reports.
                self.senders.answered(&finals, BootInstant::now());
                self.obey(sent, reply);
            }
            Err(error) => {
                self.parts.traffic.restore(traffic);
                self.unanswered(&error);
            }
        }
        metrics::lease_held(self.parts.lease.until().is_some());
    }

    fn obey(&mut self, sent: BootInstant, reply: HeartbeatReply) {
        if reply.sequence != self.sequence {
            tracing::warn!(
                sequence = reply.sequence,
                newest = self.sequence,
                "answer to an older heartbeat ignored"
            );
            return;
        }
        if reply.unknown_worker {
            tracing::warn!(
                worker_id = self.parts.worker_id,
                "coordinator does not know this worker: registering again"
            );
            self.registered = false;
            return;
        }
        if !reply.unchanged {
            if let Some((_, host)) = &self.host
                && !self.draining
            {
                self.senders.reconcile(reply.desired, host);
            }
            self.desired_version = reply.desired_version;
        }
        self.senders.grant(&reply.horizons);
        self.parts.lease.renew(sent + self.times.lease);
    }

    fn answered(&mut self) {
        if let Some(since) = self.silent_since.take() {
            let silent_ms = BootInstant::now().since(since).as_millis();
            let coordinator = self.parts.coordinators.address();
            tracing::info!(coordinator, silent_ms, "a coordinator answers again");
        }
    }

    fn unanswered(&mut self, error: &Status) {
        metrics::heartbeat_failed();
        if self.silent_since.is_none() {
            self.silent_since = Some(BootInstant::now());
            tracing::warn!(code = ?error.code(), error = error.message(), "no coordinator answers; trying on");
        }
    }

    /// Finishes what is in flight, hands the last words over and leaves; ends all senders at the timeout.
    async fn drain(mut self) {
        self.draining = true;
        let deadline = Instant::now() + self.parts.drain_timeout;
        let stopped = self.senders.stopped();
        self.senders.stop_all();
        let mut beats = tokio::time::interval(self.times.heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.senders.is_idle() && Instant::now() < deadline {
            tokio::select! {
                // The lease is needed for what is in flight.
                _ = beats.tick() => {
                    if self.registered { self.beat().await } else { self.try_register().await; }
                }
                () = stopped.notified() => self.senders.collect(),
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
        let clean = self.senders.abort_all();
        self.parts.lease.end();
        if clean {
            // Nobody knows a worker that never registered: there is nothing to say goodbye to.
            if self.registered || !self.senders.final_ids().is_empty() {
                self.leave(deadline).await;
            }
        } else {
            // Not said goodbye: the lease must run out before anybody else may send.
            tracing::error!("senders did not stop in time and were ended; their lease has to run out");
        }
    }

    async fn leave(&mut self, deadline: Instant) {
        let request =
            LeaveRequest { worker_id: self.parts.worker_id.clone(), senders: self.senders.reports() };
        let mut backoff = self.parts.backoff_min;
        loop {
            let call = |mut client: Client| {
                let request = request.clone();
                async move { client.leave(request).await }.boxed()
            };
            // Longer than a heartbeat's: the final reports are committed before the answer.
            let timeout = self.times.lease * 2;
            let left = tokio::time::timeout_at(deadline, self.parts.coordinators.call(timeout, call)).await;
            match left {
                Ok(Ok(_)) => return tracing::info!(worker_id = self.parts.worker_id, "left"),
                Ok(Err(error)) => tracing::debug!(%error, "cannot leave yet"),
                Err(_) => break,
            }
            if Instant::now() + backoff >= deadline {
                break;
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(self.parts.backoff_max);
        }
        tracing::warn!("no coordinator took the goodbye; the lease has to run out");
    }
}
