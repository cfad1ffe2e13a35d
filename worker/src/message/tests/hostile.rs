//! Bytes that nobody meant: whatever comes, the answer is a value, never a panic.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::samples::{KEY_ID, delete, destination, encoded, inserts};
use crate::message::{
    MergedDelete, MergedInsert, Stamp, distinct_timestamps, primary_keys, read_head, row_timestamps,
    split_rows,
};

/// Everything that reads a payload.
fn read_all(payload: &Bytes, good: &Bytes) {
    let _ = read_head(payload);
    let _ = row_timestamps(payload);
    let _ = distinct_timestamps(payload);
    let _ = primary_keys(payload, KEY_ID);
    let _ = split_rows(payload, 0);
    for stamp in [Stamp::Keep, Stamp::Map(&BTreeMap::<u64, u64>::new())] {
        for pair in [[payload, payload], [payload, good], [good, payload]] {
            let mut insert = MergedInsert::new(destination());
            let mut delete = MergedDelete::new(destination());
            for message in pair {
                let _ = insert.try_append(message, stamp);
                let _ = delete.try_append(message, stamp);
            }
            let _ = insert.finish(1);
            let _ = delete.finish(1);
        }
    }
}

/// Fields of plausible numbers with values of any type, nested a few levels deep.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        any::<u64>().prop_map(|value| (0u8, varint(value))),
        any::<[u8; 8]>().prop_map(|value| (1, value.to_vec())),
        any::<[u8; 4]>().prop_map(|value| (5, value.to_vec())),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(|value| (2, delimited(&value))),
    ];
    let fields = prop::collection::vec((1u64..18, value), 0..6).prop_map(|fields| {
        fields
            .into_iter()
            .flat_map(|(number, (kind, value))| [varint(number << 3 | u64::from(kind)), value].concat())
            .collect()
    });
    fields.prop_recursive(4, 32, 5, |inner: BoxedStrategy<Vec<u8>>| {
        prop::collection::vec((1u64..18, inner), 0..5).prop_map(|fields| {
            fields
                .into_iter()
                .flat_map(|(number, body)| [varint(number << 3 | 2), delimited(&body)].concat())
                .collect()
        })
    })
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn delimited(body: &[u8]) -> Vec<u8> {
    [varint(body.len() as u64), body.to_vec()].concat()
}

/// A base that says Insert or Delete, so that what follows is looked at.
fn with_base(is_delete: bool, body: &[u8]) -> Bytes {
    let base = [varint(1 << 3), varint(400 + u64::from(is_delete))].concat();
    [varint(1 << 3 | 2), delimited(&base), varint(15 << 3), vec![1], body.to_vec()].concat().into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..80), is_delete: bool) {
        let good = encoded(&delete(false, 2, 1));
        read_all(&Bytes::from(bytes.clone()), &good);
        read_all(&with_base(is_delete, &bytes), &good);
    }

    #[test]
    fn plausible_fields(bytes in plausible(), is_delete: bool) {
        let good = encoded(&delete(true, 2, 1));
        read_all(&Bytes::from(bytes.clone()), &good);
        read_all(&with_base(is_delete, &bytes), &good);
    }

    #[test]
    fn damaged_messages(
        inserts in inserts(),
        cut in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let good = encoded(&inserts[0]);
        let mut bytes = good.to_vec();
        for (place, value) in flips {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        read_all(&Bytes::from(bytes.clone()), &good);
        bytes.truncate(cut.index(bytes.len()));
        read_all(&bytes.into(), &good);
    }
}
