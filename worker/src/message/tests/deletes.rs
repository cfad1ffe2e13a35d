use std::collections::BTreeMap;

use bytes::Bytes;
use harrier_proto::msg::DeleteRequest;
use harrier_proto::schema::{IDs, LongArray, StringArray, i_ds::IdField};
use proptest::prelude::*;
use prost::Message;

use super::samples::{delete, destination, encoded};
use crate::message::{CodecError, MergeRefusal, MergedDelete, Stamp};

fn appended(deletes: &[DeleteRequest], msg_id: i64) -> DeleteRequest {
    let mut merged = deletes[0].clone();
    for delete in &deletes[1..] {
        merged.timestamps.extend(&delete.timestamps);
        merged.num_rows += delete.num_rows;
        let own = merged.primary_keys.as_mut().unwrap().id_field.as_mut().unwrap();
        match (own, delete.primary_keys.as_ref().unwrap().id_field.as_ref().unwrap()) {
            (IdField::IntId(a), IdField::IntId(b)) => a.data.extend(&b.data),
            (IdField::StrId(a), IdField::StrId(b)) => a.data.extend(b.data.clone()),
            _ => panic!("not generated"),
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

proptest! {
    #[test]
    fn merging_bytes_is_appending_decoded(
        text_keys: bool,
        seeds in prop::collection::vec((0usize..5, any::<u64>()), 1..6),
    ) {
        let deletes: Vec<_> = seeds.iter().map(|(rows, seed)| delete(text_keys, *rows, *seed)).collect();
        let mut merged = MergedDelete::new(destination());
        for delete in &deletes {
            merged.try_append(&encoded(delete), Stamp::Keep).unwrap();
        }
        let expected = appended(&deletes, 77);
        prop_assert_eq!(merged.rows() as i64, expected.num_rows);
        prop_assert_eq!(DeleteRequest::decode(merged.finish(77)).unwrap(), expected);
    }

    #[test]
    fn keys_of_replays_join_the_deletes_of_the_log(text_keys: bool, rows in 1usize..5, seed: u64, ts: u64) {
        let replayed = delete(text_keys, rows, seed);
        let keys = replayed.primary_keys.clone().unwrap();
        let mut merged = MergedDelete::new(destination());
        merged.append_keys(&keys, ts).unwrap();
        merged.try_append(&encoded(&replayed), Stamp::Keep).unwrap();
        merged.append_keys_at(&keys, &replayed.timestamps).unwrap();
        let least = merged.min_ts();
        let mut at_ts = replayed.clone();
        at_ts.timestamps = vec![ts; rows];
        let mut expected = appended(&[at_ts, replayed.clone(), replayed], 9);
        expected.base.as_mut().unwrap().timestamp = least;
        prop_assert_eq!(DeleteRequest::decode(merged.finish(9)).unwrap(), expected);
    }
}

#[test]
fn keys_of_two_types_are_not_merged() {
    let mut merged = MergedDelete::new(destination());
    merged.try_append(&encoded(&delete(false, 2, 1)), Stamp::Keep).unwrap();
    let refusal = merged.try_append(&encoded(&delete(true, 2, 1)), Stamp::Keep);
    assert_eq!(refusal, Err(MergeRefusal::FieldsDiffer));
    let texts = IDs { id_field: Some(IdField::StrId(StringArray { data: vec!["a".into()] })) };
    assert_eq!(merged.append_keys(&texts, 1), Err(MergeRefusal::FieldsDiffer));
    assert_eq!(merged.rows(), 2);
}

#[test]
fn a_deletion_by_expression_is_forwarded_alone() {
    let plan = Bytes::from_static(b"plan");
    let by_plan = DeleteRequest {
        primary_keys: None,
        timestamps: vec![5],
        serialized_expr_plan: plan.clone(),
        ..delete(false, 0, 1)
    };
    let mut merged = MergedDelete::new(destination());
    merged.try_append(&encoded(&by_plan), Stamp::Map(&BTreeMap::from([(5, 50)]))).unwrap();
    let other = merged.try_append(&encoded(&delete(false, 1, 1)), Stamp::Keep);
    assert_eq!(other, Err(MergeRefusal::FieldsDiffer));
    let decoded = DeleteRequest::decode(merged.finish(1)).unwrap();
    assert_eq!((decoded.serialized_expr_plan, decoded.timestamps), (plan, vec![50]));
}

#[test]
fn keys_in_the_old_field_are_understood() {
    let mut old = delete(false, 2, 7);
    let Some(IDs { id_field: Some(IdField::IntId(LongArray { data })) }) = old.primary_keys.take() else {
        panic!("int keys");
    };
    old.int64_primary_keys = data.clone();
    let mut merged = MergedDelete::new(destination());
    merged.try_append(&encoded(&old), Stamp::Keep).unwrap();
    let decoded = DeleteRequest::decode(merged.finish(1)).unwrap();
    assert_eq!(decoded.primary_keys.unwrap().id_field, Some(IdField::IntId(LongArray { data })));
}

#[test]
fn keys_and_timestamps_must_be_as_many() {
    let mut short = delete(false, 3, 7);
    short.timestamps.pop();
    let refusal = MergedDelete::new(destination()).try_append(&encoded(&short), Stamp::Keep);
    let error = CodecError::RowCount { what: "primary keys", expected: 2, found: 3 };
    assert_eq!(refusal, Err(error.into()));
}
