//! What this worker has learned of the limits of its targets, so that not every sender has to be refused first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use harrier_proto::harrier::v1::SenderAssignment;

/// Sizes that targets refuse, by the target's address; clones share it. Nothing of it outlives the worker.
#[derive(Clone, Debug, Default)]
pub struct TargetLimits {
    message_bytes_max: Arc<Mutex<HashMap<String, usize>>>,
}

impl TargetLimits {
    /// The largest message that is sent to the assignment's target, in bytes, if it has refused one.
    pub(crate) fn message_bytes_max(&self, assignment: &SenderAssignment) -> Option<usize> {
        let known = self.message_bytes_max.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(address(assignment)).copied()
    }

    /// The target has refused messages, and gets none above this size from now on.
    pub(crate) fn learn(&self, assignment: &SenderAssignment, message_bytes_max: usize) {
        let mut known = self.message_bytes_max.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = known.entry(address(assignment).to_owned()).or_insert(message_bytes_max);
        *limit = (*limit).min(message_bytes_max);
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

    #[test]
    fn limits_are_those_of_one_target_and_only_fall() {
        let limits = TargetLimits::default();
        limits.learn(&at("a"), 1000);
        limits.clone().learn(&at("a"), 2000);
        assert_eq!(limits.message_bytes_max(&at("a")), Some(1000));
        assert_eq!(limits.message_bytes_max(&at("b")), None);
    }
}
