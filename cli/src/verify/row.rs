//! The columns of an answer, as rows: their keys, a hash of each, and what a value looks like. Pure.

use std::collections::BTreeMap;

use harrier_proto::schema::{FieldData, ScalarField, VectorField, field_data, scalar_field, vector_field};
use prost::Message;
use ring::digest::{Context, SHA256};

use super::key::Key;

/// Characters of a value that are shown.
const SHOWN_MAX: usize = 80;

/// Of all fields of a row, by name.
pub(super) type RowHash = [u8; 16];

/// An answer that is no table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub String);

/// Every row by its key. A row that comes twice in one answer counts once.
pub(super) fn hashes(columns: &[FieldData], primary: &str) -> Result<BTreeMap<Key, RowHash>, Unreadable> {
    let mut sorted: Vec<&FieldData> = columns.iter().collect();
    sorted.sort_by(|a, b| a.field_name.cmp(&b.field_name));
    let mut cell = Vec::new();
    let rows = keys(columns, primary)?.into_iter().enumerate().map(|(row, key)| {
        let mut context = Context::new(&SHA256);
        for column in &sorted {
            cell.clear();
            write_cell(column, row, &mut cell).ok_or_else(|| unreadable(column))?;
            for part in [column.field_name.as_bytes(), &cell] {
                context.update(&part.len().to_le_bytes());
                context.update(part);
            }
        }
        let mut hash = RowHash::default();
        hash.copy_from_slice(&context.finish().as_ref()[..16]);
        Ok((key, hash))
    });
    rows.collect()
}

/// The first field in which two rows differ, with both values; by the names of the first one's columns.
pub(super) fn first_difference(
    key: &Key,
    (ours, theirs): (&[FieldData], &[FieldData]),
    primary: &str,
) -> Option<(String, String, String)> {
    let row_of = |columns: &[FieldData]| keys(columns, primary).ok()?.iter().position(|one| one == key);
    let (our_row, their_row) = (row_of(ours)?, row_of(theirs)?);
    ours.iter().find_map(|column| {
        let other = theirs.iter().find(|other| other.field_name == column.field_name)?;
        let (mut one, mut two) = (Vec::new(), Vec::new());
        write_cell(column, our_row, &mut one)?;
        write_cell(other, their_row, &mut two)?;
        (one != two).then(|| (column.field_name.clone(), show(column, our_row), show(other, their_row)))
    })
}

fn keys(columns: &[FieldData], primary: &str) -> Result<Vec<Key>, Unreadable> {
    let Some(column) = columns.iter().find(|column| column.field_name == primary) else {
        // An answer without rows may come without columns.
        return if columns.is_empty() {
            Ok(Vec::new())
        } else {
            Err(Unreadable(format!("the key {primary} is missing in the answer")))
        };
    };
    match &column.field {
        Some(field_data::Field::Scalars(ScalarField { data: Some(data) })) => match data {
            scalar_field::Data::LongData(values) => Ok(values.data.iter().copied().map(Key::Int).collect()),
            scalar_field::Data::StringData(values) => {
                Ok(values.data.iter().cloned().map(Key::Text).collect())
            }
            _ => Err(unreadable(column)),
        },
        None | Some(field_data::Field::Scalars(ScalarField { data: None })) => Ok(Vec::new()),
        _ => Err(unreadable(column)),
    }
}

fn unreadable(column: &FieldData) -> Unreadable {
    Unreadable(format!("the values of field {} cannot be read", column.field_name))
}

/// The bits of one value: a NaN equals itself, -0.0 is not 0.0.
fn write_cell(column: &FieldData, row: usize, out: &mut Vec<u8>) -> Option<()> {
    if !column.valid_data.is_empty() && !*column.valid_data.get(row)? {
        out.push(0);
        return Some(());
    }
    out.push(1);
    match column.field.as_ref()? {
        field_data::Field::Scalars(scalars) => write_scalar(scalars, row, out),
        field_data::Field::Vectors(vectors) => write_vector(vectors, row, out),
        field_data::Field::StructArrays(_) => None,
    }
}

