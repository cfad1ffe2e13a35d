//! The session's loop: register, beat, obey, and leave.
//!
//! While no coordinator answers, the senders go on until the lease ends, fall silent, and go on in place when it is
//! renewed.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use harrier_proto::harrier::v1::{RegisterReply, RegisterRequest, SourceLog};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use super::coordinators::{Client, Coordinators};
use super::host::SenderHost;
use super::membership::Membership;
use super::registration::UnknownLog;
use super::{BootInstant, Lease};
use crate::byte_pool::BytePool;
use crate::metrics;
use crate::pace::Pace;
use crate::reach::Reach;
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
    pub reach: Reach,
    pub pace: Pace,
    pub make_host: MakeHost<H>,
    pub drain_timeout: Duration,
    pub backoff_min: Duration,
    pub backoff_max: Duration,
}

/// The session of one worker process.
pub(crate) struct Session<H: SenderHost> {
    parts: SessionParts<H>,
    membership: Membership<H>,
    /// Since when no coordinator answers.
    silent_since: Option<BootInstant>,
}

impl<H: SenderHost> Session<H> {
    pub fn new(parts: SessionParts<H>) -> Self {
        let membership = Membership::new(parts.worker_id.clone(), parts.lease.clone());
        Self { parts, membership, silent_since: None }
    }

    /// Runs until `shutdown`, then drains and leaves.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let stopped = self.membership.senders.stopped();
        let reach = self.parts.reach.clone();
        let _looking = AbortOnDropHandle::new(tokio::spawn(reach.clone().keep_looking()));
        let mut registered_at = Instant::now();
        while !shutdown.is_cancelled() {
            if !self.membership.registered {
                self.register(&shutdown).await;
                registered_at = Instant::now();
                continue;
            }
            self.beat().await;
            if !self.membership.registered && registered_at.elapsed() > self.membership.times.heartbeat {
                // A new leader has yet to learn of this worker, and the lease runs.
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(self.pause()) => {}
                // A last word is what another worker may be waiting for.
                () = stopped.notified() => {}
                () = reach.news() => {}
            }
        }
        self.drain().await;
    }

    /// Until the next heartbeat. While no coordinator answers the lease runs out: whoever leads next should hear soon.
    fn pause(&self) -> Duration {
        match self.silent_since {
            Some(_) => self.parts.backoff_min.min(self.membership.times.heartbeat),
            None => self.membership.pause(),
        }
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
            let longest = if self.membership.senders.is_idle() {
                self.parts.backoff_max
            } else {
                self.membership.times.heartbeat
            };
            backoff = (backoff * 2).min(longest).max(self.parts.backoff_min);
        }
    }

    async fn try_register(&mut self) -> bool {
        let request = RegisterRequest {
            worker_id: self.parts.worker_id.clone(),
            description: self.parts.description.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let timeout = self.membership.times.call;
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

    fn take_registration(&mut self, reply: RegisterReply) -> bool {
        self.answered();
        let (heartbeat_ms, lease_ms) = (reply.heartbeat_ms, reply.lease_ms);
        if let Err(error) = self.membership.take_registration(reply, &self.parts.make_host) {
            tracing::error!(%error, "cannot work for this coordinator");
            return false;
        }
        tracing::info!(
            worker_id = self.parts.worker_id,
            coordinator = self.parts.coordinators.address(),
            heartbeat_ms,
            lease_ms,
            "registered"
        );
        true
    }

    async fn beat(&mut self) {
        let traffic = self.parts.traffic.drain();
        let buffered_bytes = self.parts.byte_pool.held_bytes() as u64;
        let (request, carried) = self.membership.heartbeat(traffic.samples(), buffered_bytes);
        metrics::load(buffered_bytes, self.membership.senders.len());
        let reach = &self.parts.reach;
        let call = |mut client: Client| {
            // Each attempt counts from its own moment; the earlier ones were not answered.
            let (mut request, sent) = (request.clone(), BootInstant::now());
            request.sights = reach.sights();
            async move { client.heartbeat(request).await.map(|reply| (sent, reply.into_inner())) }.boxed()
        };
        let answer = self.parts.coordinators.call(self.membership.times.call, call).await;
        match answer {
            Ok((sent, reply)) => {
                self.answered();
                self.parts.reach.look(&reply.looks);
                self.parts.pace.set(&reply.paces);
                self.membership.take_answer(&carried, sent, reply);
            }
            Err(error) => {
                self.parts.traffic.restore(traffic);
                self.unanswered(&error);
            }
        }
        metrics::lease_held(self.parts.lease.until().is_some());
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
        self.membership.draining = true;
        let deadline = Instant::now() + self.parts.drain_timeout;
        let stopped = self.membership.senders.stopped();
        self.membership.senders.stop_all();
        let mut beats = tokio::time::interval(self.membership.times.heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.membership.senders.is_idle() && Instant::now() < deadline {
            tokio::select! {
                // The lease is needed for what is in flight.
                _ = beats.tick() => {
                    if self.membership.registered { self.beat().await } else { self.try_register().await; }
                }
                () = stopped.notified() => self.membership.senders.collect(),
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
        let clean = self.membership.senders.abort_all();
        self.parts.lease.end();
        if clean {
            // Nobody knows a worker that never registered: there is nothing to say goodbye to.
            if self.membership.registered || !self.membership.senders.final_ids().is_empty() {
                self.leave(deadline).await;
            }
        } else {
            // Not said goodbye: the lease must run out before anybody else may send.
            tracing::error!("senders did not stop in time and were ended; their lease has to run out");
        }
    }

    async fn leave(&mut self, deadline: Instant) {
        let request = self.membership.leave();
        let mut backoff = self.parts.backoff_min;
        loop {
            let call = |mut client: Client| {
                let request = request.clone();
                async move { client.leave(request).await }.boxed()
            };
            // Longer than a heartbeat's: the final reports are committed before the answer.
            let timeout = self.membership.times.lease * 2;
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
