//! A target that is slow to answer: what is sent to it gets through in a bounded time, whatever the cause.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use harrier_milvus::log::LogMessage;
use harrier_milvus::tso;
use harrier_proto::harrier::v1::SenderAssignment;

use super::super::{Appetite, Core, CoreConfig, CoreStart, HoldConfig};
use super::history::{BEGIN_MS, Shape, Write, rows_message, shard_assignment};
use super::target::Target;
use crate::message::timetick;
use crate::sender::call::{CallTimes, bytes_of};
use crate::sender::call_size::{CallSize, CallSizes};
use crate::sender::call_wait::CallWait;

/// What is left of the lease when a call begins.
const LEASE: Duration = Duration::from_millis(1_800);
const TIMES: CallTimes = CallTimes { timeout_max: Duration::from_secs(5), patient_bytes_max: 256 << 10 };
/// Backoff, an answer of the target, and the time to settle.
const SETTLE_MS: u64 = 1_500;
const SIZES: CallSizes = CallSizes {
    bytes_start: 1 << 20,
    bytes_min: 16 << 10,
    bytes_max: 16 << 20,
    patient_bytes_max: TIMES.patient_bytes_max,
    quick: Duration::from_millis(500),
};
const ROWS_PER_INSERT: i64 = 500;
const INSERTS: u64 = 600;

/// One shard with so many Inserts, one after the other, and a tick behind each tenth.
struct Log {
    messages: Vec<LogMessage>,
    shape: Shape,
}

impl Log {
    fn new() -> Self {
        let shape = Shape { shards: vec![0], partitions: 1, begin_ms: BEGIN_MS, end_ms: 0 };
        let mut payloads = Vec::new();
        for number in 1..=INSERTS {
            let first = number.cast_signed() * ROWS_PER_INSERT;
            let keys = (first..first + ROWS_PER_INSERT).collect();
            let ts = tso::compose(BEGIN_MS + 20 * number, 0);
            payloads.push(rows_message(&shape, &Write { keys, ts, ..Write::default() }));
            if number % 10 == 0 {
                payloads.push(timetick(ts + 1, 1));
            }
        }
        let message = |(at, payload): (u64, Bytes)| LogMessage {
            position: Bytes::copy_from_slice(&at.to_le_bytes()),
            payload,
            streaming: false,
        };
        Self { messages: (1..).zip(payloads).map(message).collect(), shape }
    }

    fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.payload.len()).sum()
    }

    /// About a read's worth.
    fn after(&self, position: &[u8]) -> Vec<LogMessage> {
        self.messages.iter().skip(number(position)).take(100).cloned().collect()
    }
}

fn number(position: &[u8]) -> usize {
    usize::try_from(u64::from_le_bytes(position.try_into().unwrap_or_default())).unwrap()
}

fn core(log: &Log) -> Core {
    let config = CoreConfig {
        merge_bytes_max: 4 << 20,
        call_bytes_max: SIZES.bytes_max,
        interval_bytes_max: 8 << 20,
        tick_interval_ms: 200,
        lookahead_ms_min: 5000,
        hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
    };
    let shards = vec![shard_assignment(&log.shape, 0, 1)];
    let assignment = SenderAssignment { epoch: 1, horizon: u64::MAX, shards, ..Default::default() };
    let order = Arc::new(|a: &[u8], b: &[u8]| number(a).cmp(&number(b)));
    Core::new(config, &assignment, order, &CoreStart { now_ms: 1000, ..Default::default() })
}

