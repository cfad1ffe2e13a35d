//! Writes protobuf fields from parts, with their exact lengths known beforehand.

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

/// Length of a varint field; a zero is not written.
pub(super) fn varint_len(number: u32, value: u64) -> usize {
    if value == 0 { 0 } else { key_len(number) + encoded_len_varint(value) }
}

/// Writes a varint field; a zero is not written.
pub(super) fn put_varint(out: &mut BytesMut, number: u32, value: u64) {
    if value != 0 {
        encode_key(number, WireType::Varint, out);
        encode_varint(value, out);
    }
}

/// Length of a length-delimited field with `length` bytes in it.
pub(super) fn delimited_len(number: u32, length: usize) -> usize {
    key_len(number) + encoded_len_varint(length as u64) + length
}

/// Begins a length-delimited field: exactly `length` bytes must follow.
pub(super) fn put_delimited(out: &mut BytesMut, number: u32, length: usize) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

/// Length of a string or bytes field; an empty one is not written.
pub(super) fn bytes_len(number: u32, value: &[u8]) -> usize {
    if value.is_empty() { 0 } else { delimited_len(number, value.len()) }
}

/// Writes a string or bytes field; an empty one is not written.
pub(super) fn put_bytes(out: &mut BytesMut, number: u32, value: &[u8]) {
    if !value.is_empty() {
        put_delimited(out, number, value.len());
        out.put_slice(value);
    }
}

/// Length of the parts together.
pub(super) fn pieces_len(pieces: &[Bytes]) -> usize {
    pieces.iter().map(Bytes::len).sum()
}

/// Writes the parts one after another.
pub(super) fn put_pieces(out: &mut BytesMut, pieces: &[Bytes]) {
    for piece in pieces {
        out.put_slice(piece);
    }
}

/// Length of a length-delimited field made of parts; without a byte in them it is not written.
pub(super) fn joined_len(number: u32, pieces: &[Bytes]) -> usize {
    match pieces_len(pieces) {
        0 => 0,
        length => delimited_len(number, length),
    }
}

/// Writes a length-delimited field made of parts; without a byte in them it is not written.
pub(super) fn put_joined(out: &mut BytesMut, number: u32, pieces: &[Bytes]) {
    let length = pieces_len(pieces);
    if length > 0 {
        put_delimited(out, number, length);
        put_pieces(out, pieces);
    }
}

/// Length of a packed list of varints; an empty list is not written.
pub(super) fn packed_len(number: u32, values: &[u64]) -> usize {
    match values.iter().map(|value| encoded_len_varint(*value)).sum() {
        0 => 0,
        length => delimited_len(number, length),
    }
}

/// Writes a packed list of varints; an empty list is not written.
pub(super) fn put_packed(out: &mut BytesMut, number: u32, values: &[u64]) {
    let length: usize = values.iter().map(|value| encoded_len_varint(*value)).sum();
    if length > 0 {
        put_delimited(out, number, length);
        for value in values {
            encode_varint(*value, out);
        }
    }
}
