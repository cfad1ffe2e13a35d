//! A call of unknown fate, and the sender ends in order before anything else is acknowledged: its successor has to know
//! that the rows may be there, though the last acknowledged checkpoint does not say so.

use std::sync::Arc;

use harrier_proto::harrier::v1::SenderAssignment;

use super::super::{Core, CoreConfig, CoreStart, HoldConfig};
use super::history::{History, shard_assignment};
use super::random::Random;

#[test]
fn what_a_call_of_unknown_fate_carried_is_replayed_by_the_successor() {
    let history = History::new(&mut Random::new(1));
    let shards = (0..history.shape.shards.len()).map(|number| shard_assignment(&history.shape, number, 100));
    let assignment =
        SenderAssignment { horizon: u64::MAX, shards: shards.collect(), ..SenderAssignment::default() };
    let config = CoreConfig {
        merge_bytes_max: 1 << 20,
        call_bytes_max: 1 << 20,
        interval_bytes_max: 1 << 20,
        tick_interval_ms: 200,
        lookahead_ms_min: 5000,
        hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
    };
    let order = Arc::new(|a: &[u8], b: &[u8]| {
        let number = |position: &[u8]| u64::from_le_bytes(position.try_into().unwrap_or_default());
        number(a).cmp(&number(b))
    });
    let start = CoreStart { now_ms: 1000, ..CoreStart::default() };
    let mut core = Core::new(config, &assignment, order, &start);
    for plan in core.readers() {
        let channel: usize = plan.channel.strip_prefix("src-dml_").unwrap().parse().unwrap();
        let messages = history.logs[channel].iter().map(|logged| logged.message.clone()).collect();
        core.on_messages(plan.feed, plan.generation, messages, &None).unwrap();
    }
    let call = core.next_call(2000).unwrap();
    core.on_unknown_outcome();
    core.begin_stop(2001);
    assert!(core.is_stopped());
    for report in core.report(2002, 0).shards {
        let end = report.checkpoint.unwrap();
        assert!(report.r#final && end.replay_until >= call.end_ts, "{} ends at {end:?}", report.shard_id);
    }
}
