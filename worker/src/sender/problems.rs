//! What is wrong at present, for the sender's report.

use std::collections::BTreeMap;
use std::time::Duration;

use harrier_milvus::error::ErrorClass;
use harrier_proto::harrier::v1::TaskError;

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Target,
    /// The clocks of source and target are apart.
    Clock,
    Channel(String),
}

/// What went wrong, and when it is tried again.
pub(crate) fn until_next_try(error: &impl std::fmt::Display, wait: Duration) -> String {
    format!("{error}; the next try is in {} ms", wait.as_millis())
}

/// At most one problem per place.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    at: BTreeMap<Place, TaskError>,
}

impl Problems {
    /// Something went wrong. How long it has been so counts from the first time.
    pub(crate) fn set(&mut self, place: Place, class: ErrorClass, message: String, unix_ms: u64) {
        let since_ms = self.at.get(&place).map_or(unix_ms, |known| known.since_ms);
        self.at.insert(place, TaskError { class: class.to_string(), message, since_ms });
    }

    /// It works again. True if it did not before.
    pub(crate) fn clear(&mut self, place: &Place) -> bool {
        self.at.remove(place).is_some()
    }

    pub(crate) fn has(&self, place: &Place) -> bool {
        self.at.contains_key(place)
    }

    /// Forgets channels that are no longer read.
    pub(crate) fn retain_channels(&mut self, is_read: impl Fn(&str) -> bool) {
        self.at.retain(|place, _| match place {
            Place::Target | Place::Clock => true,
            Place::Channel(channel) => is_read(channel),
        });
    }

    /// The one to show: what needs somebody comes before what passes by itself, then the oldest.
    pub(crate) fn worst(&self) -> Option<TaskError> {
        let transient = ErrorClass::Transient.to_string();
        self.at.values().min_by_key(|error| (error.class == transient, error.since_ms)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_is_kept_and_the_operator_comes_first() {
        let mut problems = Problems::default();
        problems.set(Place::Target, ErrorClass::Transient, "gone".into(), 10);
        problems.set(Place::Target, ErrorClass::Transient, "still gone".into(), 20);
        let channel = Place::Channel("dml_1".into());
        problems.set(channel.clone(), ErrorClass::Operator, "position lost".into(), 30);
        assert_eq!(problems.worst().map(|error| error.since_ms), Some(30));
        assert!(problems.clear(&channel));
        assert!(!problems.clear(&channel));
        let worst = problems.worst();
        assert_eq!(worst.map(|error| (error.message, error.since_ms)), Some(("still gone".into(), 10)));
    }
}
