use std::collections::BTreeMap;

use harrier_proto::msg::InsertRequest;
use harrier_proto::schema::i_ds::IdField;
use proptest::prelude::*;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::samples::{KEY_ID, Kind, Schema, appended, destination, encoded, insert, inserts};
use crate::message::{
    CodecError, MergeRefusal, MergedInsert, Stamp, distinct_timestamps, primary_keys, row_timestamps,
};

/// The same message with its numbers per row in the unpacked form.
fn encoded_unpacked(insert: &InsertRequest) -> bytes::Bytes {
    let mut rest = insert.clone();
    let (timestamps, row_ids) = (std::mem::take(&mut rest.timestamps), std::mem::take(&mut rest.row_i_ds));
    let mut out = rest.encode_to_vec();
    for (number, values) in [(10, timestamps), (11, row_ids.iter().map(|id| id.cast_unsigned()).collect())] {
        for value in values {
            encode_key(number, WireType::Varint, &mut out);
            encode_varint(value, &mut out);
        }
    }
    out.into()
}

fn merge(inserts: &[InsertRequest], unpacked: bool, stamp: Stamp<'_>) -> MergedInsert {
    let mut merged = MergedInsert::new(destination());
    for insert in inserts {
        let bytes = if unpacked { encoded_unpacked(insert) } else { encoded(insert) };
        merged.try_append(&bytes, stamp).unwrap();
    }
    merged
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn merging_bytes_is_appending_decoded(inserts in inserts(), unpacked: bool) {
        let merged = merge(&inserts, unpacked, Stamp::Keep);
        let expected = appended(&inserts, 77);
        prop_assert_eq!(merged.rows(), expected.num_rows);
        if expected.num_rows > 0 {
            prop_assert_eq!(Some(merged.min_ts()), expected.timestamps.iter().copied().min());
            prop_assert_eq!(Some(merged.max_ts()), expected.timestamps.iter().copied().max());
        }
        let bytes = merged.finish(77);
        prop_assert_eq!(InsertRequest::decode(bytes).unwrap(), expected);
    }

    #[test]
    fn merging_what_was_merged_changes_nothing(inserts in inserts()) {
        let once = merge(&inserts, false, Stamp::Keep).finish(1);
        let mut again = MergedInsert::new(destination());
        again.try_append(&once, Stamp::Keep).unwrap();
        prop_assert_eq!(again.finish(1), once);
    }

    #[test]
    fn the_size_is_near_that_of_the_parts(inserts in inserts()) {
        let merged = merge(&inserts, false, Stamp::Keep);
        let estimate = merged.bytes();
        // Names and ids of the destination may be longer than those of the source, but only once.
        prop_assert!(merged.finish(i64::MAX).len() <= estimate + 200);
    }

    #[test]
    fn restamping_replaces_every_timestamp_and_nothing_else(inserts in inserts(), base in 1u64 << 40..1 << 50) {
        let bytes: Vec<_> = inserts.iter().map(encoded).collect();
        let mut map = BTreeMap::new();
        for one in &bytes {
            for timestamp in distinct_timestamps(one).unwrap() {
                map.insert(timestamp, 0);
            }
        }
        map.values_mut().enumerate().for_each(|(index, to)| *to = base + index as u64);
        let restamped = InsertRequest::decode(merge(&inserts, false, Stamp::Map(&map)).finish(77)).unwrap();
        let mut expected = appended(&inserts, 77);
        expected.timestamps.iter_mut().for_each(|timestamp| *timestamp = map[timestamp]);
        if !expected.timestamps.is_empty() {
            expected.base.as_mut().unwrap().timestamp = *expected.timestamps.iter().min().unwrap();
        }
        prop_assert_eq!(restamped, expected);
    }

    #[test]
    fn keys_are_those_of_the_key_column(inserts in inserts()) {
        let bytes = merge(&inserts, false, Stamp::Keep).finish(1);
        let decoded = InsertRequest::decode(bytes.clone()).unwrap();
        prop_assert_eq!(row_timestamps(&bytes).unwrap(), decoded.timestamps);
        let keys = match primary_keys(&bytes, KEY_ID).unwrap().id_field.unwrap() {
            IdField::IntId(keys) => keys.data.len(),
            IdField::StrId(keys) => keys.data.len(),
        };
        prop_assert_eq!(keys as u64, decoded.num_rows);
        prop_assert_eq!(primary_keys(&bytes, 999), Err(CodecError::NoKeyColumn { field_id: 999 }));
    }
}

#[test]
fn keys_keep_their_order_and_their_type() {
    let schema = |text_key| Schema { text_key, columns: vec![(Kind::FloatVector, false)], dynamic: false };
    let ints = insert(&schema(false), 3, 11, false);
    let Some(IdField::IntId(keys)) = primary_keys(&encoded(&ints), KEY_ID).unwrap().id_field else {
        panic!("int keys");
    };
    assert_eq!(
        keys.data,
        (0..3u64).map(|row| (11u64.rotate_left(7 * row as u32) ^ row) as i64).collect::<Vec<_>>()
    );
    let texts = encoded(&insert(&schema(true), 3, 11, true));
    assert!(
        matches!(primary_keys(&texts, KEY_ID).unwrap().id_field, Some(IdField::StrId(keys)) if keys.data.len() == 3)
    );
    assert_eq!(primary_keys(&texts, 101), Err(CodecError::KeyType { field_id: 101 }));
}

#[test]
fn a_timestamp_without_a_new_one_is_an_error() {
    let schema = Schema { text_key: false, columns: Vec::new(), dynamic: false };
    let one = insert(&schema, 1, 10, false);
    let refusal =
        MergedInsert::new(destination()).try_append(&encoded(&one), Stamp::Map(&BTreeMap::<u64, u64>::new()));
    assert_eq!(refusal, Err(MergeRefusal::Codec(CodecError::NoStamp { timestamp: 5 })));
}
