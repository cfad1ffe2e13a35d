//! Random Inserts and Deletes, and the merge of decoded ones.

use bytes::Bytes;
use harrier_proto::common::{MsgBase, MsgType};
use harrier_proto::msg::{DeleteRequest, InsertRequest};
use harrier_proto::schema::{
    ArrayArray, BoolArray, BytesArray, DataType, DoubleArray, FieldData, FloatArray, IDs, IntArray,
    JsonArray, LongArray, ScalarField, SparseFloatArray, StringArray, VectorField, field_data::Field,
    i_ds::IdField, scalar_field::Data, vector_field,
};
use proptest::prelude::*;
use prost::Message;

use crate::message::Destination;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Long,
    Float,
    Double,
    Text,
    Json,
    Array,
    Bytes,
    FloatVector,
    BinaryVector,
    Float16Vector,
    BFloat16Vector,
    Int8Vector,
    SparseVector,
}

pub const KINDS: [Kind; 15] = [
    Kind::Bool,
    Kind::Int,
    Kind::Long,
    Kind::Float,
    Kind::Double,
    Kind::Text,
    Kind::Json,
    Kind::Array,
    Kind::Bytes,
    Kind::FloatVector,
    Kind::BinaryVector,
    Kind::Float16Vector,
    Kind::BFloat16Vector,
    Kind::Int8Vector,
    Kind::SparseVector,
];

/// Columns of a collection; the first is its key.
#[derive(Debug, Clone)]
pub struct Schema {
    pub text_key: bool,
    pub columns: Vec<(Kind, bool)>,
    pub dynamic: bool,
}

pub const KEY_ID: i64 = 100;

pub fn schema() -> impl Strategy<Value = Schema> {
    let column = (prop::sample::select(&KINDS[..]), any::<bool>());
    (any::<bool>(), prop::collection::vec(column, 0..6), any::<bool>())
        .prop_map(|(text_key, columns, dynamic)| Schema { text_key, columns, dynamic })
}

/// A few Inserts of one collection, each with its columns in an order of its own.
pub fn inserts() -> impl Strategy<Value = Vec<InsertRequest>> {
    schema().prop_flat_map(|schema| {
        let one = (1usize..5, any::<u64>(), any::<bool>());
        prop::collection::vec(one, 1..6).prop_map(move |seeds| {
            let inserts = seeds.iter().map(|(rows, seed, rotate)| insert(&schema, *rows, *seed, *rotate));
            inserts.collect()
        })
    })
}

/// An Insert whose content follows from the seed.
pub fn insert(schema: &Schema, rows: usize, seed: u64, rotate: bool) -> InsertRequest {
    let key = if schema.text_key { Kind::Text } else { Kind::Long };
    let mut fields_data = vec![column(KEY_ID, key, false, rows, seed)];
    for (index, (kind, nullable)) in schema.columns.iter().enumerate() {
        fields_data.push(column(101 + index as i64, *kind, *nullable, rows, seed ^ index as u64));
    }
    if schema.dynamic {
        let mut meta = column(200, Kind::Json, false, rows, seed);
        meta.is_dynamic = true;
        fields_data.push(meta);
    }
    if rotate {
        fields_data.rotate_left(1);
    }
    InsertRequest {
        base: Some(MsgBase {
            msg_type: MsgType::Insert as i32,
            msg_id: 5,
            timestamp: 0,
            source_id: 3,
            properties: [("k".to_owned(), "v".to_owned())].into(),
            ..Default::default()
        }),
        shard_name: "by-dev-rootcoord-dml_0_7v0".into(),
        collection_name: "source".into(),
        partition_name: "_default".into(),
        collection_id: 7,
        partition_id: 8,
        segment_id: 9,
        timestamps: (0..rows).map(|row| (seed >> 1) + row as u64 / 2).collect(),
        row_i_ds: (0..rows).map(|row| seed as i64 ^ row as i64).collect(),
        fields_data,
        num_rows: rows as u64,
        version: 1,
        ..Default::default()
    }
}

