//! From an entry of a topic to the messages in it.

use bytes::Bytes;
use harrier_proto::pulsar::{CompressionType, KeyValue, MessageMetadata, SingleMessageMetadata};
use prost::Message as _;

use super::super::wire::compression::{Packing, unpack};
use super::super::{LogError, LogMessage};
use super::frame;
use super::position::{Place, Position};

/// The property that only Milvus 2.6 and later write.
const STREAMING_PROPERTY: &str = "_v";
/// A smaller payload is copied out of the frame it came in, which it would otherwise keep in memory whole.
const SHARED_BYTES_MIN: usize = 4096;
/// More messages than this are not taken for a batch.
const BATCH_MAX: i32 = 1_000_000;

/// The messages of the entry at `at` (whose place does not matter), in their order; none in an entry that brokers write
/// for themselves.
pub(super) fn messages(channel: &str, at: Position, bytes: Bytes) -> Result<Vec<LogMessage>, LogError> {
    let (metadata, packed) = frame::entry(bytes)?;
    let refused = |why: String| LogError::Unsupported(format!("channel {channel}, message {at}: {why}"));
    if metadata.marker_type.is_some() {
        return Ok(Vec::new());
    }
    if !metadata.encryption_keys.is_empty() {
        return Err(refused("it is encrypted by its producer".to_owned()));
    }
    if metadata.num_chunks_from_msg.unwrap_or(1) > 1 {
        return Err(refused("it is spread over several entries (chunks)".to_owned()));
    }
    let packing = packing(&metadata).map_err(refused)?;
    let payload = unpack(packing, &packed).map_err(refused)?;
    let shared_bytes_min = if packing == Packing::None { SHARED_BYTES_MIN } else { 0 };
    let Some(count) = metadata.num_messages_in_batch else {
        let position = Position::new(at.ledger, at.entry, Place::Whole);
        let streaming = is_streaming(&metadata.properties);
        return Ok(vec![message(position, payload, streaming, shared_bytes_min)]);
    };
    if !(1..=BATCH_MAX).contains(&count) {
        return Err(refused(format!("it says that it is a batch of {count}")));
    }
    let shared_bytes_min = if count > 1 { SHARED_BYTES_MIN } else { shared_bytes_min };
    unbatch(at, payload, count, is_streaming(&metadata.properties), shared_bytes_min)
        .ok_or_else(|| refused("its batch cannot be read".to_owned()))
}

fn unbatch(
    at: Position,
    mut payload: Bytes,
    count: i32,
    streaming: bool,
    shared_bytes_min: usize,
) -> Option<Vec<LogMessage>> {
    let mut messages = Vec::new();
    for index in 0..count {
        let metadata = SingleMessageMetadata::decode(frame::part(&mut payload).ok()?).ok()?;
        let size = usize::try_from(metadata.payload_size).ok().filter(|size| *size <= payload.len())?;
        let single = payload.split_to(size);
        let position = Position::new(at.ledger, at.entry, Place::InBatch(index));
        let streaming = streaming || is_streaming(&metadata.properties);
        messages.push(message(position, single, streaming, shared_bytes_min));
    }
    Some(messages)
}

fn message(position: Position, payload: Bytes, streaming: bool, shared_bytes_min: usize) -> LogMessage {
    let payload = if payload.len() < shared_bytes_min { Bytes::copy_from_slice(&payload) } else { payload };
    LogMessage { position: position.encode(), payload, streaming }
}

fn is_streaming(properties: &[KeyValue]) -> bool {
    properties.iter().any(|property| property.key == STREAMING_PROPERTY)
}

fn packing(metadata: &MessageMetadata) -> Result<Packing, String> {
    let number = metadata.compression.unwrap_or_default();
    let size = metadata.uncompressed_size.unwrap_or_default() as usize;
    match CompressionType::try_from(number) {
        Ok(CompressionType::None) => Ok(Packing::None),
        Ok(CompressionType::Lz4) => Ok(Packing::Lz4Block(size)),
        Ok(CompressionType::Zlib) => Ok(Packing::Zlib),
        Ok(CompressionType::Zstd) => Ok(Packing::Zstd),
        Ok(CompressionType::Snappy) => Ok(Packing::Snappy),
        Err(_) => Err(format!("compression {number} is not known")),
    }
}

#[cfg(test)]
pub(super) mod samples {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use bytes::{BufMut, BytesMut};

    use super::*;

