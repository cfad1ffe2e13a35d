//! The primary keys of an Insert: the one column that is ever decoded, for the Deletes of replays.

use bytes::Bytes;
use harrier_proto::schema::{
    self, IDs, LongArray, StringArray, field_data::Field, i_ds::IdField, scalar_field::Data,
};
use prost::Message;

use super::CodecError;
use super::elements::decode_varints;
use super::parsed_insert::{FIELDS_DATA, NUM_ROWS, TIMESTAMPS};
use super::scan::Fields;

/// Number of `field_id` in `FieldData`.
const FIELD_ID: u32 = 5;

/// The keys of all rows of an Insert, in their order.
pub fn primary_keys(insert: &Bytes, primary_field_id: i64) -> Result<IDs, CodecError> {
    let (mut column, mut rows, mut timestamps) = (None, None, Vec::new());
    for field in Fields::new(insert) {
        let field = field?;
        match field.number {
            FIELDS_DATA if field_id(field.bytes()?)? == primary_field_id => column = Some(field.bytes()?),
            NUM_ROWS => rows = Some(field.varint()?),
            TIMESTAMPS => decode_varints(&field, &mut timestamps)?,
            _ => {}
        }
    }
    let body = column.ok_or(CodecError::NoKeyColumn { field_id: primary_field_id })?;
    let wrong_type = CodecError::KeyType { field_id: primary_field_id };
    let decoded = schema::FieldData::decode(insert.slice_ref(body)).map_err(|_| wrong_type.clone())?;
    let Some(Field::Scalars(scalars)) = decoded.field else { return Err(wrong_type) };
    let (id_field, found) = match scalars.data {
        Some(Data::LongData(keys)) => {
            let found = keys.data.len();
            (IdField::IntId(LongArray { data: keys.data }), found)
        }
        Some(Data::StringData(keys)) => {
            let found = keys.data.len();
            (IdField::StrId(StringArray { data: keys.data }), found)
        }
        _ => return Err(wrong_type),
    };
    let (expected, found) = (rows.unwrap_or(timestamps.len() as u64), found as u64);
    if expected != found {
        return Err(CodecError::RowCount { what: "primary keys", expected, found });
    }
    Ok(IDs { id_field: Some(id_field) })
}

fn field_id(column: &[u8]) -> Result<i64, CodecError> {
    let mut id = 0;
    for field in Fields::new(column) {
        let field = field?;
        if field.number == FIELD_ID {
            id = field.int64()?;
        }
    }
    Ok(id)
}