/// Milliseconds until everything is acknowledged, by a target whose answer to a call of so many bytes, begun at some
/// time, takes as long as `answer_ms` says.
fn time_to_send_all(answer_ms: impl Fn(u64, u64) -> u64, within_ms: u64) -> u64 {
    let log = Log::new();
    let (mut core, mut target) = (core(&log), Target::default());
    let (mut now_ms, mut size) = (1000, CallSize::first(&SIZES));
    let mut wait = CallWait::new(TIMES.timeout_max, Duration::from_secs(60));
    let start = tokio::time::Instant::now();
    let end = tso::compose(BEGIN_MS + 20 * INSERTS, 0);
    while core.acked_tick() < end {
        assert!(now_ms < within_ms, "{now_ms} ms, calls of at most {} bytes", size.bytes_max());
        core.limit_calls(size.bytes_max());
        for plan in core.readers() {
            if core.appetite(plan.feed) != Appetite::None {
                core.on_messages(plan.feed, plan.generation, log.after(&plan.after), &None).unwrap();
            }
        }
        let Some(call) = core.next_call(now_ms) else {
            now_ms += 10;
            continue;
        };
        let bytes = bytes_of(&call);
        let times = CallTimes { timeout_max: wait.now(), ..TIMES };
        let patience = times.patience(bytes, LEASE);
        let takes = Duration::from_millis(answer_ms(now_ms, bytes as u64));
        target.execute(&call, usize::MAX);
        if takes <= patience.answer_within {
            core.on_acknowledged();
            now_ms += takes.as_millis() as u64;
            size.answered(&SIZES, bytes, takes, start + Duration::from_millis(now_ms));
            wait.answered(takes);
        } else {
            core.on_unknown_outcome();
            now_ms += patience.answer_within.as_millis() as u64 + SETTLE_MS;
            size.unanswered(&SIZES, bytes, start + Duration::from_millis(now_ms));
            if bytes <= SIZES.patient_bytes_max {
                wait.unanswered(patience.answer_within);
            }
        }
    }
    let rows = target.visible();
    assert_eq!(rows.len() as u64, INSERTS * ROWS_PER_INSERT as u64);
    assert!(rows.values().all(|count| *count == 1));
    now_ms
}

#[test]
fn the_log_is_as_large_as_the_bounds_below_assume() {
    let megabytes = Log::new().bytes() >> 20;
    assert!((5..15).contains(&megabytes), "{megabytes}");
}

/// Every call missed its deadline, and everything was sent again in the larger form, for ever.
#[test]
fn a_target_that_answers_after_more_than_a_lease_gets_everything() {
    time_to_send_all(|_, _| 2_500, 500_000);
}

/// Nor did one that needed longer than any call was waited for. Calls are small by then, so there are many.
#[test]
fn a_target_that_answers_after_half_a_minute_gets_everything() {
    let calls = 2 * Log::new().bytes() as u64 / SIZES.bytes_min as u64;
    time_to_send_all(|_, bytes| 30_000 + bytes / 1_000, 35_000 * calls);
}

#[test]
fn a_target_that_takes_few_bytes_a_second_gets_everything() {
    for bytes_per_s in [100 << 10, 500 << 10, 2 << 20] {
        let least_ms = Log::new().bytes() as u64 * 1000 / bytes_per_s;
        // The repeatable form is larger, and is read again.
        time_to_send_all(|_, bytes| 5 + bytes * 1000 / bytes_per_s, 4 * least_ms + 60_000);
    }
}

/// As a standby that is stopped for 2.3 of every 2.6 s, and writes 20 MB in the rest.
#[test]
fn a_target_that_mostly_stands_still_gets_everything() {
    const TURN_MS: u64 = 2_600;
    const RUNS_MS: u64 = 300;
    let answer_ms = |at_ms: u64, bytes: u64| {
        let mut work_ms = 1 + bytes / 20_000;
        let mut now_ms = at_ms;
        while work_ms > 0 {
            now_ms += 1;
            work_ms -= u64::from(now_ms % TURN_MS < RUNS_MS);
        }
        now_ms - at_ms
    };
    time_to_send_all(answer_ms, 200_000);
}

/// A target that fails now and then, whatever the size of the call.
#[test]
fn what_was_acknowledged_is_not_sent_again_and_again() {
    let calls = std::cell::Cell::new(0u64);
    let answer_ms = |_, bytes: u64| {
        calls.set(calls.get() + 1);
        if calls.get().is_multiple_of(5) { 60_000 } else { 20 + bytes / 20_000 }
    };
    time_to_send_all(answer_ms, 1_000_000);
}

#[test]
fn patience_ends_with_the_lease_for_large_calls_only() {
    let large = TIMES.patience(1 << 20, LEASE);
    assert_eq!((large.begin_within, large.answer_within), (LEASE, LEASE));
    let small = TIMES.patience(1000, LEASE);
    assert_eq!((small.begin_within, small.answer_within), (LEASE, TIMES.timeout_max));
}