    /// A batch before compression.
    pub(crate) fn batch(singles: &[(Vec<KeyValue>, &[u8])]) -> Bytes {
        let mut payload = BytesMut::new();
        for (properties, single) in singles {
            let metadata = SingleMessageMetadata {
                properties: properties.clone(),
                payload_size: i32::try_from(single.len()).unwrap(),
            };
            let metadata = metadata.encode_to_vec();
            payload.put_u32(u32::try_from(metadata.len()).unwrap());
            payload.put_slice(&metadata);
            payload.put_slice(single);
        }
        payload.freeze()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::super::frame::samples::entry_bytes;
    use super::samples::batch;
    use super::*;

    const AT: Position = Position { ledger: 12, entry: 3, place: Place::Whole };

    fn property(key: &str) -> KeyValue {
        KeyValue { key: key.to_owned(), value: "1".to_owned() }
    }

    fn metadata() -> MessageMetadata {
        MessageMetadata { producer_name: "milvus".into(), publish_time: 1, ..MessageMetadata::default() }
    }

    fn read(metadata: &MessageMetadata, payload: &[u8]) -> Result<Vec<LogMessage>, LogError> {
        messages("c", AT, entry_bytes(metadata, payload, false))
    }

    #[test]
    fn an_entry_as_milvus_writes_it_is_one_message() {
        // Batching is off there, and still the Go client makes each message a batch of one; zstd.
        let payload = batch(&[(vec![property("traceparent")], b"insert")]);
        let written = MessageMetadata {
            compression: Some(CompressionType::Zstd as i32),
            uncompressed_size: Some(u32::try_from(payload.len()).unwrap()),
            num_messages_in_batch: Some(1),
            ..metadata()
        };
        let packed = zstd::stream::encode_all(payload.as_ref(), 3).unwrap();
        let position = Position::new(12, 3, Place::InBatch(0)).encode();
        let expected = LogMessage { position, payload: Bytes::from_static(b"insert"), streaming: false };
        assert_eq!(read(&written, &packed).unwrap(), [expected]);
    }

    #[test]
    fn an_entry_that_is_no_batch_is_one_message() {
        let plain = MessageMetadata { properties: vec![property("_v")], ..metadata() };
        let expected =
            LogMessage { position: AT.encode(), payload: Bytes::from_static(b"tick"), streaming: true };
        assert_eq!(read(&plain, b"tick").unwrap(), [expected]);
    }

    #[test]
    fn messages_of_a_batch_have_positions_of_their_own() {
        let payload = batch(&[(vec![], b"one"), (vec![property("_v")], b"two"), (vec![], b"")]);
        let three = MessageMetadata { num_messages_in_batch: Some(3), ..metadata() };
        let read = read(&three, &payload).unwrap();
        let shown: Vec<_> = read
            .iter()
            .map(|message| {
                let at = Position::decode("c", &message.position).unwrap().to_string();
                (at, message.payload.as_ref(), message.streaming)
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("12:3:0".to_owned(), b"one".as_slice(), false),
                ("12:3:1".to_owned(), b"two", true),
                ("12:3:2".to_owned(), b"", false)
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        let keys = vec![harrier_proto::pulsar::EncryptionKeys::default()];
        for (metadata, word) in [
            (MessageMetadata { encryption_keys: keys, ..metadata() }, "encrypted"),
            (MessageMetadata { num_chunks_from_msg: Some(2), ..metadata() }, "chunks"),
            (MessageMetadata { compression: Some(9), ..metadata() }, "compression 9"),
            (MessageMetadata { num_messages_in_batch: Some(0), ..metadata() }, "batch of 0"),
            (MessageMetadata { num_messages_in_batch: Some(2), ..metadata() }, "batch"),
        ] {
            let error = read(&metadata, b"payload").unwrap_err();
            assert!(matches!(error, LogError::Unsupported(_)), "{error}");
            assert!(error.to_string().contains("12:3") && error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn what_brokers_write_for_themselves_is_no_message() {
        assert_eq!(read(&MessageMetadata { marker_type: Some(10), ..metadata() }, b"x").unwrap(), []);
    }

    proptest! {
        #[test]
        fn every_compression_and_cut_into_batches_gives_the_same(
            values in proptest::collection::vec(proptest::collection::vec(0_u8..5, 0..6_000), 1..4),
            compression in 0..5_i32,
        ) {
            let singles: Vec<_> = values.iter().map(|value| (vec![], value.as_slice())).collect();
            let payload = batch(&singles);
            let packed = match compression {
                1 => lz4_flex::block::compress(&payload),
                2 => {
                    use std::io::Write;
                    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                    zlib.write_all(&payload).unwrap();
                    zlib.finish().unwrap()
                }
                3 => zstd::stream::encode_all(payload.as_ref(), 1).unwrap(),
                4 => snap::raw::Encoder::new().compress_vec(&payload).unwrap(),
                _ => payload.to_vec(),
            };
            let written = MessageMetadata {
                compression: Some(compression),
                uncompressed_size: Some(u32::try_from(payload.len()).unwrap()),
                num_messages_in_batch: Some(i32::try_from(values.len()).unwrap()),
                ..metadata()
            };
            let payloads: Vec<_> = read(&written, &packed).unwrap().into_iter().map(|m| m.payload.to_vec()).collect();
            prop_assert_eq!(payloads, values);
        }

        #[test]
        fn no_payload_panics(payload in proptest::collection::vec(any::<u8>(), 0..80), count in -1..5_i32) {
            let _ = read(&MessageMetadata { num_messages_in_batch: Some(count), ..metadata() }, &payload);
        }
    }
}
