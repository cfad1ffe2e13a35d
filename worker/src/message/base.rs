//! `MsgBase`, the first field of every message.

use bytes::{Bytes, BytesMut};
use harrier_proto::common::MsgType;

use super::CodecError;
use super::encode::{delimited_len, pieces_len, put_delimited, put_pieces, put_varint, varint_len};
use super::scan::{Field, Fields};

/// Number of `base` in every message.
pub(super) const BASE: u32 = 1;

const MSG_TYPE: u32 = 1;
const MSG_ID: u32 = 2;
const TIMESTAMP: u32 = 3;
const REPLICATE_INFO: u32 = 7;

/// A base as read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Base {
    pub msg_type: i32,
    pub msg_id: i64,
    pub timestamp: u64,
    /// Every other field, as written: source id, properties, and what is not known here.
    pub rest: Vec<Bytes>,
}

impl Base {
    /// Takes over one occurrence of the field; protobuf merges several.
    pub fn merge(&mut self, field: &Field<'_>, payload: &Bytes) -> Result<(), CodecError> {
        for inner in Fields::new(field.bytes()?) {
            let inner = inner?;
            match inner.number {
                MSG_TYPE => self.msg_type = inner.int32()?,
                TIMESTAMP => self.timestamp = inner.varint()?,
                // Given anew to what leaves.
                MSG_ID => self.msg_id = inner.int64()?,
                // How a message came to the source says nothing to the target.
                REPLICATE_INFO => {}
                _ => self.rest.push(payload.slice_ref(inner.raw)),
            }
        }
        Ok(())
    }
}

/// The base of a message that leaves.
#[derive(Debug)]
pub(super) struct NewBase<'a> {
    pub msg_type: MsgType,
    /// Not zero, and unique in its pack: consumers drop what they believe to be a repetition.
    pub msg_id: i64,
    pub timestamp: u64,
    pub rest: &'a [Bytes],
}

impl NewBase<'_> {
    pub fn field_len(&self) -> usize {
        delimited_len(BASE, self.len())
    }

    pub fn put_field(&self, out: &mut BytesMut) {
        put_delimited(out, BASE, self.len());
        put_varint(out, MSG_TYPE, self.msg_type as u64);
        put_varint(out, MSG_ID, self.msg_id.cast_unsigned());
        put_varint(out, TIMESTAMP, self.timestamp);
        put_pieces(out, self.rest);
    }

    fn len(&self) -> usize {
        varint_len(MSG_TYPE, self.msg_type as u64)
            + varint_len(MSG_ID, self.msg_id.cast_unsigned())
            + varint_len(TIMESTAMP, self.timestamp)
            + pieces_len(self.rest)
    }
}
