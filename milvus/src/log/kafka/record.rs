//! The records of one batch.

use super::super::wire::compression::unpack;
use super::super::{LogError, LogMessage};
use super::batch::Batch;
use super::continuity::missing;
use super::input::{Input, Malformed};
use super::position;
use crate::log::wire::compression::Packing;

/// The header that only Milvus 2.6 and later write.
const STREAMING_HEADER: &[u8] = b"_v";
/// A smaller payload is copied out of the answer it came in, which it would otherwise keep in memory whole.
const SHARED_BYTES_MIN: usize = 4096;

/// The messages of a batch from offset `from` on; every offset must be there.
pub(super) fn messages(channel: &str, batch: &Batch, from: i64) -> Result<Vec<LogMessage>, LogError> {
    let records = unpack(batch.packing, &batch.records).map_err(|problem| {
        LogError::Unsupported(format!("channel {channel}, offset {}: {problem}", batch.first))
    })?;
    let shared_bytes_min = if batch.packing == Packing::None { SHARED_BYTES_MIN } else { 0 };
    let mut input = Input(records);
    let mut messages = Vec::new();
    let mut next = batch.first;
    for _ in 0..batch.record_count {
        let (offset_delta, mut message) = record(&mut input, shared_bytes_min)?;
        let offset = batch.first.saturating_add(offset_delta);
        if offset != next {
            return Err(missing(channel, next, offset));
        }
        next = next.saturating_add(1);
        if offset >= from {
            message.position = position::encode(offset);
            messages.push(message);
        }
    }
    if next <= batch.last {
        return Err(missing(channel, next, batch.last.saturating_add(1)));
    }
    Ok(messages)
}

/// One record: its offset behind the batch's first, and the message without its position.
fn record(input: &mut Input, shared_bytes_min: usize) -> Result<(i64, LogMessage), Malformed> {
    let length = usize::try_from(input.varint()?).map_err(|_| Malformed("a record has no length"))?;
    let mut record = Input(input.take(length)?);
    let _attributes = record.i8()?;
    let _time_delta = record.varint()?;
    let offset_delta = record.varint()?;
    let _key = record.varbytes()?;
    let mut payload = record.varbytes()?.unwrap_or_default();
    if payload.len() < shared_bytes_min {
        payload = bytes::Bytes::copy_from_slice(&payload);
    }
    let mut streaming = false;
    for _ in 0..record.varint()?.max(0) {
        let name = record.varbytes()?;
        let _value = record.varbytes()?;
        streaming |= name.is_some_and(|name| name == STREAMING_HEADER);
    }
    Ok((offset_delta, LogMessage { position: bytes::Bytes::new(), payload, streaming }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::super::batch::samples::Sample;
    use super::super::batch::split;
    use super::*;

    fn read(sample: &Sample, from: i64) -> Result<Vec<LogMessage>, LogError> {
        messages("c", &split("c", sample.encode()).unwrap()[0], from)
    }

    #[test]
    fn what_was_read_before_is_left_out() {
        let mut sample = Sample::of(40, &[b"a", b"b", b"c"]);
        sample.attributes = 4;
        let payloads: Vec<_> =
            read(&sample, 41).unwrap().into_iter().map(|message| message.payload).collect();
        assert_eq!(payloads, ["b", "c"]);
    }

    #[test]
    fn a_message_of_milvus_2_6_is_marked() {
        let mut sample = Sample::of(1, &[b"a", b"b"]);
        sample.records[1].1 = vec![("traceparent", "00-1"), ("_v", "2")];
        let marks: Vec<_> = read(&sample, 0).unwrap().iter().map(|message| message.streaming).collect();
        assert_eq!(marks, [false, true]);
    }

    #[test]
    fn a_record_that_was_compacted_away_is_noticed_wherever_it_was() {
        for away in 0..3 {
            let mut sample = Sample::of(5, &[b"a", b"b", b"c"]);
            sample.records.remove(away);
            let error = read(&sample, 0).unwrap_err().to_string();
            assert!(error.contains(&(5 + away).to_string()) && error.contains("compact"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_values_come_out_as_they_went_in(
            first in 0..i64::MAX / 2,
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9_000), 1..5),
            zstd: bool,
        ) {
            let mut sample = Sample::of(first, &values.iter().map(Vec::as_slice).collect::<Vec<_>>());
            sample.attributes = if zstd { 4 } else { 0 };
            let read = read(&sample, 0).unwrap();
            prop_assert_eq!(read.len(), values.len());
            for (delta, (message, value)) in (0..).zip(read.iter().zip(&values)) {
                prop_assert_eq!(&message.payload, value);
                prop_assert_eq!(&message.position, &position::encode(first + delta));
            }
        }

        #[test]
        fn no_bytes_panic(records in proptest::collection::vec(any::<u8>(), 0..100), record_count in -2..9) {
            let batch = Batch {
                first: 1, last: 3, packing: Packing::None, producer: -1, transactional: false, control: false,
                record_count, records: records.into(),
            };
            let _ = messages("c", &batch, 0);
        }
    }
}
