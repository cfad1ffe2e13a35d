//! How much goes to each target in one call, and how long its answer is waited for, as `TargetLimits` keeps it, in
//! virtual time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harrier_proto::harrier::v1::SenderAssignment;
use tokio::time::Instant;

use super::host::lock;
use super::wire::SimTimes;
use crate::sender::call_size::{CallSize, CallSizes};
use crate::sender::call_wait::CallWait;

/// How many times the shortest wait the longest is.
const WAITS_MAX: u32 = 4;

/// Of one worker; clones share it.
#[derive(Clone)]
pub(super) struct Sizes {
    bounds: CallSizes,
    begin: Instant,
    first_wait: CallWait,
    known: Arc<Mutex<BTreeMap<String, (CallSize, CallWait)>>>,
}

impl Sizes {
    pub fn new(times: &SimTimes) -> Self {
        let bounds = CallSizes {
            bytes_start: times.call_bytes_max,
            bytes_min: times.call_bytes_min,
            bytes_max: times.call_bytes_max,
            patient_bytes_max: times.call_patient_bytes_max,
            quick: Duration::from_millis(times.call_quick_ms),
        };
        let least = Duration::from_millis(times.call_timeout_ms);
        let first_wait = CallWait::new(least, WAITS_MAX * least);
        Self { bounds, begin: Instant::now(), first_wait, known: Arc::default() }
    }

    pub fn bytes_max(&self, assignment: &SenderAssignment) -> usize {
        self.known(assignment).0.bytes_max()
    }

    pub fn wait(&self, assignment: &SenderAssignment) -> Duration {
        self.known(assignment).1.now()
    }

    fn known(&self, assignment: &SenderAssignment) -> (CallSize, CallWait) {
        let known = lock(&self.known).get(&assignment.sender_id).copied();
        known.unwrap_or_else(|| self.first())
    }

    fn first(&self) -> (CallSize, CallWait) {
        (CallSize::first(&self.bounds), self.first_wait)
    }

    pub fn answered(&self, assignment: &SenderAssignment, bytes: usize, took_ms: u64, now_ms: u64) {
        let (took, now) = (Duration::from_millis(took_ms), self.at(now_ms));
        self.change(assignment, |size, wait| {
            size.answered(&self.bounds, bytes, took, now);
            wait.answered(took);
        });
    }

    pub fn unanswered(&self, assignment: &SenderAssignment, bytes: usize, waited_ms: u64, now_ms: u64) {
        self.change(assignment, |size, wait| {
            size.unanswered(&self.bounds, bytes, self.at(now_ms));
            if bytes <= self.bounds.patient_bytes_max {
                wait.unanswered(Duration::from_millis(waited_ms));
            }
        });
    }

    fn at(&self, now_ms: u64) -> Instant {
        self.begin + Duration::from_millis(now_ms)
    }

    fn change(&self, assignment: &SenderAssignment, change: impl FnOnce(&mut CallSize, &mut CallWait)) {
        let mut known = lock(&self.known);
        // Each sender has a target of its own here.
        let entry = known.entry(assignment.sender_id.clone());
        let (size, wait) = entry.or_insert_with(|| self.first());
        change(size, wait);
    }
}
