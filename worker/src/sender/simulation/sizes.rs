//! How much goes to each target in one call, as `TargetLimits` keeps it, in virtual time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harrier_proto::harrier::v1::SenderAssignment;
use tokio::time::Instant;

use super::host::lock;
use super::wire::SimTimes;
use crate::sender::call_size::{CallSize, CallSizes};

/// Of one worker; clones share it.
#[derive(Clone)]
pub(super) struct Sizes {
    bounds: CallSizes,
    begin: Instant,
    known: Arc<Mutex<BTreeMap<String, CallSize>>>,
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
        Self { bounds, begin: Instant::now(), known: Arc::default() }
    }

    pub fn bytes_max(&self, assignment: &SenderAssignment) -> usize {
        let known = lock(&self.known).get(&assignment.sender_id).copied();
        known.unwrap_or_else(|| CallSize::first(&self.bounds)).bytes_max()
    }

    pub fn answered(&self, assignment: &SenderAssignment, bytes: usize, took_ms: u64, now_ms: u64) {
        let (took, now) = (Duration::from_millis(took_ms), self.at(now_ms));
        self.change(assignment, |size| size.answered(&self.bounds, bytes, took, now));
    }

    pub fn unanswered(&self, assignment: &SenderAssignment, bytes: usize, now_ms: u64) {
        self.change(assignment, |size| size.unanswered(&self.bounds, bytes, self.at(now_ms)));
    }

    fn at(&self, now_ms: u64) -> Instant {
        self.begin + Duration::from_millis(now_ms)
    }

    fn change(&self, assignment: &SenderAssignment, change: impl FnOnce(&mut CallSize)) {
        let mut known = lock(&self.known);
        // Each sender has a target of its own here.
        let first = || CallSize::first(&self.bounds);
        change(known.entry(assignment.sender_id.clone()).or_insert_with(first));
    }
}
