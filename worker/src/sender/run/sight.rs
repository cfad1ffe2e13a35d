//! What a sender does while its target does not answer this worker at all.

use std::time::Duration;

use harrier_milvus::error::ErrorClass;

use super::super::problems::{Place, until_next_try};
use super::super::time::unix_ms;
use super::{Runner, Running};

const NOT_REACHED: &str = "the target does not answer this worker, not even on a new connection: another worker that \
                           it does answer goes on with the channel, if there is one; else look at the network and at \
                           the target";

impl Runner {
    /// A sender that is to stop waits for no answer then: somebody else can go on. The connection is closed at once, so
    /// that nothing leaves this machine any more; what is on its way beyond may be executed late.
    pub(super) fn keep_in_sight(&mut self, running: &mut Running) {
        if !self.target.is_lost() {
            return;
        }
        match &mut running.stop {
            Some(_) if running.core.is_stopped() => {}
            Some(stop) => {
                for client in running.calling.iter().chain(&self.client) {
                    client.close_now();
                }
                running.call = None;
                stop.abandoned = true;
            }
            None if self.problems.has(&Place::Target) => {}
            None => {
                let wait = Duration::from_millis(self.context.config.reach_probe_interval_ms);
                let message = until_next_try(&NOT_REACHED, wait);
                self.problems.set(Place::Target, ErrorClass::Transient, message, unix_ms());
            }
        }
    }
}
