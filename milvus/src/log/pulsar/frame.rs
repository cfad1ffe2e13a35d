//! Frames: a command, and behind it the entry of a message.
//!
//! `[length][length of the command][command]`, and for a message
//! `[0x0e02][length][broker's own metadata]` (if the broker adds it) `[0x0e01][checksum]` (if there is one)
//! `[length][metadata][payload]`.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use harrier_proto::pulsar::{BaseCommand, MessageMetadata};
use prost::Message as _;

use super::super::LogError;

const BROKER_METADATA: [u8; 2] = [0x0e, 0x02];
const CHECKSUM: [u8; 2] = [0x0e, 0x01];

/// The bytes of a command, with their length in front.
pub(super) fn encode(command: &BaseCommand) -> Bytes {
    let length = command.encoded_len();
    let mut frame = BytesMut::with_capacity(8 + length);
    let count = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    frame.put_u32(count(length + 4));
    frame.put_u32(count(length));
    // A buffer that grows has always room.
    let _ = command.encode(&mut frame);
    frame.freeze()
}

/// A command, and what stands behind it.
pub(super) fn decode(mut frame: Bytes) -> Result<(BaseCommand, Bytes), LogError> {
    let command = part(&mut frame)?;
    let command = BaseCommand::decode(command).map_err(|_| malformed("a command cannot be read"))?;
    Ok((command, frame))
}

/// Metadata and payload of an entry.
pub(super) fn entry(mut bytes: Bytes) -> Result<(MessageMetadata, Bytes), LogError> {
    if bytes.starts_with(&BROKER_METADATA) {
        bytes.advance(BROKER_METADATA.len());
        part(&mut bytes)?;
    }
    if bytes.starts_with(&CHECKSUM) {
        bytes.advance(CHECKSUM.len());
        let checksum = bytes.try_get_u32().map_err(|_| short())?;
        if crc32c::crc32c(&bytes) != checksum {
            return Err(malformed("a message is damaged"));
        }
    }
    let metadata = part(&mut bytes)?;
    let metadata = MessageMetadata::decode(metadata).map_err(|_| malformed("metadata cannot be read"))?;
    Ok((metadata, bytes))
}

/// Bytes behind their length.
pub(super) fn part(bytes: &mut Bytes) -> Result<Bytes, LogError> {
    let length = bytes.try_get_u32().map_err(|_| short())? as usize;
    if length > bytes.len() { Err(short()) } else { Ok(bytes.split_to(length)) }
}

fn short() -> LogError {
    malformed("it ends too soon")
}

/// Damage on the way: reading again may bring it whole.
fn malformed(problem: &str) -> LogError {
    LogError::Transient(format!("a frame of the broker cannot be read: {problem}"))
}

#[cfg(test)]
pub(super) mod samples {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// An entry as a broker sends it behind its command.
    pub(crate) fn entry_bytes(metadata: &MessageMetadata, payload: &[u8], broker_metadata: bool) -> Bytes {
        let encoded = metadata.encode_to_vec();
        let mut checked = BytesMut::new();
        checked.put_u32(u32::try_from(encoded.len()).unwrap());
        checked.put_slice(&encoded);
        checked.put_slice(payload);
        let mut bytes = BytesMut::new();
        if broker_metadata {
            bytes.put_slice(&BROKER_METADATA);
            bytes.put_u32(3);
            bytes.put_slice(b"xyz");
        }
        bytes.put_slice(&CHECKSUM);
        bytes.put_u32(crc32c::crc32c(&checked));
        bytes.put_slice(&checked);
        bytes.freeze()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use harrier_proto::pulsar::CommandPing;
    use proptest::prelude::*;

    use super::samples::entry_bytes;
    use super::*;

    #[test]
    fn a_ping_has_the_bytes_of_the_protocol() {
        let ping = BaseCommand { r#type: 18, ping: Some(CommandPing {}), ..BaseCommand::default() };
        let frame = encode(&ping);
        assert_eq!(frame.as_ref(), b"\0\0\0\x09\0\0\0\x05\x08\x12\x92\x01\0");
        let (read, rest) = decode(frame.slice(4..)).unwrap();
        assert_eq!((read, rest.len()), (ping, 0));
    }

    #[test]
    fn an_entry_is_read_with_and_without_what_the_broker_adds() {
        let metadata = MessageMetadata { producer_name: "p".into(), ..MessageMetadata::default() };
        for broker_metadata in [false, true] {
            let (read, payload) = entry(entry_bytes(&metadata, b"payload", broker_metadata)).unwrap();
            assert_eq!((read, payload.as_ref()), (metadata.clone(), b"payload".as_slice()));
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let whole = entry_bytes(&MessageMetadata::default(), b"payload", false);
        for at in CHECKSUM.len()..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 1;
            assert!(entry(damaged.into()).is_err(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(bytes.clone().into());
            let _ = entry(bytes.into());
        }
    }
}
