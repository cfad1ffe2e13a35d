//! What must not become one Insert, and what travels with it untouched.

use bytes::Bytes;
use harrier_proto::msg::InsertRequest;
use harrier_proto::schema::{FieldData, ScalarField, StringArray, field_data::Field, scalar_field::Data};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::samples::{Kind, Schema, destination, encoded, insert};
use crate::message::{CodecError, MergeRefusal, MergedInsert, Stamp};

fn sample(seed: u64) -> InsertRequest {
    let columns = vec![(Kind::FloatVector, false), (Kind::Int, true), (Kind::Array, false)];
    insert(&Schema { text_key: false, columns, dynamic: true }, 3, seed, false)
}

fn try_both(first: &InsertRequest, second: &InsertRequest) -> Result<(), MergeRefusal> {
    let mut merged = MergedInsert::new(destination());
    merged.try_append(&encoded(first), Stamp::Keep).unwrap();
    let outcome = merged.try_append(&encoded(second), Stamp::Keep);
    if outcome.is_err() {
        // The refused one left no trace.
        assert_eq!(merged.rows(), first.num_rows);
        let decoded = InsertRequest::decode(merged.finish(1)).unwrap();
        assert_eq!(decoded.fields_data, first.fields_data);
    }
    outcome
}

#[test]
fn other_fields_are_not_merged() {
    let changes: [fn(&mut InsertRequest); 11] = [
        |i| i.fields_data.truncate(3),
        |i| i.fields_data[1].field_id = 555,
        |i| i.fields_data[1].r#type = 100,
        |i| i.fields_data[1].field_name = "renamed".into(),
        |i| i.fields_data[4].is_dynamic = false,
        |i| i.fields_data[2].valid_data.clear(),
        |i| i.fields_data[0].valid_data = vec![true; 3],
        |i| i.fields_data[1].field = i.fields_data[2].field.clone(),
        |i| i.row_i_ds.clear(),
        |i| i.namespace = Some("n".into()),
        |i| {
            let Some(Field::Vectors(vectors)) = &mut i.fields_data[1].field else { panic!("vectors") };
            vectors.dim = 1;
        },
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut second = sample(2);
        change(&mut second);
        assert_eq!(try_both(&sample(1), &second), Err(MergeRefusal::FieldsDiffer), "change {index}");
        assert_eq!(try_both(&second, &sample(1)), Err(MergeRefusal::FieldsDiffer), "change {index}, turned");
    }
    assert_eq!(try_both(&sample(1), &sample(2)), Ok(()));
}

#[test]
fn columns_of_another_length_go_alone() {
    let mut short = sample(1);
    let Some(Field::Scalars(ScalarField { data: Some(Data::IntData(ints)) })) =
        &mut short.fields_data[2].field
    else {
        panic!("ints");
    };
    ints.data.pop();
    assert_eq!(try_both(&short, &sample(2)), Err(MergeRefusal::FieldsDiffer));
    let mut half_valid = sample(1);
    half_valid.fields_data[2].valid_data.pop();
    assert_eq!(try_both(&half_valid, &half_valid.clone()), Err(MergeRefusal::FieldsDiffer));
}

#[test]
fn an_insert_without_rows_changes_nothing() {
    let mut empty = sample(1);
    empty.num_rows = 0;
    empty.timestamps.clear();
    empty.row_i_ds.clear();
    empty.fields_data.clear();
    let mut merged = MergedInsert::new(destination());
    for insert in [&empty, &sample(1), &empty, &sample(2)] {
        merged.try_append(&encoded(insert), Stamp::Keep).unwrap();
    }
    assert_eq!(merged.rows(), 6);
    assert_eq!(InsertRequest::decode(merged.finish(1)).unwrap().fields_data.len(), 5);
}

#[test]
fn two_columns_of_one_id_go_alone() {
    let mut twice = sample(1);
    let again = twice.fields_data[0].clone();
    twice.fields_data.push(again);
    assert_eq!(try_both(&twice, &twice.clone()), Err(MergeRefusal::FieldsDiffer));
}

#[test]
fn unknown_fields_are_forwarded_as_they_came() {
    let mut unknown = Vec::new();
    encode_key(999, WireType::Varint, &mut unknown);
    encode_varint(7, &mut unknown);
    let mut message = encoded(&sample(1)).to_vec();
    message.extend_from_slice(&unknown);
    // One within a column, too.
    let column = FieldData {
        field_id: 300,
        field: Some(Field::Scalars(ScalarField { data: Some(Data::StringData(StringArray::default())) })),
        ..Default::default()
    };
    let mut column = column.encode_to_vec();
    column.extend_from_slice(&unknown);
    encode_key(13, WireType::LengthDelimited, &mut message);
    encode_varint(column.len() as u64, &mut message);
    message.extend_from_slice(&column);

    let mut merged = MergedInsert::new(destination());
    merged.try_append(&Bytes::from(message), Stamp::Keep).unwrap();
    assert_eq!(merged.try_append(&encoded(&sample(2)), Stamp::Keep), Err(MergeRefusal::FieldsDiffer));
    let out = merged.finish(1);
    assert!(out.ends_with(&unknown));
    assert!(out.windows(column.len()).any(|window| window == column));
}

#[test]
fn other_formats_are_refused_with_a_word_on_it() {
    let mut merged = MergedInsert::new(destination());
    let mut old = sample(1);
    old.version = 0;
    let refusal = merged.try_append(&encoded(&old), Stamp::Keep).unwrap_err();
    assert_eq!(refusal, CodecError::RowBased.into());
    assert!(refusal.to_string().contains("by row"));
    let mut newer = sample(1);
    newer.version = 2;
    assert_eq!(
        merged.try_append(&encoded(&newer), Stamp::Keep),
        Err(CodecError::Version { version: 2 }.into())
    );
    let mut short = sample(1);
    short.timestamps.pop();
    let error = CodecError::RowCount { what: "timestamps", expected: 3, found: 2 };
    assert_eq!(merged.try_append(&encoded(&short), Stamp::Keep), Err(error.into()));
    let mut other = sample(1);
    other.base.as_mut().unwrap().msg_type = 401;
    assert_eq!(
        merged.try_append(&encoded(&other), Stamp::Keep),
        Err(CodecError::NotRows { msg_type: 401 }.into())
    );
    assert_eq!(merged.rows(), 0);
}
