//! Keeps to the target's clock.

use futures::FutureExt;
use harrier_milvus::client::ClientError;
use harrier_milvus::error::ErrorClass;
use harrier_milvus::tso::Timestamp;
use tokio::time::Instant;

use super::super::problems::Place;
use super::super::time::unix_ms;
use super::{Gate, Runner, Running};

/// How often the target is asked for its clock while rows wait for it.
const CLOCK_INTERVAL_WAITING_MS: u64 = 1_000;

impl Runner {
    /// Asks the target for its clock now and then. Only with a lease: without one the connection lets nothing out.
    pub(super) fn keep_target_clock(&mut self, running: &mut Running) {
        let now_ms = self.clock.now_ms();
        let interval_ms = self.context.config.target_clock_interval_ms;
        // Rows that wait for the clock want to know of it soon.
        let waits = self.problems.has(&Place::Clock) || self.clock_wait_ms(running) > 0;
        let interval_ms = if waits { interval_ms.min(CLOCK_INTERVAL_WAITING_MS) } else { interval_ms };
        if running.asking_clock.is_some() || !running.target_clock.is_due(now_ms, interval_ms) {
            return;
        }
        if let Ok(client) = self.client.clone() {
            running.target_clock.asked(now_ms);
            running.asking_clock = Some(async move { client.server_time().await }.boxed());
        }
    }

    pub(super) fn on_target_clock(&mut self, running: &mut Running, answer: Result<Timestamp, ClientError>) {
        match answer {
            Ok(timestamp) => {
                running.target_clock.heard(timestamp, self.clock.now_ms());
                self.judge_clocks(running);
            }
            // Calls find out what is wrong with the target.
            Err(error) => tracing::debug!(%error, "the target does not tell its clock"),
        }
    }

    /// The target refused a call because it lies too far ahead of its clock, which is this one.
    pub(super) fn on_ahead(&mut self, running: &mut Running, target_clock: Timestamp) {
        running.core.on_not_sent();
        running.target_clock.heard(target_clock, self.clock.now_ms());
        self.judge_clocks(running);
        // In case this target's limit is a lower one.
        running.gate = Gate::Pause(Instant::now() + running.backoff.next());
    }

    fn judge_clocks(&mut self, running: &mut Running) {
        let newest = running.core.newest_read().max(running.core.next_tick().unwrap_or(0));
        running.source_ahead_ms = running.target_clock.ahead_ms(newest, self.clock.now_ms());
        let limit_ms = self.context.config.target_ahead_ms_max;
        if running.source_ahead_ms > limit_ms {
            let message = clocks_apart(running.source_ahead_ms, limit_ms);
            if !self.problems.has(&Place::Clock) {
                tracing::warn!(sender = self.assignment.sender_id, "{message}");
            }
            self.problems.set(Place::Clock, ErrorClass::Operator, message, unix_ms());
        } else if self.problems.clear(&Place::Clock) {
            tracing::info!(sender = self.assignment.sender_id, "the clocks of source and target agree again");
        }
    }

    /// As the target's clock goes on, so may what is sent.
    pub(super) fn keep_ceiling(&self, running: &mut Running) {
        let (now_ms, ahead_ms_max) = (self.clock.now_ms(), self.context.config.target_ahead_ms_max);
        running.core.set_ceiling(running.target_clock.ceiling(now_ms, ahead_ms_max));
    }

    /// How long the next call has to wait for the target's clock, in milliseconds. Only a pack that was closed before
    /// that clock was known, or before it went back, or one that tells a drop, has to.
    pub(super) fn clock_wait_ms(&self, running: &Running) -> u64 {
        running.core.next_tick().map_or(0, |tick| {
            let ahead_ms = running.target_clock.ahead_ms(tick, self.clock.now_ms());
            ahead_ms.saturating_sub(self.context.config.target_ahead_ms_max)
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a clock are far below 2^53")]
fn clocks_apart(ahead_ms: u64, limit_ms: u64) -> String {
    format!(
        "the source's clock is at least {:.1} s ahead of the target's clock (limit {:.1} s): set the clocks (NTP); \
         until they agree every row waits for the target's clock",
        ahead_ms as f64 / 1000.0,
        limit_ms as f64 / 1000.0,
    )
}
