//! What this worker has learned of the limits of its targets, so that not every sender has to find them out, and one
//! that is made anew goes on with what its predecessor knew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use harrier_proto::harrier::v1::SenderAssignment;
use tokio::time::Instant;

use super::call_size::{CallSize, CallSizes};
use super::call_wait::CallWait;
use crate::config::WorkerConfig;

/// No target takes larger messages: the limit of its gRPC server. A limit that was raised beyond it is none.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Sizes that targets refuse or are slow to take, by the target's address; clones share it. Nothing of it outlives the
/// worker.
#[derive(Clone, Debug)]
pub struct TargetLimits {
    sizes: CallSizes,
    first_wait: CallWait,
    probe_after: Duration,
    known: Arc<Mutex<HashMap<String, Known>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    message: Option<MessageLimit>,
    /// None as long as nothing was learned.
    calls: Option<CallSize>,
    wait: Option<CallWait>,
}

#[derive(Clone, Copy, Debug)]
struct MessageLimit {
    bytes_max: usize,
    /// When it was learned, or last raised.
    since: Instant,
}

impl TargetLimits {
    /// Nothing is known of any target.
    pub fn new(config: &WorkerConfig) -> Self {
        Self {
            sizes: CallSizes {
                bytes_start: config.call_bytes_start,
                bytes_min: config.call_bytes_min,
                bytes_max: config.call_bytes_max,
                patient_bytes_max: config.call_patient_bytes_max,
                quick: Duration::from_millis(config.call_quick_ms),
            },
            first_wait: CallWait::new(
                Duration::from_millis(config.call_timeout_ms),
                Duration::from_millis(config.call_timeout_ms_max),
            ),
            probe_after: Duration::from_millis(config.target_limit_probe_ms),
            known: Arc::default(),
        }
    }

    /// The largest message that is sent to the assignment's target, in bytes, if it has refused one. From time to time
    /// it doubles: somebody may have raised the target's limit, and if not, one refusal tells.
    pub(crate) fn message_bytes_max(&self, assignment: &SenderAssignment) -> Option<usize> {
        let mut all = self.all();
        let limit = &mut all.get_mut(address(assignment))?.message;
        if let Some(known) = limit
            && known.since.elapsed() >= self.probe_after
        {
            let bytes_max = known.bytes_max.saturating_mul(2);
            *limit =
                (bytes_max < MESSAGE_BYTES_MAX).then(|| MessageLimit { bytes_max, since: Instant::now() });
        }
        limit.map(|limit| limit.bytes_max)
    }

    /// The target has refused messages, and gets none above this size from now on.
    pub(crate) fn learn(&self, assignment: &SenderAssignment, message_bytes_max: usize) {
        let mut all = self.all();
        let limit = &mut all.entry(address(assignment).to_owned()).or_default().message;
        let known = limit.map_or(message_bytes_max, |known| known.bytes_max.min(message_bytes_max));
        *limit = Some(MessageLimit { bytes_max: known, since: Instant::now() });
    }

    /// How large the next call to the assignment's target may be, in bytes.
    pub(crate) fn call_bytes_max(&self, assignment: &SenderAssignment) -> usize {
        let learned = self.all().get(address(assignment)).and_then(|known| known.calls);
        learned.unwrap_or_else(|| CallSize::first(&self.sizes)).bytes_max()
    }

    /// How long the answer to a call to the assignment's target is waited for.
    pub(crate) fn call_wait(&self, assignment: &SenderAssignment) -> Duration {
        let learned = self.all().get(address(assignment)).and_then(|known| known.wait);
        learned.unwrap_or(self.first_wait).now()
    }

    /// The target has answered a call of so many bytes.
    pub(crate) fn answered(&self, assignment: &SenderAssignment, call_bytes: usize, took: Duration) {
        self.change(assignment, |size, wait| {
            size.answered(&self.sizes, call_bytes, took, Instant::now());
            wait.answered(took);
        });
    }

    /// The target has not answered a call of so many bytes in time.
    pub(crate) fn unanswered(&self, assignment: &SenderAssignment, call_bytes: usize, waited: Duration) {
        self.change(assignment, |size, wait| {
            size.unanswered(&self.sizes, call_bytes, Instant::now());
            if call_bytes <= self.sizes.patient_bytes_max {
                wait.unanswered(waited);
            }
        });
    }

    fn change(&self, assignment: &SenderAssignment, change: impl FnOnce(&mut CallSize, &mut CallWait)) {
        let mut all = self.all();
        let known = all.entry(address(assignment).to_owned()).or_default();
        let size = known.calls.get_or_insert_with(|| CallSize::first(&self.sizes));
        change(size, known.wait.get_or_insert(self.first_wait));
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(assignment: &SenderAssignment) -> &str {
    assignment.target.as_ref().map_or("", |target| target.uri.as_str())
}

#[cfg(test)]
mod tests {
    use harrier_proto::harrier::v1::TargetConnection;

    use super::*;

    fn at(uri: &str) -> SenderAssignment {
        let target = Some(TargetConnection { uri: uri.into(), ..Default::default() });
        SenderAssignment { target, ..Default::default() }
    }

    fn limits() -> TargetLimits {
        TargetLimits::new(&WorkerConfig::default())
    }

    #[test]
    fn limits_are_those_of_one_target_and_fall_with_each_refusal() {
        let limits = limits();
        limits.learn(&at("a"), 1000);
        limits.clone().learn(&at("a"), 2000);
        assert_eq!(limits.message_bytes_max(&at("a")), Some(1000));
        assert_eq!(limits.message_bytes_max(&at("b")), None);
    }

    /// A limit that an operator had raised at the target was only found out by a restart of the worker.
    #[tokio::test(start_paused = true)]
    async fn a_limit_of_messages_is_tried_upwards_until_it_is_none() {
        let config = WorkerConfig::default();
        let after = Duration::from_millis(config.target_limit_probe_ms);
        let limits = limits();
        limits.learn(&at("a"), 20 << 20);
        tokio::time::advance(after / 2).await;
        assert_eq!(limits.message_bytes_max(&at("a")), Some(20 << 20));
        tokio::time::advance(after / 2).await;
        assert_eq!(limits.message_bytes_max(&at("a")), Some(40 << 20));
        limits.learn(&at("a"), 20 << 20);
        for expected in [Some(40 << 20), None] {
            tokio::time::advance(after).await;
            assert_eq!(limits.message_bytes_max(&at("a")), expected);
        }
    }

    /// Each new owner of a channel began with the largest calls again, which the target could not answer in time.
    #[test]
    fn the_size_of_calls_is_shared_by_all_senders_to_a_target_and_outlives_them() {
        let limits = limits();
        let start = limits.call_bytes_max(&at("a"));
        for _ in 0..3 {
            limits.unanswered(&at("a"), start, Duration::from_secs(2));
        }
        let small = limits.call_bytes_max(&at("a"));
        assert!(small < start);
        limits.answered(&at("a"), small, Duration::from_secs(3));
        assert_eq!(limits.clone().call_bytes_max(&at("a")), small, "a slow answer lets nothing grow");
        limits.answered(&at("a"), small, Duration::from_millis(10));
        assert!(limits.call_bytes_max(&at("a")) > small);
        assert_eq!(limits.call_bytes_max(&at("b")), start);
    }
}
