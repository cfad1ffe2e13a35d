//! The repeated values of one column: counted and cut into parts, not decoded.
//!
//! Numbers are brought to the packed form, whose parts can simply be joined. Everything else (strings,
//! JSON, arrays) is written entry by entry, so that two lists one after another are one list.

use bytes::{Bytes, BytesMut};

use super::CodecError;
use super::encode::{joined_len, pieces_len, put_joined, put_pieces};
use super::scan::{Field, Fields, Value, Varints};

/// How the values of a list are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Varint,
    Fixed32,
    Fixed64,
    /// Length-delimited: never packed.
    Delimited,
}

/// A list, as parts of the message it was in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Elements {
    /// Numbers: packed values. Otherwise: entries with their tags.
    pub pieces: Vec<Bytes>,
    pub count: u64,
}

impl Element {
    fn fixed_size(self) -> Option<usize> {
        match self {
            Self::Fixed32 => Some(4),
            Self::Fixed64 => Some(8),
            Self::Varint | Self::Delimited => None,
        }
    }
}

impl Elements {
    /// Adds one occurrence of the list's field: one value, or a packed run of them.
    pub fn push(&mut self, element: Element, field: &Field<'_>, payload: &Bytes) -> Result<(), CodecError> {
        match (element, field.value) {
            (Element::Varint, Value::Bytes(run)) => self.add(payload.slice_ref(run), count_varints(run)?),
            (Element::Fixed32 | Element::Fixed64, Value::Bytes(run)) => {
                let size = element.fixed_size().unwrap_or(1);
                if !run.len().is_multiple_of(size) {
                    return Err(CodecError::Truncated { offset: run.len() });
                }
                self.add(payload.slice_ref(run), (run.len() / size) as u64);
            }
            (Element::Fixed32, Value::Fixed32(value)) | (Element::Fixed64, Value::Fixed64(value)) => {
                self.add(payload.slice_ref(value), 1);
            }
            (Element::Varint, Value::Varint(_)) => {
                let value = after_tag(field.raw);
                self.add(payload.slice_ref(value), 1);
            }
            _ => return Err(CodecError::WireType { field: field.number }),
        }
        Ok(())
    }

    /// Appends another list.
    pub fn append(&mut self, mut other: Self) {
        self.pieces.append(&mut other.pieces);
        self.count += other.count;
    }

    fn add(&mut self, piece: Bytes, count: u64) {
        if !piece.is_empty() {
            self.pieces.push(piece);
        }
        self.count += count;
    }
}

/// An embedded message around a list in its field 1 (`LongArray`, `StringArray`, ...).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ListMessage {
    /// Entries that are not numbers stay as the one part that the message's body is.
    pub elements: Elements,
    /// The varint in field 2: the element type of arrays, the dimension of sparse vectors.
    pub second: Option<u64>,
    /// Something else is in it.
    pub unknown: bool,
}

impl ListMessage {
    pub fn parse(element: Element, body: &[u8], payload: &Bytes) -> Result<Self, CodecError> {
        let mut list = Self::default();
        for field in Fields::new(body) {
            let field = field?;
            match (field.number, field.value) {
                (1, Value::Bytes(_)) if element == Element::Delimited => list.elements.count += 1,
                (1, _) => list.elements.push(element, &field, payload)?,
                (2, Value::Varint(value)) => list.second = Some(value),
                _ => list.unknown = true,
            }
        }
        if element == Element::Delimited {
            list.elements.add(payload.slice_ref(body), 0);
        }
        Ok(list)
    }

    /// Takes over a later occurrence within the same message.
    pub fn extend(&mut self, later: Self) {
        self.elements.append(later.elements);
        self.second = later.second.or(self.second);
        self.unknown |= later.unknown;
    }
}

/// Length of the list's body in the form for the wire.
pub(super) fn list_len(element: Element, pieces: &[Bytes]) -> usize {
    if element == Element::Delimited { pieces_len(pieces) } else { joined_len(1, pieces) }
}

/// Writes the list's body.
pub(super) fn put_list(out: &mut BytesMut, element: Element, pieces: &[Bytes]) {
    if element == Element::Delimited { put_pieces(out, pieces) } else { put_joined(out, 1, pieces) }
}

/// Number of varints in a packed run, each of which must be whole.
fn count_varints(run: &[u8]) -> Result<u64, CodecError> {
    match run.last() {
        Some(last) if last & 0x80 != 0 => Err(CodecError::Truncated { offset: run.len() }),
        _ => Ok(run.iter().filter(|byte| **byte & 0x80 == 0).count() as u64),
    }
}

/// Decodes one occurrence of a list of varints.
pub(super) fn decode_varints(field: &Field<'_>, into: &mut Vec<u64>) -> Result<(), CodecError> {
    match field.value {
        Value::Varint(value) => into.push(value),
        Value::Bytes(run) => {
            for value in Varints::new(run) {
                into.push(value?);
            }
        }
        _ => return Err(CodecError::WireType { field: field.number }),
    }
    Ok(())
}

/// A varint field's value as written: what follows the tag's last byte.
fn after_tag(raw: &[u8]) -> &[u8] {
    let tag = raw.iter().position(|byte| byte & 0x80 == 0).map_or(raw.len(), |last| last + 1);
    &raw[tag..]
}
