//! Calls that are too large for the target: what follows goes in smaller messages, or in smaller calls.

use harrier_milvus::client::ClientError;
use harrier_milvus::error::ErrorClass;

use super::super::core::Smaller;
use super::super::refusal::Explained;
use super::{Runner, Running};

impl Runner {
    /// The target has answered, so nothing of the call is executed later. Messages before the large one may be there.
    pub(super) fn on_too_large(&mut self, running: &mut Running, error: &ClientError) {
        let sender = self.assignment.sender_id.clone();
        // The limit of its log is met message by message; that of its gRPC server before the first one.
        let smaller = match running.core.on_too_large(error.outcome_unknown()) {
            Ok(smaller) => smaller,
            Err(indivisible) => {
                let explained = Explained {
                    class: ErrorClass::Operator,
                    message: format!("{indivisible} ({error})"),
                    gone: false,
                };
                return self.on_refused(running, error, explained);
            }
        };
        running.core.on_unknown_outcome();
        running.foreign.unknown_outcome();
        if let Some(stop) = &mut running.stop {
            stop.unknown = true;
        }
        tracing::warn!(sender, %error, ?smaller, "too large for the target, sending again in smaller parts");
        if let Smaller::Message { bytes_max } = smaller {
            self.context.target_limits.learn(&self.assignment, bytes_max);
        }
    }

    /// What the target refused other senders of this worker, or was slow to take, need not be found out again.
    pub(super) fn keep_limits(&self, running: &mut Running) {
        let limits = &self.context.target_limits;
        running.core.limit_messages(limits.message_bytes_max(&self.assignment));
        let paced = self.context.pace.call_bytes_max(self.target_id(), self.tasks());
        let learned = limits.call_bytes_max(&self.assignment);
        running.core.limit_calls(paced.map_or(learned, |paced| paced.min(learned)));
    }
}
