//! A collection that is gone at the target, which takes its rows all the same: nothing of it is sent until it is back.

use std::collections::BTreeMap;
use std::sync::Arc;

use harrier_milvus::error::ErrorClass;
use harrier_proto::harrier::v1::SenderAssignment;

use super::super::{Core, CoreConfig, CoreStart, HoldConfig, Refusal};
use super::history::{History, Row, shard_assignment};
use super::random::Random;
use super::target::Target;

struct Bench {
    history: History,
    core: Core,
    target: Target,
    now_ms: u64,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let history = History::new(&mut Random::new(seed));
        let shards =
            (0..history.shape.shards.len()).map(|number| shard_assignment(&history.shape, number, 100));
        let assignment = SenderAssignment { shards: shards.collect(), ..SenderAssignment::default() };
        let config = CoreConfig {
            merge_bytes_max: 1 << 20,
            call_bytes_max: 1 << 20,
            interval_bytes_max: 1 << 20,
            tick_interval_ms: 200,
            lookahead_ms_min: 5000,
            hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
        };
        let order = Arc::new(|a: &[u8], b: &[u8]| number(a).cmp(&number(b)));
        let start = CoreStart { now_ms: 1000, ..CoreStart::default() };
        let core = Core::new(config, &assignment, order, &start);
        Self { history, core, target: Target::default(), now_ms: 1000 }
    }

    /// Reads at most `count` messages of each channel and sends what follows.
    fn go_on(&mut self, count: usize) {
        for plan in self.core.readers() {
            let channel: usize = plan.channel.strip_prefix("src-dml_").unwrap().parse().unwrap();
            let log = self.history.logs[channel].iter().skip(usize::try_from(number(&plan.after)).unwrap());
            let messages = log.take(count).map(|logged| logged.message.clone()).collect();
            self.core.on_messages(plan.feed, plan.generation, messages, &None).unwrap();
        }
        self.now_ms += 200;
        let wanted = self.core.report(self.now_ms, 0).wanted_horizon;
        self.core.grant(wanted);
        while let Some(call) = self.core.next_call(self.now_ms) {
            self.target.execute(&call, usize::MAX);
            self.core.on_acknowledged();
        }
    }

    fn expected(&self, counts: impl Fn(&Row) -> bool) -> BTreeMap<Row, usize> {
        let rows = self.history.rows.iter().filter(|row| counts(row));
        rows.map(|row| (row.clone(), 1)).collect()
    }

    fn held(&mut self) -> Vec<String> {
        let shards = self.core.report(self.now_ms, 0).shards;
        shards.into_iter().filter(|shard| shard.held.is_some()).map(|shard| shard.shard_id).collect()
    }
}

fn number(position: &[u8]) -> u64 {
    u64::from_le_bytes(position.try_into().unwrap_or_default())
}

#[test]
fn nothing_is_sent_to_a_collection_that_is_gone_until_it_is_back() {
    let refusal = Refusal {
        class: ErrorClass::Operator,
        message: "gone".to_owned(),
        gone: true,
        partly_executed: false,
        unix_ms: 7,
        random: 0,
    };
    let mut bench = Bench::new(3);
    let expected = bench.expected(|_| true);
    assert!(expected.keys().any(|row| row.shard == 0) && expected.keys().any(|row| row.shard != 0));
    bench.go_on(12);
    assert!(bench.core.on_gone(2000, &refusal, bench.now_ms));
    assert!(!bench.core.on_gone(2000, &refusal, bench.now_ms), "it is known");
    assert!(!bench.core.on_gone(5555, &refusal, bench.now_ms), "nobody writes to it");
    let before = bench.target.visible().into_iter().filter(|(row, _)| row.shard == 0).collect::<Vec<_>>();
    for _ in 0..60 {
        bench.go_on(50);
    }
    let after = bench.target.visible().into_iter().filter(|(row, _)| row.shard == 0).collect::<Vec<_>>();
    assert_eq!(before, after);
    let mut others = bench.target.visible();
    others.retain(|row, _| row.shard != 0);
    assert_eq!(others, bench.expected(|row| row.shard != 0));
    assert_eq!(bench.held(), ["0"]);
    bench.core.on_there(2000, bench.now_ms);
    for _ in 0..60 {
        bench.go_on(50);
    }
    assert_eq!(bench.target.visible(), expected);
    assert!(bench.held().is_empty());
}
