//! Calls to the target, and what their outcomes mean.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use harrier_milvus::client::{ClientError, Endpoint, MilvusClient};
use harrier_milvus::tso;
use harrier_proto::harrier::v1::SenderAssignment;
use tokio::time::Instant;

use super::super::call::{self, CallTimes, Outcome};
use super::super::handle::SenderContext;
use super::super::metrics;
use super::super::problems::{Place, until_next_try};
use super::super::time::unix_ms;
use super::pacing::Turn;
use super::{Gate, Runner, Running};

/// A call that failed after this time without an answer, in milliseconds, met a target that is slow. Before, the lease
/// may have been short, or the connection broke.
pub(in super::super) const SLOW_MS: u64 = 1_000;

/// The call that is on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called {
    pub at: Instant,
    pub bytes: usize,
}

impl Runner {
    /// Makes the next call as soon as one is due and allowed.
    pub(super) fn keep_calling(&mut self, running: &mut Running, may_call: bool) {
        let now_ms = self.clock.now_ms();
        self.keep_limits(running);
        self.keep_foreign(running);
        self.keep_ceiling(running);
        running.core.prepare(now_ms);
        if let Gate::Pause(until) = running.gate
            && until <= Instant::now()
        {
            running.gate = Gate::Open;
        }
        let open = running.call.is_none() && matches!(running.gate, Gate::Open);
        if !open || !may_call || self.clock_wait_ms(running) > 0 || !self.pace_wait().is_zero() {
            if running.call.is_none() {
                running.turn = Turn::None;
            }
            return;
        }
        if !self.has_turn(running) {
            return;
        }
        let client = match &self.client {
            Ok(client) => client.clone(),
            Err(error) => {
                let error = error.clone();
                self.pause(running, &error);
                // The settings may be mended by an update; nothing else helps.
                return;
            }
        };
        if let Some(request) = running.core.next_call(now_ms) {
            let about = (request, running.core.subject());
            let times = CallTimes {
                timeout_max: self.context.target_limits.call_wait(&self.assignment),
                patient_bytes_max: self.context.config.call_patient_bytes_max,
            };
            let fence = self.context.fence.clone();
            self.charge(running);
            running.foreign.calling(about.0.msgs.len());
            running.called = Called { at: Instant::now(), bytes: call::bytes_of(&about.0) };
            running.calling = Some(client.clone());
            let target = self.target.clone();
            let call = call::replicate(client, about, fence, times);
            running.call = Some(async move { target.wait(call, Outcome::sign).await }.boxed());
        } else {
            // More of the pack is to be read first.
            running.turn = Turn::None;
        }
    }

    pub(super) fn may_call(&self) -> bool {
        let timeout = Duration::from_millis(self.context.config.call_timeout_ms);
        call::timeout_within(&self.context.fence, timeout).is_some()
    }

    pub(super) fn on_outcome(&mut self, running: &mut Running, outcome: Outcome) {
        running.turn = Turn::None;
        match outcome {
            Outcome::Acknowledged { position } => {
                let Called { at, bytes } = running.called;
                self.context.target_limits.answered(&self.assignment, bytes, at.elapsed());
                let before = running.core.acked_tick();
                running.core.on_acknowledged();
                let tick = running.core.acked_tick();
                if tick > before {
                    metrics::tick_lag(unix_ms().saturating_sub(tso::physical_ms(tick)));
                }
                running.backoff.reset();
                if self.problems.clear(&Place::Target) {
                    tracing::info!(sender = self.assignment.sender_id, "the target takes messages again");
                }
                self.watch_position(running, position);
            }
            Outcome::NoLease => running.core.on_not_sent(),
            Outcome::Lapsed => self.on_lapsed(running),
            Outcome::NotSent(error) => {
                running.core.on_not_sent();
                self.pause(running, &error);
            }
            Outcome::Unknown(error @ ClientError::TooLarge { .. }) => self.on_too_large(running, &error),
            Outcome::Ahead(target_clock) => self.on_ahead(running, target_clock),
            Outcome::Unknown(error) => self.on_unknown(running, &error),
            Outcome::Refused(error, explained) => self.on_refused(running, &error, explained),
        }
    }

    pub(super) fn on_unknown(&mut self, running: &mut Running, error: &ClientError) {
        let Called { at, bytes } = running.called;
        let waited = at.elapsed();
        let took_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        let sender = &self.assignment.sender_id;
        tracing::warn!(sender, %error, bytes, took_ms, "outcome of a call is unknown, sending again in the idempotent form");
        if took_ms >= SLOW_MS.min(self.context.config.call_timeout_ms) {
            self.context.target_limits.unanswered(&self.assignment, bytes, waited);
        }
        let wait = self.begin_again(running);
        self.problems.set(Place::Target, error.class(), until_next_try(error, wait), unix_ms());
    }

    /// The lease ended before the answer: that says nothing about the target.
    fn on_lapsed(&mut self, running: &mut Running) {
        let sender = &self.assignment.sender_id;
        tracing::warn!(
            sender,
            "the lease ended before a call was answered, sending again in the idempotent form"
        );
        self.begin_again(running);
    }

    /// How long until the next try begins.
    fn begin_again(&mut self, running: &mut Running) -> Duration {
        self.reconnect();
        running.core.on_unknown_outcome();
        self.settle(running)
    }

    /// Waits until no call of before is executed any more: first what it returns, then for an answer of the target.
    pub(super) fn settle(&mut self, running: &mut Running) -> Duration {
        running.foreign.unknown_outcome();
        if let Some(stop) = &mut running.stop {
            stop.unknown = true;
        }
        let (takeover, wait) = (self.takeover(), running.backoff.next());
        running.gate = Gate::Settling(
            async move {
                tokio::time::sleep(wait).await;
                takeover.settle().await;
            }
            .boxed(),
        );
        wait
    }

    pub(super) fn pause(&mut self, running: &mut Running, error: &ClientError) {
        let wait = running.backoff.next();
        tracing::warn!(sender = self.assignment.sender_id, %error, wait_ms = wait.as_millis(), "the target took nothing");
        self.problems.set(Place::Target, error.class(), until_next_try(error, wait), unix_ms());
        running.gate = Gate::Pause(Instant::now() + wait);
    }

    /// Another connection; what the old one still holds back is thrown away.
    fn reconnect(&mut self) {
        if let Ok(client) = &self.client {
            client.close_now();
        }
        self.client = connect(&self.assignment, &self.context);
    }
}

pub(super) fn connect(
    assignment: &SenderAssignment,
    context: &SenderContext,
) -> Result<MilvusClient, ClientError> {
    let mut endpoint = Endpoint::from_wire(&assignment.target.clone().unwrap_or_default());
    let timeout = Duration::from_millis(context.config.call_timeout_ms);
    endpoint.request_timeout = timeout;
    // What the kernel still holds must not leave it after the lease.
    let lease = context.fence.remaining();
    endpoint.unacked_timeout = if lease.is_zero() { timeout } else { timeout.min(lease) };
    let fence = context.fence.clone();
    // A worker that was frozen in front of a write must not make it once its lease is over.
    MilvusClient::guarded(&endpoint, Arc::new(move || fence.may_send_until().is_some()))
}
