//! A producer of the source that writes a message twice, as Pulsar's do when a topic moves: the rows are sent once.

use std::sync::Arc;

use bytes::Bytes;
use harrier_milvus::log::LogMessage;
use harrier_proto::harrier::v1::SenderAssignment;

use super::super::{Appetite, Core, CoreConfig, CoreStart, HoldConfig};
use super::history::{Shape, Write, rows_message, shard_assignment};
use crate::message::{row_timestamps, timetick};

const ROOM: usize = 1 << 20;

fn shape() -> Shape {
    Shape { shards: vec![0], partitions: 1, begin_ms: 0, end_ms: 0 }
}

/// Ten rows with this timestamp.
fn rows(ts: u64) -> Bytes {
    rows_message(&shape(), &Write { keys: (0..10).collect(), ts, ..Write::default() })
}

fn core(interval_bytes_max: usize) -> Core {
    let config = CoreConfig {
        merge_bytes_max: 1 << 20,
        call_bytes_max: 1 << 20,
        interval_bytes_max,
        tick_interval_ms: 200,
        lookahead_ms_min: 5000,
        hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
    };
    let shards = vec![shard_assignment(&shape(), 0, 1)];
    let assignment = SenderAssignment { epoch: 1, horizon: u64::MAX, shards, ..Default::default() };
    let order = Arc::new(|a: &[u8], b: &[u8]| a.cmp(b));
    Core::new(config, &assignment, order, &CoreStart { now_ms: 1000, ..Default::default() })
}

/// Timestamps of all rows that the target gets, when this much of what waits for its tick may be held.
fn sent(interval_bytes_max: usize, log: &[Bytes]) -> Vec<u64> {
    let mut core = core(interval_bytes_max);
    let mut sent = Vec::new();
    for round in 0..50 {
        for plan in core.readers() {
            if core.appetite(plan.feed) == Appetite::None {
                continue;
            }
            let at = plan.after.first().map_or(0, |position| usize::from(*position));
            let message = |(number, payload): (usize, &Bytes)| LogMessage {
                position: Bytes::copy_from_slice(&[u8::try_from(number + 1).unwrap()]),
                payload: payload.clone(),
                streaming: false,
            };
            let batch = log.iter().enumerate().skip(at).take(1).map(message).collect();
            core.on_messages(plan.feed, plan.generation, batch, &None).unwrap();
        }
        if let Some(call) = core.next_call(2000 + 200 * round) {
            sent.extend(call.msgs.iter().filter_map(|message| row_timestamps(message).ok()).flatten());
            core.on_acknowledged();
        }
    }
    sent.sort_unstable();
    sent
}

fn once(timestamps: &[u64]) -> Vec<u64> {
    timestamps.iter().flat_map(|ts| [*ts; 10]).collect()
}

/// Seen on real servers: three rows of a moved topic twice at the standby, and once at the source.
#[test]
fn the_second_of_two_that_wait_for_the_same_tick_is_dropped() {
    let log = [rows(10), timetick(5, 1), rows(11), rows(10), rows(11), timetick(20, 1)];
    assert_eq!(sent(ROOM, &log), once(&[10, 11]));
}

#[test]
fn the_same_without_room_to_hold_them() {
    let log = [rows(10), rows(11), rows(12), rows(10), rows(11), rows(12), timetick(20, 1)];
    for held in 0..=4 {
        assert_eq!(sent(held * rows(10).len(), &log), once(&[10, 11, 12]), "room for {held}");
    }
    // Behind the tick of the first, while what was passed over waits for its own.
    let log = [rows(10), rows(31), timetick(20, 1), rows(32), rows(31), rows(32), timetick(40, 1)];
    for held in 0..=4 {
        assert_eq!(sent(held * rows(10).len(), &log), once(&[10, 31, 32]), "room for {held}");
    }
}

#[test]
fn nor_does_it_come_behind_the_tick_that_covers_it() {
    let log = [rows(10), timetick(20, 1), rows(10), timetick(30, 1), rows(10), timetick(40, 1)];
    assert_eq!(sent(ROOM, &log), once(&[10]));
}
