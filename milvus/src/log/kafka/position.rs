//! Positions: the offset, 8 bytes little endian, as Milvus writes it into `MsgPosition.msgID` on Kafka.

use std::cmp::Ordering;

use bytes::Bytes;

use super::super::LogError;

pub(super) fn encode(offset: i64) -> Bytes {
    Bytes::copy_from_slice(&offset.to_le_bytes())
}

pub(super) fn decode(channel: &str, position: &[u8]) -> Result<i64, LogError> {
    let refused = |detail| Err(LogError::BadPosition { channel: channel.to_owned(), detail });
    match position.try_into().map(i64::from_le_bytes) {
        Ok(offset) if offset >= 0 => Ok(offset),
        Ok(offset) => refused(format!("offset {offset} is none: on Kafka they begin at 0")),
        Err(_) => refused(format!("a position on Kafka has 8 bytes, this one has {}", position.len())),
    }
}

/// A position of another broker cannot be opened, but must not panic here: it is ordered by its bytes.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let offset = |position: &[u8]| <[u8; 8]>::try_from(position).map(i64::from_le_bytes);
    match (offset(a), offset(b)) {
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
    fn positions_of_other_brokers_are_refused_with_a_reason() {
        let error = decode("dml_1", b"\x08\x07\x10\x02").unwrap_err().to_string();
        assert!(error.contains("dml_1") && error.contains("has 4"), "{error}");
        // Kafka's own markers for "the end" (-1) and "the beginning" (-2) name no message.
        assert!(matches!(decode("c", &(-1_i64).to_le_bytes()), Err(LogError::BadPosition { .. })));
    }

    #[test]
    fn the_bytes_are_those_of_the_go_tool() {
        assert_eq!(encode(258).as_ref(), b"\x02\x01\0\0\0\0\0\0");
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_offsets(a in 0..=i64::MAX, b in 0..=i64::MAX) {
            prop_assert_eq!(compare(&encode(a), &encode(b)), a.cmp(&b));
            prop_assert_eq!(decode("c", &encode(a)), Ok(a));
            prop_assert_eq!(compare(b"", &encode(a)), Ordering::Less);
        }
    }
}
