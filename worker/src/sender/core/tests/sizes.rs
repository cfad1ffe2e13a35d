//! What the core learns from a target that says "too large".

use std::sync::Arc;

use bytes::Bytes;
use harrier_milvus::log::LogMessage;
use harrier_proto::harrier::v1::{SenderAssignment, ShardAssignment};

use super::super::{Core, CoreConfig, CoreStart, HoldConfig, Smaller};
use super::history::{Shape, Write, rows_message, shard_assignment};
use crate::message::{row_timestamps, timetick};

/// A core with one Insert of so many rows, covered by its tick.
fn core_with(rows: i64) -> Core {
    let mut core = empty_core(100, 0);
    let insert = Write { shard: 0, partition: 0, keys: (0..rows).collect(), ts: 10, ..Write::default() };
    let log = [rows_message(&shape(), &insert), timetick(20, 1)];
    read(&mut core, &log);
    core
}

fn shape() -> Shape {
    Shape { shards: vec![0], partitions: 1, begin_ms: 0, end_ms: 0 }
}

/// A core with one shard, whose task bounds what waits to be merged (0: it does not).
fn empty_core(merge_bytes_max: usize, buffer_bytes: u64) -> Core {
    let config = CoreConfig {
        merge_bytes_max,
        call_bytes_max: 1 << 20,
        interval_bytes_max: 1 << 20,
        tick_interval_ms: 200,
        lookahead_ms_min: 5000,
        hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
    };
    let shard = ShardAssignment { buffer_bytes, ..shard_assignment(&shape(), 0, 1) };
    let assignment =
        SenderAssignment { epoch: 1, horizon: u64::MAX, shards: vec![shard], ..Default::default() };
    let order = Arc::new(|a: &[u8], b: &[u8]| a.cmp(b));
    Core::new(config, &assignment, order, &CoreStart { now_ms: 1000, ..Default::default() })
}

fn read(core: &mut Core, log: &[Bytes]) {
    let plan = core.readers().remove(0);
    let message = |(at, payload): (usize, &Bytes)| LogMessage {
        position: Bytes::copy_from_slice(&[u8::try_from(at + 1).unwrap()]),
        payload: payload.clone(),
        streaming: false,
    };
    let batch = log.iter().enumerate().map(message).collect();
    core.on_messages(plan.feed, plan.generation, batch, &None).unwrap();
}

#[test]
fn a_source_message_above_our_own_limit_passes_whole_until_the_target_refuses_it() {
    let mut core = core_with(1000);
    let whole = core.next_call(2000).unwrap().msgs[0].clone();
    assert_eq!(row_timestamps(&whole).unwrap().len(), 1000);
    let learned = Smaller::Message { bytes_max: whole.len() / 2 };
    assert_eq!(core.on_too_large(true), Ok(learned));
    core.on_unknown_outcome();
    // The log is read again by the successor of the reader.
    let shape = Shape { shards: vec![0], partitions: 1, begin_ms: 0, end_ms: 0 };
    let insert = Write { shard: 0, partition: 0, keys: (0..1000).collect(), ts: 10, ..Write::default() };
    read(&mut core, &[rows_message(&shape, &insert), timetick(20, 1)]);
    let parts = core.next_call(3000).unwrap().msgs;
    assert!(parts.len() > 3, "Inserts, Deletes of their keys, a tick");
    assert!(parts.iter().all(|part| part.len() <= whole.len() / 2));
}

#[test]
fn a_single_row_is_an_error_that_says_what_to_raise() {
    let mut core = core_with(1);
    let bytes = core.next_call(2000).unwrap().msgs[0].len();
    let error = core.on_too_large(true).unwrap_err().to_string();
    assert!(error.starts_with(&format!("a single row of {bytes} bytes is larger than")), "{error}");
    assert!(error.contains("maxMessageSize") && error.contains("maxPayload"), "{error}");
}

#[test]
fn what_is_known_from_elsewhere_is_kept_to() {
    let mut core = core_with(1000);
    core.limit_messages(Some(5000));
    let parts = core.next_call(2000).unwrap().msgs;
    assert!(parts.len() > 2 && parts.iter().all(|part| part.len() <= 5000));
}

#[test]
fn a_task_may_have_less_merged_than_the_worker_would() {
    let messages = |buffer_bytes| {
        let mut core = empty_core(1 << 20, buffer_bytes);
        let insert = |ts| Write { keys: (ts as i64..ts as i64 + 5).collect(), ts, ..Write::default() };
        let log: Vec<Bytes> =
            (10..14).map(|ts| rows_message(&shape(), &insert(ts))).chain([timetick(20, 1)]).collect();
        read(&mut core, &log);
        core.next_call(2000).unwrap().msgs.len()
    };
    assert_eq!(messages(0), 2, "all of it in one, and the tick");
    assert_eq!(messages(1), 5, "each by itself");
    assert_eq!(messages(1 << 30), 2, "never more than the worker's own limit");
}

#[test]
fn a_call_says_how_much_of_each_task_it_carries() {
    let mut core = core_with(70);
    assert_eq!(core.load(), []);
    let bytes = core.next_call(2000).unwrap().msgs[0].len() as u64;
    let loads: Vec<(u64, u64)> = core.load().iter().map(|load| (load.bytes, load.rows)).collect();
    assert_eq!(loads, [(bytes, 70)]);
    core.on_acknowledged();
    assert_eq!(core.load(), []);
}
