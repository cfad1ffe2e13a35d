//! An Insert taken apart.

use bytes::Bytes;
use harrier_proto::common::MsgType;

use super::CodecError;
use super::base::{BASE, Base};
use super::column::Column;
use super::destination::{
    COLLECTION_ID, COLLECTION_NAME, DB_ID, DB_NAME, PARTITION_ID, PARTITION_NAME, SHARD_NAME,
};
use super::elements::{Element, Elements, decode_varints};
use super::scan::Fields;

const SEGMENT_ID: u32 = 9;
pub(super) const TIMESTAMPS: u32 = 10;
pub(super) const ROW_IDS: u32 = 11;
pub(super) const ROW_DATA: u32 = 12;
pub(super) const FIELDS_DATA: u32 = 13;
pub(super) const NUM_ROWS: u32 = 14;
pub(super) const VERSION: u32 = 15;
const NAMESPACE: u32 = 16;

/// The only data format that is written since Milvus 2.2.
pub(super) const COLUMN_BASED: u64 = 1;

/// What an Insert is made of, except where it goes.
#[derive(Debug, Default)]
pub(super) struct ParsedInsert {
    pub base: Base,
    pub timestamps: Vec<u64>,
    pub row_ids: Elements,
    pub rows: u64,
    pub columns: Vec<Column>,
    /// Two columns have one id: nobody can say which belongs to which of another Insert.
    ambiguous: bool,
    /// As written. Says something of the whole message, so equal ones can be merged.
    pub namespace: Vec<Bytes>,
    /// Fields that are not known here, as written.
    pub unknown: Vec<Bytes>,
}

impl ParsedInsert {
    pub fn parse(payload: &Bytes) -> Result<Self, CodecError> {
        let mut insert = Self::default();
        let (mut based, mut rows, mut version) = (false, None, 0);
        let mut bodies = Vec::new();
        for field in Fields::new(payload) {
            let field = field?;
            match field.number {
                BASE => {
                    based = true;
                    insert.base.merge(&field, payload)?;
                }
                SHARD_NAME | DB_NAME | COLLECTION_NAME | PARTITION_NAME | DB_ID | COLLECTION_ID
                | PARTITION_ID => {}
                // The target gives out its own segments.
                SEGMENT_ID => {}
                TIMESTAMPS => decode_varints(&field, &mut insert.timestamps)?,
                ROW_IDS => insert.row_ids.push(Element::Varint, &field, payload)?,
                ROW_DATA => return Err(CodecError::RowBased),
                FIELDS_DATA => bodies.push(field.bytes()?),
                NUM_ROWS => rows = Some(field.varint()?),
                VERSION => version = field.varint()?,
                NAMESPACE => insert.namespace.push(payload.slice_ref(field.raw)),
                _ => insert.unknown.push(payload.slice_ref(field.raw)),
            }
        }
        if !based {
            return Err(CodecError::NoBase);
        }
        if insert.base.msg_type != MsgType::Insert as i32 {
            return Err(CodecError::NotRows { msg_type: insert.base.msg_type });
        }
        check_version(version)?;
        insert.rows = rows.unwrap_or(insert.timestamps.len() as u64);
        insert.check_counts()?;
        for body in bodies {
            insert.columns.push(Column::parse(body, insert.rows, payload)?);
        }
        insert.ambiguous = has_duplicates(&insert.columns);
        Ok(insert)
    }

    /// The lists that run parallel to the rows must be as long: merging would shift them otherwise.
    fn check_counts(&self) -> Result<(), CodecError> {
        let expected = self.rows;
        let found = self.timestamps.len() as u64;
        if found != expected {
            return Err(CodecError::RowCount { what: "timestamps", expected, found });
        }
        let found = self.row_ids.count;
        if found != expected && found != 0 {
            return Err(CodecError::RowCount { what: "row ids", expected, found });
        }
        Ok(())
    }

    /// Neither rows nor anything that is not known.
    pub fn holds_nothing(&self) -> bool {
        self.rows == 0 && self.unknown.is_empty()
    }

    /// For each own column, which of `other` belongs to it; `None` when the two cannot be one message.
    pub fn pairing(&self, other: &Self) -> Option<Vec<usize>> {
        let parallel = (self.row_ids.count == 0) == (other.row_ids.count == 0);
        let known = [self, other].iter().all(|insert| insert.unknown.is_empty() && !insert.ambiguous);
        if !parallel
            || !known
            || self.namespace != other.namespace
            || self.columns.len() != other.columns.len()
        {
            return None;
        }
        let mut taken = vec![false; other.columns.len()];
        let mut pairs = Vec::with_capacity(self.columns.len());
        for (index, own) in self.columns.iter().enumerate() {
            // Nearly always in the same order.
            let same_place = other.columns.get(index).filter(|theirs| theirs.field_id == own.field_id);
            let place = match same_place {
                Some(_) => index,
                None => other.columns.iter().position(|theirs| theirs.field_id == own.field_id)?,
            };
            if std::mem::replace(&mut taken[place], true) || !own.joins(&other.columns[place]) {
                return None;
            }
            pairs.push(place);
        }
        Some(pairs)
    }

    /// Appends the rows of `other`, whose columns were paired by [`ParsedInsert::pairing`].
    pub fn append(&mut self, other: Self, pairs: &[usize]) {
        let mut columns: Vec<Option<Column>> = other.columns.into_iter().map(Some).collect();
        for (own, place) in self.columns.iter_mut().zip(pairs) {
            if let Some(theirs) = columns.get_mut(*place).and_then(Option::take) {
                own.join(theirs);
            }
        }
        self.timestamps.extend(other.timestamps);
        self.row_ids.append(other.row_ids);
        self.rows += other.rows;
    }
}

fn has_duplicates(columns: &[Column]) -> bool {
    let mut ids: Vec<_> = columns.iter().map(|column| column.field_id).collect();
    ids.sort_unstable();
    ids.windows(2).any(|pair| pair[0] == pair[1])
}

/// Refuses data formats other than by column.
pub(super) fn check_version(version: u64) -> Result<(), CodecError> {
    match version {
        COLUMN_BASED => Ok(()),
        0 => Err(CodecError::RowBased),
        version => Err(CodecError::Version { version }),
    }
}
