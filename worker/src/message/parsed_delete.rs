//! A Delete taken apart.

use bytes::Bytes;
use harrier_proto::common::MsgType;

use super::CodecError;
use super::base::{BASE, Base};
use super::destination::{
    COLLECTION_ID, COLLECTION_NAME, DB_ID, DB_NAME, PARTITION_ID, PARTITION_NAME, SHARD_NAME,
};
use super::elements::{Element, Elements, ListMessage, decode_varints};
use super::scan::Fields;

pub(super) const OLD_INT64_KEYS: u32 = 9;
pub(super) const TIMESTAMPS: u32 = 10;
pub(super) const NUM_ROWS: u32 = 11;
pub(super) const PRIMARY_KEYS: u32 = 12;
const SEGMENT_ID: u32 = 13;

/// Numbers in `IDs`.
pub(super) const INT_KEYS: u32 = 1;
pub(super) const STRING_KEYS: u32 = 2;

/// The keys of a Delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Keys {
    #[default]
    None,
    Int(Elements),
    Text(Elements),
}

/// What a Delete is made of, except where it goes.
#[derive(Debug, Default)]
pub(super) struct ParsedDelete {
    pub base: Base,
    pub timestamps: Vec<u64>,
    pub keys: Keys,
    pub rows: u64,
    /// Fields that are not known here (deletion by expression among them), as written.
    pub unknown: Vec<Bytes>,
}

impl Keys {
    pub fn count(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Int(keys) | Self::Text(keys) => keys.count,
        }
    }

    /// Appends keys of the same type; false = of another type, nothing appended.
    pub fn append(&mut self, other: Self) -> bool {
        match (&mut *self, other) {
            (_, Self::None) => {}
            (Self::None, other) => *self = other,
            (Self::Int(own), Self::Int(others)) | (Self::Text(own), Self::Text(others)) => own.append(others),
            _ => return false,
        }
        true
    }

    pub fn same_type(&self, other: &Self) -> bool {
        !matches!((self, other), (Self::Int(_), Self::Text(_)) | (Self::Text(_), Self::Int(_)))
    }

    /// Takes over an `IDs`; several of one type append, as in protobuf.
    fn take_ids(&mut self, body: &[u8], payload: &Bytes) -> Result<(), CodecError> {
        for field in Fields::new(body) {
            let field = field?;
            let (element, wrap): (_, fn(Elements) -> Self) = match field.number {
                INT_KEYS => (Element::Varint, Self::Int),
                STRING_KEYS => (Element::Delimited, Self::Text),
                _ => continue,
            };
            let list = ListMessage::parse(element, field.bytes()?, payload)?;
            if !self.append(wrap(list.elements)) {
                return Err(CodecError::WireType { field: PRIMARY_KEYS });
            }
        }
        Ok(())
    }
}

impl ParsedDelete {
    pub fn parse(payload: &Bytes) -> Result<Self, CodecError> {
        let mut delete = Self::default();
        let (mut based, mut rows) = (false, None);
        let mut old_keys = Elements::default();
        for field in Fields::new(payload) {
            let field = field?;
            match field.number {
                BASE => {
                    based = true;
                    delete.base.merge(&field, payload)?;
                }
                SHARD_NAME | DB_NAME | COLLECTION_NAME | PARTITION_NAME | DB_ID | COLLECTION_ID
                | PARTITION_ID => {}
                // The target gives out its own segments.
                SEGMENT_ID => {}
                OLD_INT64_KEYS => old_keys.push(Element::Varint, &field, payload)?,
                TIMESTAMPS => decode_varints(&field, &mut delete.timestamps)?,
                NUM_ROWS => rows = Some(field.varint()?),
                PRIMARY_KEYS => delete.keys.take_ids(field.bytes()?, payload)?,
                _ => delete.unknown.push(payload.slice_ref(field.raw)),
            }
        }
        if !based {
            return Err(CodecError::NoBase);
        }
        if delete.base.msg_type != MsgType::Delete as i32 {
            return Err(CodecError::NotRows { msg_type: delete.base.msg_type });
        }
        // The newer field wins where both are set.
        if delete.keys.count() == 0 && old_keys.count > 0 {
            delete.keys = Keys::Int(old_keys);
        }
        delete.rows = rows.unwrap_or(delete.timestamps.len() as u64);
        delete.check_counts()?;
        Ok(delete)
    }

    /// A Delete with unknown fields may name its rows by these.
    fn check_counts(&self) -> Result<(), CodecError> {
        if !self.unknown.is_empty() {
            return Ok(());
        }
        let expected = self.timestamps.len() as u64;
        let found = self.keys.count();
        if found != expected {
            return Err(CodecError::RowCount { what: "primary keys", expected, found });
        }
        if self.rows != expected {
            return Err(CodecError::RowCount { what: "timestamps", expected: self.rows, found: expected });
        }
        Ok(())
    }

    pub fn joins(&self, other: &Self) -> bool {
        self.unknown.is_empty() && other.unknown.is_empty() && self.keys.same_type(&other.keys)
    }

    /// Appends the rows of `other`; only after [`ParsedDelete::joins`] said yes.
    pub fn append(&mut self, other: Self) {
        self.keys.append(other.keys);
        self.timestamps.extend(other.timestamps);
        self.rows += other.rows;
    }
}
