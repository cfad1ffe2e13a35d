//! What a core keeps in memory, and which readers it lets go on.

use std::sync::Arc;

use bytes::Bytes;
use harrier_milvus::log::LogMessage;
use harrier_proto::harrier::v1::SenderAssignment;

use super::super::{Appetite, Charge, Core, CoreConfig, CoreStart, HoldConfig};
use super::history::{Shape, Write, rows_message, shard_assignment};
use crate::byte_pool::BytePool;
use crate::message::timetick;

const INTERVAL_BYTES_MAX: usize = 10_000;
const CALL_BYTES_MAX: usize = 20_000;

/// Shards 0 and 1 on the channels 0 and 1; shard 2, on channel 0, is not replicated.
fn shape() -> Shape {
    Shape { shards: vec![0, 1, 0], partitions: 1, begin_ms: 0, end_ms: 0 }
}

fn core() -> Core {
    let config = CoreConfig {
        merge_bytes_max: 1 << 20,
        call_bytes_max: CALL_BYTES_MAX,
        interval_bytes_max: INTERVAL_BYTES_MAX,
        tick_interval_ms: 200,
        lookahead_ms_min: 5000,
        hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
    };
    let shards = (0..2).map(|number| shard_assignment(&shape(), number, 1)).collect();
    let assignment = SenderAssignment { epoch: 1, horizon: u64::MAX, shards, ..Default::default() };
    let order = Arc::new(|a: &[u8], b: &[u8]| a.cmp(b));
    Core::new(config, &assignment, order, &CoreStart { now_ms: 1000, ..Default::default() })
}

fn rows(shard: usize, rows: i64, ts: u64) -> Bytes {
    rows_message(&shape(), &Write { shard, keys: (0..rows).collect(), ts, ..Write::default() })
}

fn feed_of(core: &Core, channel: usize) -> u64 {
    let name = format!("src-dml_{channel}");
    core.readers().into_iter().find(|plan| plan.channel == name).unwrap().feed
}

/// Behind where the channel's reader is.
fn read(core: &mut Core, channel: usize, payloads: Vec<Bytes>, charge: &Charge) {
    let name = format!("src-dml_{channel}");
    let plan = core.readers().into_iter().find(|plan| plan.channel == name).unwrap();
    let bytes: [u8; 8] = plan.after.as_ref().try_into().unwrap_or_default();
    let after = u64::from_be_bytes(bytes);
    let message = |(number, payload)| LogMessage {
        position: Bytes::copy_from_slice(&u64::to_be_bytes(number)),
        payload,
        streaming: false,
    };
    let batch = (after + 1..).zip(payloads).map(message).collect();
    core.on_messages(plan.feed, plan.generation, batch, charge).unwrap();
}

#[tokio::test]
async fn a_flood_of_what_is_not_replicated_keeps_neither_pool_nor_buffers() {
    let (mut core, pool) = (core(), BytePool::new(1 << 20));
    // As a network buffer: one allocation for all payloads.
    let flood = rows(2, 1000, 10);
    let small = rows(0, 1, 11);
    let buffer = Bytes::from([flood.as_ref(), small.as_ref()].concat());
    let (flood, small) = (buffer.slice(..flood.len()), buffer.slice(flood.len()..));
    let charge = Some(Arc::new(pool.reader().acquire(buffer.len()).await));
    let wanted = small.len();
    read(&mut core, 0, vec![flood, small], &charge);
    drop(charge);
    assert_eq!((core.held_bytes, pool.held_bytes()), (wanted, wanted));
    assert!(buffer.is_unique(), "a few bytes keep the whole buffer");
}

#[test]
fn a_channel_whose_tick_stands_still_is_read_on_but_not_held() {
    let mut core = core();
    read(&mut core, 1, vec![timetick(100_000, 1)], &None);
    for ts in 1000..2000 {
        read(&mut core, 0, vec![rows(0, 10, ts)], &None);
        assert!(core.held_bytes <= INTERVAL_BYTES_MAX);
        let feed = feed_of(&core, 0);
        assert_eq!(core.appetite(feed), Appetite::Must);
    }
    assert!(core.next_call(5000).is_none());
    read(&mut core, 0, vec![timetick(5000, 1)], &None);
    // From here on no more than a call's worth at a time, until all was read for the second time.
    core.prepare(6000);
    let plan = core.readers().into_iter().find(|plan| plan.channel == "src-dml_0").unwrap();
    assert!(core.open.is_some() && plan.generation > 1);
    let mut read_again = 0;
    while core.appetite(plan.feed) != Appetite::None {
        read(&mut core, 0, vec![rows(0, 10, 1500 + read_again)], &None);
        core.prepare(6000);
        read_again += 1;
    }
    assert!(
        read_again > 10
            && core.flights[0].calls.iter().map(|call| call.bytes()).sum::<usize>() < 2 * CALL_BYTES_MAX
    );
}

#[test]
fn fast_channels_wait_for_a_slow_one() {
    let mut core = core();
    read(&mut core, 0, vec![timetick(100, 1)], &None);
    let (slow, fast) = (feed_of(&core, 0), feed_of(&core, 1));
    for ts in 1000..2000 {
        if core.appetite(fast) != Appetite::IfRoom {
            break;
        }
        read(&mut core, 1, vec![rows(1, 10, ts), timetick(ts, 1)], &None);
    }
    assert_eq!(core.appetite(fast), Appetite::None);
    assert!(core.held_bytes <= INTERVAL_BYTES_MAX);
    // What would end the wait is never held up.
    core.next_call(2000);
    core.on_acknowledged();
    assert_eq!(core.appetite(slow), Appetite::Must);
}
