//! Parts of a message must have its rows, in their order, and be as small as was asked for.

use bytes::Bytes;
use harrier_proto::msg::{DeleteRequest, InsertRequest};
use harrier_proto::schema::{FieldData, ScalarField, StringArray, field_data::Field, scalar_field::Data};
use proptest::prelude::*;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::samples::{KINDS, Schema, appended, delete, destination, encoded, insert, schema};
use crate::message::{
    MergedDelete, MergedInsert, SplitRefusal, Stamp, read_head, row_timestamps, split_rows,
};

fn assert_sizes(parts: &[Bytes], bytes_max: usize) {
    for part in parts {
        let rows = row_timestamps(part).unwrap().len();
        assert!(rows > 0 && (rows == 1 || part.len() <= bytes_max), "{rows} rows, {} bytes", part.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn parts_of_an_insert_merge_to_what_it_was(
        schema in schema(),
        rows in 1usize..60,
        seed: u64,
        share in 0usize..110,
    ) {
        let whole = insert(&schema, rows, seed, false);
        let bytes = encoded(&whole);
        let bytes_max = bytes.len() * share / 100;
        let parts = split_rows(&bytes, bytes_max).unwrap();
        assert_sizes(&parts, bytes_max);
        prop_assert_eq!(parts.len() == 1, rows == 1 || bytes_max >= bytes.len());
        let mut merged = MergedInsert::new(destination());
        for part in &parts {
            merged.try_append(part, Stamp::Keep).unwrap();
        }
        prop_assert_eq!(InsertRequest::decode(merged.finish(77)).unwrap(), appended(&[whole], 77));
    }

    #[test]
    fn parts_keep_the_head(schema in schema(), seed: u64) {
        let whole = insert(&schema, 2, seed, true);
        let parts = split_rows(&encoded(&whole), 0).unwrap();
        prop_assert_eq!(parts.len(), 2);
        for (row, part) in parts.iter().enumerate() {
            let decoded = InsertRequest::decode(part.clone()).unwrap();
            prop_assert_eq!(&decoded.row_i_ds, &whole.row_i_ds[row..=row]);
            let only_head = |insert: &InsertRequest| InsertRequest {
                timestamps: Vec::new(),
                row_i_ds: Vec::new(),
                fields_data: Vec::new(),
                num_rows: 0,
                ..insert.clone()
            };
            prop_assert_eq!(only_head(&decoded), only_head(&whole));
        }
    }

    #[test]
    fn parts_of_a_delete_merge_to_what_it_was(text_keys: bool, rows in 1usize..80, seed: u64, share in 0usize..110) {
        let whole = delete(text_keys, rows, seed);
        let bytes = encoded(&whole);
        let bytes_max = bytes.len() * share / 100;
        let parts = split_rows(&bytes, bytes_max).unwrap();
        assert_sizes(&parts, bytes_max);
        let (mut merged, mut again) = (MergedDelete::new(destination()), MergedDelete::new(destination()));
        for part in &parts {
            prop_assert_eq!(read_head(part).unwrap(), with_its_rows(&bytes, part));
            merged.try_append(part, Stamp::Keep).unwrap();
        }
        again.try_append(&bytes, Stamp::Keep).unwrap();
        prop_assert_eq!(
            DeleteRequest::decode(merged.finish(7)).unwrap(),
            DeleteRequest::decode(again.finish(7)).unwrap()
        );
    }
}

/// The head of the whole with the rows and times of a part.
fn with_its_rows(whole: &Bytes, part: &Bytes) -> crate::message::Head {
    let timestamps = row_timestamps(part).unwrap();
    match read_head(whole).unwrap() {
        crate::message::Head::Delete(head) => crate::message::Head::Delete(crate::message::RowsHead {
            rows: timestamps.len() as u64,
            min_ts: *timestamps.iter().min().unwrap(),
            max_ts: *timestamps.iter().max().unwrap(),
            ..head
        }),
        other => other,
    }
}

#[test]
fn every_kind_of_column_is_cut() {
    let columns = KINDS.iter().flat_map(|kind| [(*kind, false), (*kind, true)]).collect();
    let whole = insert(&Schema { text_key: true, columns, dynamic: true }, 5, 1234, false);
    let parts = split_rows(&encoded(&whole), 0).unwrap();
    assert_eq!(parts.len(), 5);
    for part in parts {
        for column in InsertRequest::decode(part).unwrap().fields_data {
            let own = whole.fields_data.iter().find(|field| field.field_id == column.field_id).unwrap();
            assert_eq!((column.r#type, &column.field_name), (own.r#type, &own.field_name));
            assert_eq!(column.valid_data.len(), own.valid_data.len() / 5);
        }
    }
}

#[test]
fn what_cannot_be_told_apart_is_refused() {
    let schema = Schema { text_key: false, columns: Vec::new(), dynamic: false };
    let mut bytes = encoded(&insert(&schema, 3, 1, false)).to_vec();
    encode_key(999, WireType::Varint, &mut bytes);
    encode_varint(7, &mut bytes);
    assert_eq!(split_rows(&bytes.into(), 10), Err(SplitRefusal::UnknownField));

    let mut short = insert(&schema, 3, 1, false);
    let text = StringArray { data: vec!["a".into()] };
    short.fields_data.push(FieldData {
        field_id: 300,
        field: Some(Field::Scalars(ScalarField { data: Some(Data::StringData(text)) })),
        ..Default::default()
    });
    assert_eq!(split_rows(&encoded(&short), 10), Err(SplitRefusal::Column { field_id: 300 }));

    let by_plan = DeleteRequest { serialized_expr_plan: Bytes::from_static(b"plan"), ..delete(false, 3, 1) };
    assert_eq!(split_rows(&encoded(&by_plan), 10), Err(SplitRefusal::UnknownField));
}

#[test]
fn what_is_small_enough_stays_as_it_is() {
    let whole = encoded(&delete(true, 9, 5));
    assert_eq!(split_rows(&whole, whole.len()), Ok(vec![whole]));
}
