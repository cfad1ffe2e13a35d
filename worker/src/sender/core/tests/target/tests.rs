//! The model does what was measured on real servers.

use harrier_proto::common::MsgBase;
use harrier_proto::schema::{DataType, FieldData, LongArray, ScalarField};

use super::*;
use crate::message::timetick;

/// A target with calls in short.
#[derive(Default)]
struct Bench {
    target: Target,
    ids: i64,
}

enum Part {
    Insert(i64, Timestamp),
    Delete(i64, Timestamp),
    Tick(Timestamp),
}
use Part::{Delete, Insert, Tick};

impl Bench {
    fn request(&mut self, parts: &[Part]) -> ReplicateMessageRequest {
        let msgs = parts.iter().map(|part| {
            self.ids += 1;
            message(part, self.ids)
        });
        ReplicateMessageRequest { msgs: msgs.collect(), end_ts: u64::MAX, ..Default::default() }
    }

    fn send(&mut self, parts: &[Part]) -> &mut Self {
        let request = self.request(parts);
        self.target.execute(&request, usize::MAX);
        self
    }

    fn late(&mut self, parts: &[Part]) -> &mut Self {
        let request = self.request(parts);
        self.target.execute_late(&request, 0, request.msgs.len());
        self
    }

    fn flush(&mut self) -> &mut Self {
        self.target.flush();
        self
    }

    fn restart(&mut self) -> &mut Self {
        self.target.restart();
        self
    }

    /// How often the row of this key is there.
    fn count(&self, key: i64) -> usize {
        self.target.visible().iter().filter(|(row, _)| row.key == key).map(|(_, count)| count).sum()
    }
}

fn message(part: &Part, msg_id: i64) -> prost::bytes::Bytes {
    let base = |msg_type: MsgType, timestamp| {
        Some(MsgBase { msg_type: msg_type as i32, msg_id, timestamp, ..Default::default() })
    };
    let column = |field_id, data| FieldData {
        r#type: DataType::Int64 as i32,
        field_id,
        field: Some(schema::field_data::Field::Scalars(ScalarField {
            data: Some(schema::scalar_field::Data::LongData(LongArray { data: vec![data] })),
        })),
        ..Default::default()
    };
    let (collection_id, partition_id, shard_name) = (2000, target_partition(0, 0), target_vchannel(0));
    match *part {
        Insert(key, ts) => InsertRequest {
            base: base(MsgType::Insert, ts),
            collection_id,
            partition_id,
            shard_name,
            timestamps: vec![ts],
            row_i_ds: vec![key],
            num_rows: 1,
            fields_data: vec![column(KEY_FIELD, key), column(VALUE_FIELD, 7)],
            ..Default::default()
        }
        .encode_to_vec()
        .into(),
        Delete(key, ts) => DeleteRequest {
            base: base(MsgType::Delete, ts),
            collection_id,
            partition_id,
            shard_name,
            timestamps: vec![ts],
            num_rows: 1,
            primary_keys: Some(schema::IDs {
                id_field: Some(schema::i_ds::IdField::IntId(LongArray { data: vec![key] })),
            }),
            ..Default::default()
        }
        .encode_to_vec()
        .into(),
        Tick(ts) => timetick(ts, msg_id),
    }
}

#[test]
fn the_same_row_twice_is_there_twice() {
    let mut bench = Bench::default();
    bench.send(&[Insert(1, 10), Tick(11)]).send(&[Insert(1, 20), Tick(21)]);
    assert_eq!(bench.count(1), 2);
}

#[test]
fn a_replay_above_all_that_was_sent_is_idempotent() {
    for flush in [false, true] {
        for restart in [false, true] {
            let mut bench = Bench::default();
            bench.send(&[Insert(1, 10), Tick(11)]);
            bench.send(&[Delete(2, 30), Tick(31)]);
            for ts in [40, 50, 60] {
                if flush {
                    bench.flush();
                }
                // In either order.
                bench.send(&[Delete(1, ts), Insert(1, ts), Tick(ts + 1)]);
                if restart {
                    bench.restart();
                }
            }
            assert_eq!(bench.count(1), 1, "flush {flush}, restart {restart}");
        }
    }
}

#[test]
fn a_deletion_below_a_newer_one_of_any_key_is_ignored() {
    let mut bench = Bench::default();
    bench.send(&[Insert(1, 10), Tick(11)]).send(&[Delete(2, 30), Tick(31)]);
    bench.late(&[Delete(1, 12), Insert(1, 12), Tick(40)]);
    assert_eq!(bench.count(1), 2);
}

#[test]
fn a_deletion_does_not_reach_rows_of_its_own_timestamp() {
    let mut bench = Bench::default();
    bench.send(&[Delete(1, 10), Insert(1, 10)]).send(&[Delete(1, 10), Insert(1, 10), Tick(11)]);
    assert_eq!(bench.count(1), 2);
}

#[test]
fn a_late_insert_doubles_only_after_a_flush() {
    for (flush, count) in [(false, 1), (true, 2)] {
        let mut bench = Bench::default();
        bench.send(&[Delete(1, 50), Insert(1, 50), Tick(51)]);
        if flush {
            bench.flush();
        }
        bench.late(&[Insert(1, 10), Tick(11)]).send(&[Tick(60)]);
        assert_eq!(bench.count(1), count);
    }
}

#[test]
fn messages_wait_for_a_newer_tick_over_several_calls() {
    let mut bench = Bench::default();
    bench.send(&[Insert(1, 10)]).send(&[Insert(2, 11)]);
    assert_eq!(bench.count(1) + bench.count(2), 0);
    bench.send(&[Tick(12)]);
    assert_eq!(bench.count(1) + bench.count(2), 2);
    bench.late(&[Insert(3, 12), Tick(12)]);
    assert_eq!(bench.count(3), 0, "an equal tick delivers nothing");
    bench.restart().send(&[Tick(13)]);
    assert_eq!(bench.count(3), 1);
}

#[test]
fn between_two_ticks_the_order_does_not_matter() {
    let mut bench = Bench::default();
    bench.send(&[Delete(1, 12), Insert(1, 10), Insert(1, 14), Tick(15)]);
    assert_eq!(bench.count(1), 1);
}

#[test]
fn inserts_too_far_ahead_are_refused() {
    let mut bench = Bench::default();
    let mut request = bench.request(&[Insert(1, 10), Tick(11)]);
    request.end_ts = tso::compose(5000, 0);
    assert!(!Target::refuses(&request, 3001));
    assert!(Target::refuses(&request, 3000));
    let mut tick = bench.request(&[Tick(11)]);
    tick.end_ts = tso::compose(5000, 0);
    assert!(!Target::refuses(&tick, 3000));
}
