//! Positions: the stream sequence, 8 bytes little endian. Milvus writes the same into `MsgPosition.msgID`
//! (seen in the `start_positions` of real collections).

use std::cmp::Ordering;

use bytes::Bytes;

use super::super::LogError;

pub(super) fn encode(sequence: u64) -> Bytes {
    Bytes::copy_from_slice(&sequence.to_le_bytes())
}

pub(super) fn decode(channel: &str, position: &[u8]) -> Result<u64, LogError> {
    match position.try_into() {
        Ok(bytes) => Ok(u64::from_le_bytes(bytes)),
        Err(_) => Err(LogError::BadPosition {
            channel: channel.to_owned(),
            detail: format!("a position on NATS has 8 bytes, this one has {}", position.len()),
        }),
    }
}

/// A position of another broker cannot be opened, but must not panic here: it is ordered by its bytes.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let sequence = |position: &[u8]| <[u8; 8]>::try_from(position).map(u64::from_le_bytes);
    match (sequence(a), sequence(b)) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_position_of_a_real_collection_is_read() {
        // start_positions of a collection created on a channel that held 251 messages before.
        assert_eq!(decode("c", b"\xfc\x00\x00\x00\x00\x00\x00\x00").unwrap(), 252);
    }

    #[test]
    fn a_position_of_another_broker_is_refused_with_a_reason() {
        let error = decode("dml_1", b"abc").unwrap_err().to_string();
        assert!(error.contains("dml_1") && error.contains("has 3"), "{error}");
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_sequences(a: u64, b: u64) {
            prop_assert_eq!(compare(&encode(a), &encode(b)), a.cmp(&b));
            prop_assert_eq!(decode("c", &encode(a)), Ok(a));
        }

        #[test]
        fn the_empty_position_is_before_all(a: u64) {
            prop_assert_eq!(compare(b"", &encode(a)), Ordering::Less);
            prop_assert_eq!(compare(b"", b""), Ordering::Equal);
        }
    }
}