fn write_scalar(scalars: &ScalarField, row: usize, out: &mut Vec<u8>) -> Option<()> {
    use scalar_field::Data;
    match scalars.data.as_ref()? {
        Data::BoolData(values) => out.push(u8::from(*values.data.get(row)?)),
        Data::IntData(values) => out.extend(values.data.get(row)?.to_le_bytes()),
        Data::LongData(values) => out.extend(values.data.get(row)?.to_le_bytes()),
        Data::FloatData(values) => out.extend(values.data.get(row)?.to_bits().to_le_bytes()),
        Data::DoubleData(values) => out.extend(values.data.get(row)?.to_bits().to_le_bytes()),
        Data::StringData(values) => out.extend(values.data.get(row)?.as_bytes()),
        Data::BytesData(values) => out.extend(values.data.get(row)?),
        Data::ArrayData(values) => out.extend(values.data.get(row)?.encode_to_vec()),
        Data::JsonData(values) => out.extend(values.data.get(row)?),
        Data::GeometryData(values) => out.extend(values.data.get(row)?),
        Data::TimestamptzData(values) => out.extend(values.data.get(row)?.to_le_bytes()),
        Data::GeometryWktData(values) => out.extend(values.data.get(row)?.as_bytes()),
        Data::MolData(values) => out.extend(values.data.get(row)?),
        Data::MolSmilesData(values) => out.extend(values.data.get(row)?.as_bytes()),
    }
    Some(())
}

fn write_vector(vectors: &VectorField, row: usize, out: &mut Vec<u8>) -> Option<()> {
    use vector_field::Data;
    let dim = usize::try_from(vectors.dim).ok()?;
    let slice = |bytes: &[u8], size: usize| bytes.get(row * size..(row + 1) * size).map(<[u8]>::to_vec);
    match vectors.data.as_ref()? {
        Data::FloatVector(values) => {
            let own = values.data.get(row * dim..(row + 1) * dim)?;
            out.extend(own.iter().flat_map(|value| value.to_bits().to_le_bytes()));
        }
        Data::BinaryVector(bytes) => out.extend(slice(bytes, dim.div_ceil(8))?),
        Data::Float16Vector(bytes) | Data::Bfloat16Vector(bytes) => out.extend(slice(bytes, dim * 2)?),
        Data::Int8Vector(bytes) => out.extend(slice(bytes, dim)?),
        Data::SparseFloatVector(values) => out.extend(values.contents.get(row)?),
        Data::VectorArray(values) => out.extend(values.data.get(row)?.encode_to_vec()),
    }
    Some(())
}

fn show(column: &FieldData, row: usize) -> String {
    use scalar_field::Data;
    let text = match column.field.as_ref() {
        Some(field_data::Field::Scalars(ScalarField { data: Some(data) })) => match data {
            Data::BoolData(values) => format!("{:?}", values.data.get(row)),
            Data::IntData(values) => format!("{:?}", values.data.get(row)),
            Data::LongData(values) => format!("{:?}", values.data.get(row)),
            Data::FloatData(values) => format!("{:?}", values.data.get(row)),
            Data::DoubleData(values) => format!("{:?}", values.data.get(row)),
            Data::StringData(values) => format!("{:?}", values.data.get(row)),
            Data::JsonData(values) => format!("{:?}", values.data.get(row)),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let text = text.strip_prefix("Some(").and_then(|text| text.strip_suffix(')')).unwrap_or(&text).to_owned();
    let text = if text.is_empty() { hex_of(column, row) } else { text };
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn hex_of(column: &FieldData, row: usize) -> String {
    let mut bytes = Vec::new();
    write_cell(column, row, &mut bytes);
    let hex: String = bytes.iter().skip(1).take(SHOWN_MAX).map(|byte| format!("{byte:02x}")).collect();
    format!("0x{hex}")
}