fn column(field_id: i64, kind: Kind, nullable: bool, rows: usize, seed: u64) -> FieldData {
    let valid_data =
        if nullable { (0..rows).map(|row| seed >> (row % 60) & 1 == 0).collect() } else { Vec::new() };
    FieldData {
        r#type: data_type(kind) as i32,
        field_name: format!("f{field_id}"),
        field: Some(content(kind, rows, seed)),
        field_id,
        is_dynamic: false,
        valid_data,
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Bool,
        Kind::Int => DataType::Int32,
        Kind::Long => DataType::Int64,
        Kind::Float => DataType::Float,
        Kind::Double => DataType::Double,
        Kind::Text | Kind::Bytes => DataType::VarChar,
        Kind::Json => DataType::Json,
        Kind::Array => DataType::Array,
        Kind::FloatVector => DataType::FloatVector,
        Kind::BinaryVector => DataType::BinaryVector,
        Kind::Float16Vector => DataType::Float16Vector,
        Kind::BFloat16Vector => DataType::BFloat16Vector,
        Kind::Int8Vector => DataType::Int8Vector,
        Kind::SparseVector => DataType::SparseFloatVector,
    }
}

fn content(kind: Kind, rows: usize, seed: u64) -> Field {
    let values = (0..rows as u64).map(|row| seed.rotate_left(7 * row as u32) ^ row);
    let scalar = |data| Field::Scalars(ScalarField { data: Some(data) });
    let vector = |dim, data| Field::Vectors(VectorField { dim, data: Some(data) });
    let filled =
        |per_row: usize| Bytes::from(values.clone().flat_map(|v| vec![v as u8; per_row]).collect::<Vec<_>>());
    match kind {
        Kind::Bool => scalar(Data::BoolData(BoolArray { data: values.map(|v| v % 2 == 0).collect() })),
        Kind::Int => scalar(Data::IntData(IntArray { data: values.map(|v| v as i32).collect() })),
        Kind::Long => scalar(Data::LongData(LongArray { data: values.map(|v| v as i64).collect() })),
        Kind::Float => scalar(Data::FloatData(FloatArray { data: values.map(|v| v as f32).collect() })),
        Kind::Double => scalar(Data::DoubleData(DoubleArray { data: values.map(|v| v as f64).collect() })),
        Kind::Text => scalar(Data::StringData(StringArray { data: values.map(text).collect() })),
        Kind::Json => scalar(Data::JsonData(JsonArray { data: values.map(|v| text(v).into()).collect() })),
        Kind::Bytes => scalar(Data::BytesData(BytesArray { data: values.map(|v| text(v).into()).collect() })),
        Kind::Array => {
            let entry = |v| ScalarField {
                data: Some(Data::LongData(LongArray { data: vec![v as i64; v as usize % 3] })),
            };
            let element_type = DataType::Int64 as i32;
            scalar(Data::ArrayData(ArrayArray { data: values.map(entry).collect(), element_type }))
        }
        Kind::FloatVector => {
            let data = values.flat_map(|v| [v as f32, 1.5, -0.0]).collect();
            vector(3, vector_field::Data::FloatVector(FloatArray { data }))
        }
        Kind::BinaryVector => vector(16, vector_field::Data::BinaryVector(filled(2))),
        Kind::Float16Vector => vector(4, vector_field::Data::Float16Vector(filled(8))),
        Kind::BFloat16Vector => vector(2, vector_field::Data::Bfloat16Vector(filled(4))),
        Kind::Int8Vector => vector(5, vector_field::Data::Int8Vector(filled(5))),
        Kind::SparseVector => {
            let contents = values.map(|v| Bytes::from(vec![v as u8; v as usize % 9])).collect();
            let dim = (seed % 1000) as i64;
            vector(dim, vector_field::Data::SparseFloatVector(SparseFloatArray { contents, dim }))
        }
    }
}

fn text(value: u64) -> String {
    format!("{:x}", value >> (value % 61))
}

/// Where merged messages go.
pub fn destination() -> Destination {
    Destination {
        db_name: "target_db".into(),
        collection_name: "target".into(),
        collection_id: 70,
        partition_id: 80,
        partition_name: "p".into(),
        shard_name: "by-dev-rootcoord-dml_3_70v0".into(),
    }
}

