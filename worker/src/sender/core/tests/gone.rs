//! A collection that is gone at the target, which takes its rows all the same: nothing of it is sent until it is back.

use std::collections::BTreeMap;
use std::sync::Arc;

use harrier_milvus::error::ErrorClass;
use harrier_milvus::log::LogError;
use harrier_milvus::tso;
use harrier_proto::harrier::v1::{PartitionAssignment, SenderAssignment, ShardAssignment, ShardCheckpoint};

use super::super::{Core, CoreConfig, CoreStart, HoldConfig, LogEnds, Refusal};
use super::history::{History, Row, shard_assignment};
use super::random::Random;
use super::target::Target;

struct Bench {
    history: History,
    assignment: SenderAssignment,
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
        let core = Self::core(&assignment);
        Self { history, assignment, core, target: Target::default(), now_ms: 1000 }
    }

    fn core(assignment: &SenderAssignment) -> Core {
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
        Core::new(config, assignment, order, &start)
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

fn refusal() -> Refusal {
    Refusal {
        class: ErrorClass::Operator,
        message: "gone".to_owned(),
        gone: true,
        partly_executed: false,
        unix_ms: 7,
        random: 0,
    }
}

#[test]
fn nothing_is_sent_to_a_collection_that_is_gone_until_it_is_back() {
    let refusal = refusal();
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

/// Somebody dropped one of its partitions at the target, and created it again: the collection there is the same.
#[test]
fn a_collection_that_is_mapped_anew_is_copied_from_its_beginning() {
    let mut bench = Bench::new(3);
    let expected = bench.expected(|_| true);
    for _ in 0..60 {
        bench.go_on(50);
    }
    assert_eq!(bench.target.visible(), expected);
    assert!(bench.core.on_gone(2000, &refusal(), bench.now_ms));
    assert!(bench.core.report(bench.now_ms, 0).shards.iter().any(|shard| shard.lost_at_target));
    bench.target.lose(0);
    assert_ne!(bench.target.visible(), expected);

    bench.assignment.input_version += 1;
    let shard = bench.assignment.shards.iter_mut().find(|shard| shard.target_collection_id == 2000).unwrap();
    shard.mapping_generation = 1;
    // Some of it is still there.
    let replay_until = tso::compose(bench.history.shape.end_ms, 0);
    shard.checkpoint = Some(ShardCheckpoint { replay_until, ..ShardCheckpoint::default() });
    bench.core.update(&bench.assignment, &LogEnds::new(), bench.now_ms);
    assert!(bench.held().is_empty(), "what it lacked before says nothing");
    for _ in 0..60 {
        bench.go_on(50);
    }
    assert_eq!(bench.target.visible(), expected);
}

#[test]
fn partitions_are_asked_for_in_turn_and_always_where_some_are_gone() {
    let shard = |collection: i64, partitions: i64| ShardAssignment {
        shard_id: collection.to_string(),
        source_pchannel: "src-dml_0".into(),
        target_collection_id: collection,
        partitions: (0..partitions)
            .map(|id| PartitionAssignment {
                source_partition_id: collection * 10 + id,
                target_partition_id: collection * 100 + id,
                target_partition_name: format!("p{id}"),
                dropped: id == 3,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    let mut bench = Bench::new(3);
    bench.assignment.shards = vec![shard(1, 1), shard(2, 3), shard(3, 2), shard(4, 4), shard(5, 2)];
    bench.core.update(&bench.assignment, &LogEnds::new(), bench.now_ms);
    let asked = |core: &Core, after: i64| {
        let (inquiries, turn) = core.inquiries(after, 2);
        assert_eq!(inquiries.len(), 5);
        let with = inquiries.into_iter().filter(|inquiry| !inquiry.partitions.is_empty());
        (with.map(|inquiry| (inquiry.collection_id, inquiry.partitions.len())).collect::<Vec<_>>(), turn)
    };
    assert_eq!(asked(&bench.core, 0), (vec![(2, 3), (3, 2)], 3));
    assert_eq!(asked(&bench.core, 3), (vec![(4, 3), (5, 2)], 5));
    assert_eq!(asked(&bench.core, 5), (vec![(2, 3), (3, 2)], 3));
    assert!(bench.core.on_gone(5, &refusal(), bench.now_ms));
    assert_eq!(asked(&bench.core, 0), (vec![(2, 3), (3, 2), (5, 2)], 3));
    let names = bench.core.partition_names(4, &[401, 403, 777].into());
    assert_eq!(names, ["p1".to_owned()].into(), "the source dropped p3");
}

#[test]
fn ticks_go_on_where_everything_is_held() {
    // Also of an owner that began after its inputs, which have not caught up.
    for joined in [true, false] {
        let mut bench = Bench::new(3);
        if joined {
            bench.go_on(12);
        } else {
            bench.assignment.clock = tso::compose(bench.history.shape.begin_ms + 300, 0);
            bench.assignment.horizon = bench.assignment.clock;
            bench.core = Bench::core(&bench.assignment);
        }
        let collections: Vec<i64> =
            bench.assignment.shards.iter().map(|shard| shard.target_collection_id).collect();
        for collection in &collections {
            assert!(bench.core.on_gone(*collection, &refusal(), bench.now_ms));
        }
        let (rows, tick) = (bench.target.rows_written, bench.target.last_tick);
        for _ in 0..60 {
            bench.go_on(50);
        }
        assert_eq!((bench.held().len(), bench.target.rows_written), (collections.len(), rows));
        assert!(bench.target.last_tick > tick, "joined: {joined}");
        for collection in collections {
            bench.core.on_there(collection, bench.now_ms);
        }
        for _ in 0..60 {
            bench.go_on(50);
        }
        assert!(bench.held().is_empty());
        assert_eq!(bench.target.visible(), bench.expected(|_| true));
    }
}

/// What was dropped at the target is to be copied anew, but the log no longer reaches back to where it began.
#[test]
fn a_collection_whose_position_is_lost_is_held_alone() {
    let mut bench = Bench::new(3);
    bench.assignment.clock = tso::compose(bench.history.shape.begin_ms + 300, 0);
    bench.assignment.horizon = bench.assignment.clock;
    // All are late; the first needs the oldest message, the others begin behind it.
    for shard in bench.assignment.shards.iter_mut().skip(1) {
        let position = 1_u64.to_le_bytes().to_vec().into();
        shard.checkpoint = Some(ShardCheckpoint { position, ..ShardCheckpoint::default() });
    }
    bench.core = Bench::core(&bench.assignment);
    let channel = bench.assignment.shards[0].source_pchannel.clone();
    let feed = bench.core.readers().into_iter().find(|plan| plan.channel == channel).unwrap().feed;
    let error =
        LogError::PositionLost { channel, wanted: "1".into(), oldest: "2".into(), newest: "99".into() };
    assert!(bench.core.on_position_lost(feed, &error));
    for _ in 0..60 {
        bench.go_on(50);
    }
    assert_eq!(bench.held(), ["0"]);
    let reason = bench.core.report(bench.now_ms, 0).shards.into_iter().find_map(|shard| shard.held).unwrap();
    assert!(
        reason.class == "operator" && reason.message.contains("no longer holds position 1"),
        "{reason:?}"
    );
    assert_eq!(bench.target.visible(), bench.expected(|row| row.shard != 0));
}
