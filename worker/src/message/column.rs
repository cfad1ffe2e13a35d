//! One column of an Insert (`FieldData`), as parts that can be joined with those of another Insert.
//!
//! Concatenating the raw bytes of two `FieldData` mostly works, because protobuf appends repeated values and
//! merges embedded messages. What would be lost that way (vectors in one `bytes`, the dimension of sparse
//! vectors, `valid_data`) is why columns are taken apart here.

use bytes::{Bytes, BytesMut};

use super::CodecError;
use super::column_rows::ColumnRows;
use super::elements::{Element, Elements, ListMessage, list_len, put_list};
use super::encode::{
    bytes_len, delimited_len, joined_len, put_bytes, put_delimited, put_joined, put_varint, varint_len,
};
use super::row_values::RowValues;
use super::scan::{Field, Fields};
use super::vector_column::VectorColumn;

const TYPE: u32 = 1;
const NAME: u32 = 2;
const SCALARS: u32 = 3;
const VECTORS: u32 = 4;
const FIELD_ID: u32 = 5;
const IS_DYNAMIC: u32 = 6;
const VALID_DATA: u32 = 7;

/// Number of `array_data` in `ScalarField`.
const ARRAY: u32 = 8;

/// Number of `element_type` in `ArrayArray`.
const ELEMENT_TYPE: u32 = 2;

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub field_id: i64,
    /// As it came; leaves so as long as nothing was appended.
    body: Bytes,
    /// `None` = not understood in every part: never joined with another.
    parts: Option<Parts>,
    joined: bool,
}

/// What a column is made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    label: Label,
    data: Data,
    valid: Elements,
}

/// What two columns must have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Label {
    field_id: i64,
    data_type: u64,
    name: Bytes,
    is_dynamic: bool,
}

#[derive(Debug, Clone, Default)]
enum Data {
    #[default]
    Missing,
    Scalar(ScalarColumn),
    Vector(VectorColumn),
}

#[derive(Debug, Clone)]
struct ScalarColumn {
    /// Number of the array within `ScalarField`.
    variant: u32,
    element: Element,
    list: ListMessage,
}

impl Column {
    /// `body` is a `FieldData` within `payload`; `rows` is what the Insert says it has.
    pub fn parse(body: &[u8], rows: u64, payload: &Bytes) -> Result<Self, CodecError> {
        let mut parts = Parts::default();
        let mut understood = true;
        for field in Fields::new(body) {
            understood &= parts.take(&field?, payload)?;
        }
        let field_id = parts.label.field_id;
        understood &= parts.hold_rows(rows);
        let parts = understood.then_some(parts);
        Ok(Self { field_id, body: payload.slice_ref(body), parts, joined: false })
    }

    /// Whether `other`, of another Insert, can be appended.
    pub fn joins(&self, other: &Self) -> bool {
        match (&self.parts, &other.parts) {
            (Some(own), Some(others)) => own.joins(others),
            _ => false,
        }
    }

    /// Appends the rows of `other`; only after [`Column::joins`] said yes.
    pub fn join(&mut self, other: Self) {
        if let (Some(own), Some(others)) = (&mut self.parts, other.parts) {
            own.join(others);
            self.joined = true;
        }
    }

    /// A column made of these parts.
    pub fn of_parts(parts: Parts) -> Self {
        Self { field_id: parts.label.field_id, body: Bytes::new(), parts: Some(parts), joined: true }
    }

    /// Its rows, to be dealt out; `None` = not understood in every part.
    pub fn rows(&self) -> Result<Option<ColumnRows>, CodecError> {
        self.parts.as_ref().map(ColumnRows::new).transpose()
    }

    /// Bytes of the column, those around it not counted.
    pub fn len(&self) -> usize {
        match &self.parts {
            Some(parts) if self.joined => parts.len(),
            _ => self.body.len(),
        }
    }

    pub fn put(&self, out: &mut BytesMut) {
        match &self.parts {
            Some(parts) if self.joined => parts.put(out),
            _ => out.extend_from_slice(&self.body),
        }
    }
}

