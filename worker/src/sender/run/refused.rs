//! Calls that the target answered with an error.

use harrier_milvus::client::ClientError;

use super::super::core::{Refusal, Verdict};
use super::super::refusal::Explained;
use super::super::time::unix_ms;
use super::{Runner, Running};

impl Runner {
    pub(super) fn on_refused(&mut self, running: &mut Running, error: &ClientError, explained: Explained) {
        let refusal = Refusal {
            class: explained.class,
            message: explained.message,
            gone: explained.gone,
            partly_executed: error.outcome_unknown(),
            unix_ms: unix_ms(),
            // Without randomness the present will do.
            random: getrandom::u64().unwrap_or_else(|_| unix_ms()),
        };
        let sender = &self.assignment.sender_id;
        match running.core.on_refused(&refusal, self.clock.now_ms()) {
            Verdict::SendApart => {
                tracing::info!(sender, %error, "the target refuses a call, sending each collection by itself");
            }
            Verdict::RestartApart => {
                tracing::warn!(sender, %error, "the target refuses a call, sending each collection by itself in the idempotent form");
                self.settle(running);
            }
            Verdict::Held(collection) => {
                tracing::warn!(
                    sender,
                    collection,
                    reason = refusal.message,
                    "the target refuses a collection, it is held"
                );
                if refusal.partly_executed {
                    running.foreign.unknown_outcome();
                }
            }
            Verdict::Target if error.outcome_unknown() => self.on_unknown(running, error),
            Verdict::Target => {
                running.core.on_not_sent();
                self.pause(running, error);
            }
        }
    }
}