pub fn encoded(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

/// What the merge of decoded Inserts is, in the order of the first one's columns.
pub fn appended(inserts: &[InsertRequest], msg_id: i64) -> InsertRequest {
    let mut merged = inserts[0].clone();
    for insert in &inserts[1..] {
        merged.timestamps.extend(&insert.timestamps);
        merged.row_i_ds.extend(&insert.row_i_ds);
        merged.num_rows += insert.num_rows;
        for own in &mut merged.fields_data {
            let theirs = insert.fields_data.iter().find(|field| field.field_id == own.field_id).unwrap();
            append_column(own, theirs);
        }
    }
    let to = destination();
    merged.shard_name = to.shard_name;
    merged.db_name = to.db_name;
    merged.collection_name = to.collection_name;
    merged.partition_name = to.partition_name;
    merged.collection_id = to.collection_id;
    merged.partition_id = to.partition_id;
    merged.segment_id = 0;
    let base = merged.base.as_mut().unwrap();
    base.msg_id = msg_id;
    base.timestamp = merged.timestamps.iter().copied().min().unwrap_or(base.timestamp);
    merged
}

fn append_column(own: &mut FieldData, theirs: &FieldData) {
    own.valid_data.extend(&theirs.valid_data);
    match (own.field.as_mut().unwrap(), theirs.field.as_ref().unwrap()) {
        (Field::Scalars(a), Field::Scalars(b)) => {
            append_scalars(a.data.as_mut().unwrap(), b.data.as_ref().unwrap())
        }
        (Field::Vectors(a), Field::Vectors(b)) => {
            a.dim = a.dim.max(b.dim);
            append_vectors(a.data.as_mut().unwrap(), b.data.as_ref().unwrap());
        }
        _ => panic!("not generated"),
    }
}

fn append_scalars(own: &mut Data, theirs: &Data) {
    match (own, theirs) {
        (Data::BoolData(a), Data::BoolData(b)) => a.data.extend(&b.data),
        (Data::IntData(a), Data::IntData(b)) => a.data.extend(&b.data),
        (Data::LongData(a), Data::LongData(b)) => a.data.extend(&b.data),
        (Data::FloatData(a), Data::FloatData(b)) => a.data.extend(&b.data),
        (Data::DoubleData(a), Data::DoubleData(b)) => a.data.extend(&b.data),
        (Data::StringData(a), Data::StringData(b)) => a.data.extend(b.data.clone()),
        (Data::JsonData(a), Data::JsonData(b)) => a.data.extend(b.data.clone()),
        (Data::BytesData(a), Data::BytesData(b)) => a.data.extend(b.data.clone()),
        (Data::ArrayData(a), Data::ArrayData(b)) => a.data.extend(b.data.clone()),
        _ => panic!("not generated"),
    }
}

fn append_vectors(own: &mut vector_field::Data, theirs: &vector_field::Data) {
    use vector_field::Data as V;
    let join = |a: &mut Bytes, b: &Bytes| *a = [&a[..], &b[..]].concat().into();
    match (own, theirs) {
        (V::FloatVector(a), V::FloatVector(b)) => a.data.extend(&b.data),
        (V::SparseFloatVector(a), V::SparseFloatVector(b)) => {
            a.contents.extend(b.contents.clone());
            a.dim = a.dim.max(b.dim);
        }
        (V::BinaryVector(a), V::BinaryVector(b))
        | (V::Float16Vector(a), V::Float16Vector(b))
        | (V::Bfloat16Vector(a), V::Bfloat16Vector(b))
        | (V::Int8Vector(a), V::Int8Vector(b)) => join(a, b),
        _ => panic!("not generated"),
    }
}

/// A Delete whose content follows from the seed.
pub fn delete(text_keys: bool, rows: usize, seed: u64) -> DeleteRequest {
    let values = (0..rows as u64).map(|row| seed.rotate_left(7 * row as u32) ^ row);
    let id_field = if text_keys {
        IdField::StrId(StringArray { data: values.clone().map(text).collect() })
    } else {
        IdField::IntId(LongArray { data: values.clone().map(|v| v as i64).collect() })
    };
    DeleteRequest {
        base: Some(MsgBase {
            msg_type: MsgType::Delete as i32,
            msg_id: 6,
            timestamp: 1,
            ..Default::default()
        }),
        shard_name: "by-dev-rootcoord-dml_0_7v0".into(),
        collection_id: 7,
        partition_id: -1,
        timestamps: values.map(|v| v >> 1).collect(),
        num_rows: rows as i64,
        primary_keys: Some(IDs { id_field: Some(id_field) }),
        segment_id: 4,
        ..Default::default()
    }
}
