//! A source that dies leaves its channels with different last ticks. A successor has to meet each of them again, or
//! the slowest channel would hold back for ever what the others' last ticks cover.

use std::sync::Arc;

use bytes::Bytes;
use harrier_milvus::log::LogMessage;
use harrier_proto::harrier::v1::{SenderAssignment, ShardAssignment};

use super::super::{Core, CoreConfig, CoreStart, HoldConfig};
use crate::message::timetick;

fn shard(channel: &str) -> ShardAssignment {
    ShardAssignment { shard_id: channel.into(), source_pchannel: channel.into(), ..Default::default() }
}

#[test]
fn a_checkpoint_lies_before_a_tick_that_the_watermark_has_not_reached() {
    let config = CoreConfig {
        merge_bytes_max: 1000,
        call_bytes_max: 1000,
        interval_bytes_max: 1 << 20,
        tick_interval_ms: 200,
        lookahead_ms_min: 5000,
        hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
    };
    let assignment = SenderAssignment {
        horizon: u64::MAX,
        shards: vec![shard("ahead"), shard("behind")],
        ..Default::default()
    };
    let order = Arc::new(|a: &[u8], b: &[u8]| a.cmp(b));
    let mut core = Core::new(config, &assignment, order, &CoreStart { now_ms: 1000, ..Default::default() });
    let position = Bytes::from_static(b"1");
    for plan in core.readers() {
        let tick = if plan.channel == "ahead" { 1000 } else { 500 };
        let message = LogMessage { position: position.clone(), payload: timetick(tick, 1), streaming: false };
        core.on_messages(plan.feed, plan.generation, vec![message], &None).unwrap();
    }
    let call = core.next_call(2000).unwrap();
    assert_eq!(call.end_ts, 500);
    core.on_acknowledged();
    for report in core.report(2000, 0).shards {
        let checkpoint = report.checkpoint.unwrap();
        assert_eq!(checkpoint.tick, 500);
        let expected = if report.shard_id == "ahead" { Bytes::new() } else { position.clone() };
        assert_eq!(checkpoint.position, expected, "{}", report.shard_id);
    }
}