impl Parts {
    /// Takes over one field; false = its meaning is not known.
    fn take(&mut self, field: &Field<'_>, payload: &Bytes) -> Result<bool, CodecError> {
        match field.number {
            TYPE => self.label.data_type = field.varint()?,
            NAME => self.label.name = payload.slice_ref(field.bytes()?),
            FIELD_ID => self.label.field_id = field.int64()?,
            IS_DYNAMIC => self.label.is_dynamic = field.varint()? != 0,
            VALID_DATA => self.valid.push(Element::Varint, field, payload)?,
            SCALARS => return self.take_scalars(field.bytes()?, payload),
            VECTORS => {
                let body = field.bytes()?;
                if !matches!(self.data, Data::Missing) {
                    return Ok(false);
                }
                let Some(vector) = VectorColumn::parse(body, payload)? else { return Ok(false) };
                self.data = Data::Vector(vector);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn take_scalars(&mut self, body: &[u8], payload: &Bytes) -> Result<bool, CodecError> {
        for field in Fields::new(body) {
            let field = field?;
            let Some(element) = scalar_element(field.number) else { return Ok(false) };
            let list = ListMessage::parse(element, field.bytes()?, payload)?;
            if list.unknown || (list.second.is_some() && field.number != ARRAY) {
                return Ok(false);
            }
            match &mut self.data {
                Data::Missing => {
                    self.data = Data::Scalar(ScalarColumn { variant: field.number, element, list });
                }
                Data::Scalar(column) if column.variant == field.number => column.list.extend(list),
                // Two kinds of data in one column: the last would win, so joining could lose rows.
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// A column of another length than the Insert would shift the rows of what is appended.
    fn hold_rows(&self, rows: u64) -> bool {
        let data_rows = match &self.data {
            Data::Missing => None,
            Data::Scalar(column) => Some(column.list.elements.count),
            Data::Vector(vector) => vector.rows(),
        };
        data_rows == Some(rows) && (self.valid.count == 0 || self.valid.count == rows)
    }

    fn joins(&self, other: &Self) -> bool {
        let same_kind = match (&self.data, &other.data) {
            (Data::Scalar(own), Data::Scalar(others)) => {
                own.variant == others.variant && own.list.second == others.list.second
            }
            (Data::Vector(own), Data::Vector(others)) => own.joins(others),
            _ => false,
        };
        let both_nullable = (self.valid.count == 0) == (other.valid.count == 0);
        same_kind && both_nullable && self.label == other.label
    }

    fn join(&mut self, other: Self) {
        self.valid.append(other.valid);
        match (&mut self.data, other.data) {
            (Data::Scalar(own), Data::Scalar(others)) => own.list.extend(others.list),
            (Data::Vector(own), Data::Vector(others)) => own.join(others),
            _ => {}
        }
    }

    /// The values, row by row.
    pub fn row_values(&self) -> Result<RowValues, CodecError> {
        match &self.data {
            Data::Missing => Ok(RowValues::equal(&[], 0)),
            Data::Scalar(column) => column.row_values(),
            Data::Vector(vector) => vector.row_values(),
        }
    }

    /// Which rows are not null, in a nullable column.
    pub fn row_validity(&self) -> Option<RowValues> {
        (self.valid.count > 0).then(|| RowValues::varints(&self.valid.pieces))
    }

    pub fn name_bytes(&self) -> usize {
        self.label.name.len()
    }

    /// The same column with other rows: `values` and `valid` as they were cut from it.
    pub fn with_rows(&self, rows: u64, values: Bytes, valid: Option<Bytes>) -> Self {
        let data = match &self.data {
            Data::Missing => Data::Missing,
            Data::Scalar(column) => Data::Scalar(column.with_rows(rows, values)),
            Data::Vector(vector) => Data::Vector(vector.with_rows(rows, values)),
        };
        let valid =
            valid.map_or_else(Elements::default, |valid| Elements { pieces: vec![valid], count: rows });
        Self { label: self.label.clone(), data, valid }
    }

    fn len(&self) -> usize {
        let data = match &self.data {
            Data::Missing => 0,
            Data::Scalar(column) => delimited_len(SCALARS, column.len()),
            Data::Vector(vector) => delimited_len(VECTORS, vector.len()),
        };
        varint_len(TYPE, self.label.data_type)
            + bytes_len(NAME, &self.label.name)
            + data
            + varint_len(FIELD_ID, self.label.field_id.cast_unsigned())
            + varint_len(IS_DYNAMIC, self.label.is_dynamic.into())
            + joined_len(VALID_DATA, &self.valid.pieces)
    }

    fn put(&self, out: &mut BytesMut) {
        put_varint(out, TYPE, self.label.data_type);
        put_bytes(out, NAME, &self.label.name);
        match &self.data {
            Data::Missing => {}
            Data::Scalar(column) => {
                put_delimited(out, SCALARS, column.len());
                column.put(out);
            }
            Data::Vector(vector) => {
                put_delimited(out, VECTORS, vector.len());
                vector.put(out);
            }
        }
        put_varint(out, FIELD_ID, self.label.field_id.cast_unsigned());
        put_varint(out, IS_DYNAMIC, self.label.is_dynamic.into());
        put_joined(out, VALID_DATA, &self.valid.pieces);
    }
}

impl ScalarColumn {
    fn row_values(&self) -> Result<RowValues, CodecError> {
        let pieces = &self.list.elements.pieces;
        match self.element {
            Element::Varint => Ok(RowValues::varints(pieces)),
            Element::Fixed32 => Ok(RowValues::equal(pieces, 4)),
            Element::Fixed64 => Ok(RowValues::equal(pieces, 8)),
            Element::Delimited => RowValues::entries(pieces),
        }
    }

    fn with_rows(&self, rows: u64, values: Bytes) -> Self {
        let mut pieces = vec![values];
        if let Some(element_type) = self.list.second {
            // Entries were cut out from around it.
            let mut piece = BytesMut::new();
            put_varint(&mut piece, ELEMENT_TYPE, element_type);
            pieces.push(piece.freeze());
        }
        let elements = Elements { pieces, count: rows };
        Self { list: ListMessage { elements, ..self.list.clone() }, ..*self }
    }

    fn len(&self) -> usize {
        delimited_len(self.variant, list_len(self.element, &self.list.elements.pieces))
    }

    fn put(&self, out: &mut BytesMut) {
        let pieces = &self.list.elements.pieces;
        put_delimited(out, self.variant, list_len(self.element, pieces));
        // The element type of arrays is within the pieces.
        put_list(out, self.element, pieces);
    }
}

/// How the values of each kind of `ScalarField` are written.
fn scalar_element(variant: u32) -> Option<Element> {
    match variant {
        // bool, int32, int64, timestamptz
        1..=3 | 11 => Some(Element::Varint),
        // float
        4 => Some(Element::Fixed32),
        // double
        5 => Some(Element::Fixed64),
        // string, bytes, array, JSON, geometry (two forms), molecule (two forms)
        6..=10 | 12..=14 => Some(Element::Delimited),
        _ => None,
    }
}
