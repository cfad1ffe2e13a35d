//! Calls of a former owner, or of a former connection, that are executed when all was sent again already.

use std::sync::Arc;

use bytes::Bytes;
use harrier_milvus::log::LogMessage;
use harrier_milvus::tso::Timestamp;
use harrier_proto::common::{MsgHeader, MsgType};
use harrier_proto::harrier::v1::{SenderAssignment, ShardCheckpoint};
use harrier_proto::milvus::ReplicateMessageRequest;
use prost::Message as _;

use super::super::windows::LATE_CALL_MS_MAX;
use super::super::{Core, CoreConfig, CoreStart, HoldConfig};
use super::history::{Shape, Write, rows_message, shard_assignment};
use crate::message::timetick;

const CONFIG: CoreConfig = CoreConfig {
    merge_bytes_max: 1000,
    call_bytes_max: 100_000,
    interval_bytes_max: 1 << 20,
    tick_interval_ms: 200,
    lookahead_ms_min: 5000,
    hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
};

/// One shard, whose log holds Inserts at 10, 20 and 30, each with a tick behind it.
struct Bench {
    core: Core,
    log: Vec<Bytes>,
    now_ms: u64,
}

impl Bench {
    fn new(checkpoint: Option<ShardCheckpoint>, uncertain_bound: Option<Timestamp>) -> Self {
        let shape = Shape { shards: vec![0], partitions: 1, begin_ms: 0, end_ms: 0 };
        let mut spec = shard_assignment(&shape, 0, 1);
        spec.checkpoint = checkpoint;
        let insert = |ts| {
            let keys = vec![ts as i64];
            let write = Write { keys, ts, ..Write::default() };
            rows_message(&shape, &write)
        };
        let log = vec![insert(10), timetick(15, 1), insert(20), timetick(25, 1), insert(30), timetick(35, 1)];
        let assignment =
            SenderAssignment { epoch: 1, horizon: u64::MAX, shards: vec![spec], ..Default::default() };
        let order = Arc::new(|a: &[u8], b: &[u8]| a.cmp(b));
        let start = CoreStart { uncertain_bound, now_ms: 1000, ..Default::default() };
        Self { core: Core::new(CONFIG, &assignment, order, &start), log, now_ms: 1000 }
    }

    /// The next `count` messages of the log.
    fn read(&mut self, count: usize) {
        for _ in 0..count {
            let plan = self.core.readers().remove(0);
            let at = plan.after.first().map_or(0, |at| usize::from(*at));
            let position = Bytes::copy_from_slice(&[u8::try_from(at + 1).unwrap()]);
            let message = LogMessage { position, payload: self.log[at].clone(), streaming: false };
            self.core.on_messages(plan.feed, plan.generation, vec![message], &None).unwrap();
        }
    }

    fn call(&mut self) -> ReplicateMessageRequest {
        self.now_ms += 200;
        self.core.next_call(self.now_ms).unwrap()
    }

    fn checkpoint(&mut self) -> ShardCheckpoint {
        self.core.report(self.now_ms, 0).shards.remove(0).checkpoint.unwrap()
    }
}

fn kinds(call: &ReplicateMessageRequest) -> Vec<MsgType> {
    let kind = |bytes: &Bytes| MsgHeader::decode(bytes.clone()).unwrap().base.unwrap().msg_type;
    call.msgs.iter().map(|bytes| MsgType::try_from(kind(bytes)).unwrap()).collect()
}

const ONCE: [MsgType; 2] = [MsgType::Insert, MsgType::TimeTick];
const AGAIN: [MsgType; 3] = [MsgType::Insert, MsgType::Delete, MsgType::TimeTick];

#[test]
fn a_foreign_write_sends_again_what_an_uncertain_window_sent_again() {
    let mut bench = Bench::new(None, Some(50));
    bench.read(2);
    assert_eq!(kinds(&bench.call()), AGAIN);
    bench.core.on_acknowledged();
    bench.read(2);
    bench.call();
    bench.core.on_acknowledged();
    assert_eq!(bench.checkpoint().tick, 25);
    bench.core.on_foreign_write();
    assert_eq!(bench.core.take_windows_opened(), 2);
    // A successor has to do the same.
    let checkpoint = bench.checkpoint();
    assert_eq!((checkpoint.tick, checkpoint.position.len()), (0, 0));
    assert_eq!(checkpoint.replay_until, bench.core.report(0, 0).clock);
    bench.read(4);
    let again = bench.call();
    assert_eq!(kinds(&again), AGAIN);
    assert!(again.end_ts > checkpoint.replay_until, "above all that was sent");
}

#[test]
fn without_a_window_the_last_packs_are_sent_again() {
    let mut bench = Bench::new(None, None);
    bench.read(2);
    assert_eq!(kinds(&bench.call()), ONCE);
    bench.core.on_acknowledged();
    bench.core.on_foreign_write();
    bench.read(4);
    assert_eq!(kinds(&bench.call()), AGAIN);
}

#[test]
fn a_foreign_write_during_a_call_waits_for_its_answer() {
    let mut bench = Bench::new(None, None);
    bench.read(2);
    bench.call();
    bench.core.on_foreign_write();
    assert!(bench.core.next_call(5000).is_none());
    bench.core.on_acknowledged();
    bench.now_ms = 6000;
    bench.read(2);
    assert_eq!(kinds(&bench.call()), AGAIN);
}

#[test]
fn a_window_is_forgotten_once_no_call_of_before_can_come() {
    for (late_ms, expected) in [(LATE_CALL_MS_MAX - 1000, 0), (LATE_CALL_MS_MAX, 15)] {
        let mut bench = Bench::new(None, Some(12));
        for wait_ms in [0, 0, late_ms] {
            bench.read(2);
            bench.call();
            bench.now_ms += wait_ms;
            bench.core.prepare(bench.now_ms);
            bench.core.on_acknowledged();
        }
        bench.core.on_foreign_write();
        assert_eq!(bench.checkpoint().tick, expected);
    }
}

#[test]
fn whoever_stops_before_the_first_answer_leaves_the_window_to_the_next() {
    let mut bench = Bench::new(None, Some(50));
    bench.core.begin_stop(1000);
    assert_eq!(bench.checkpoint().replay_until, 50);
    let mut bench = Bench::new(None, None);
    bench.read(2);
    let tick = bench.call().end_ts;
    bench.core.on_unknown_outcome();
    bench.core.begin_stop(1000);
    assert_eq!(bench.checkpoint().replay_until, tick);
}
