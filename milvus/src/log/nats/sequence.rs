//! Proof that nothing is missing between two messages. Pure.

use super::super::LogError;
use super::delivery::Delivery;

/// What the next message must be.
#[derive(Debug)]
pub(super) struct Expected {
    /// `None` until the first message, when reading from the oldest.
    stream: Option<u64>,
    consumer: u64,
}

impl Expected {
    pub(super) fn new(wanted: Option<u64>) -> Self {
        Self { stream: wanted, consumer: 1 }
    }

    /// Takes the numbers of the next message.
    pub(super) fn accept(&mut self, channel: &str, delivery: Delivery) -> Result<(), LogError> {
        if delivery.consumer_sequence != self.consumer {
            // The server sent it, and it did not arrive: reading again brings it.
            return Err(LogError::Transient(format!(
                "{channel}: delivery {} came where {} was due",
                delivery.consumer_sequence, self.consumer
            )));
        }
        let sequence = delivery.stream_sequence;
        if let Some(wanted) = self.stream.filter(|wanted| *wanted != sequence) {
            // The server itself went on further: what lies between is deleted.
            return Err(lost(channel, wanted, sequence, sequence));
        }
        self.stream = Some(sequence.saturating_add(1));
        self.consumer += 1;
        Ok(())
    }
}

/// Whether a stream that holds `first..=last` can be read from `wanted` on. An empty stream has `first = last + 1`
/// (or both 0). A position above the end is one of a stream that was deleted and made anew.
pub(super) fn check_start(channel: &str, wanted: u64, first: u64, last: u64) -> Result<(), LogError> {
    if wanted < first || wanted > last.saturating_add(1) {
        return Err(lost(channel, wanted, first, last));
    }
    Ok(())
}

fn lost(channel: &str, wanted: u64, oldest: u64, newest: u64) -> LogError {
    LogError::PositionLost {
        channel: channel.to_owned(),
        wanted: wanted.to_string(),
        oldest: oldest.to_string(),
        newest: newest.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn delivery(stream_sequence: u64, consumer_sequence: u64) -> Delivery {
        Delivery { stream_sequence, consumer_sequence }
    }

    #[test]
    fn a_row_of_messages_passes_and_the_oldest_may_be_any() {
        let mut expected = Expected::new(None);
        expected.accept("c", delivery(40, 1)).unwrap();
        expected.accept("c", delivery(41, 2)).unwrap();
        let mut expected = Expected::new(Some(5));
        expected.accept("c", delivery(5, 1)).unwrap();
    }

    #[test]
    fn what_the_server_deleted_is_lost_and_what_the_wire_dropped_is_not() {
        let mut expected = Expected::new(Some(5));
        let error = expected.accept("c", delivery(9, 1)).unwrap_err();
        assert!(
            matches!(error, LogError::PositionLost { ref wanted, ref oldest, .. } if wanted == "5" && oldest == "9")
        );
        expected.accept("c", delivery(5, 1)).unwrap();
        assert!(matches!(expected.accept("c", delivery(8, 4)), Err(LogError::Transient(_))));
    }

    #[test]
    fn a_start_must_be_within_the_stream_or_right_behind_it() {
        for (wanted, first, last, fits) in [
            (1, 0, 0, true),
            (1, 1, 9, true),
            (10, 1, 9, true),
            (11, 1, 9, false),
            (4, 5, 9, false),
            (10, 10, 9, true),
            (9, 10, 9, false),
            (u64::MAX, 1, u64::MAX, true),
        ] {
            assert_eq!(check_start("c", wanted, first, last).is_ok(), fits, "{wanted} in {first}..={last}");
        }
    }
}
