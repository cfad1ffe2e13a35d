//! The whole sender, with its readers, calls and lease, against the model of the target behind a real gRPC server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cut;
mod fake_target;
mod memory_log;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use harrier_milvus::tso;
use harrier_proto::harrier::v1::{SenderAssignment, SenderPhase, TargetConnection};
use tokio::task::JoinHandle;

use self::fake_target::{FakeTarget, Mood};
use self::memory_log::MemoryLog;
use super::core::tests::history::{History, Row, shard_assignment};
use super::core::tests::random::Random;
use super::{SenderContext, SenderHandle, TargetLimits, spawn};
use crate::byte_pool::BytePool;
use crate::config::WorkerConfig;
use crate::pace::Pace;
use crate::reach::Reach;
use crate::session::{BootInstant, Lease};
use crate::traffic::TrafficSink;

const LEASE: Duration = Duration::from_secs(2);

struct Bench {
    history: History,
    target: FakeTarget,
    lease: Lease,
    sender: SenderHandle,
    /// What the sender was made of.
    assignment: SenderAssignment,
    context: SenderContext,
    looking: JoinHandle<()>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// Long enough that many calls are made.
fn history(seed: u64) -> History {
    History::lasting(&mut Random::new(seed), Some(20_000))
}

impl Bench {
    async fn start(seed: u64, mood: Mood, failing_percent: u64) -> Self {
        Self::start_as(seed, mood, failing_percent, |_, _| {}).await
    }

    /// With another assignment or configuration.
    async fn start_as(
        seed: u64,
        mood: Mood,
        failing_percent: u64,
        change: impl FnOnce(&mut SenderAssignment, &mut WorkerConfig),
    ) -> Self {
        let history = history(seed);
        let (target, uri) = FakeTarget::start(mood).await;
        let lease = Lease::new();
        lease.renew(BootInstant::now() + LEASE);
        let shards =
            (0..history.shape.shards.len()).map(|number| shard_assignment(&history.shape, number, 100));
        let mut assignment = SenderAssignment {
            sender_id: "t/dst-dml_0".into(),
            epoch: 1,
            input_version: 1,
            target_pchannel: "dst-dml_0".into(),
            target: Some(TargetConnection { uri, ..Default::default() }),
            shards: shards.collect(),
            ..Default::default()
        };
        let mut config = WorkerConfig {
            call_timeout_ms: 200,
            target_settle_ms: 10,
            // Every other time hardly anything that waits for its tick is held: it is read twice.
            interval_bytes_max: if seed.is_multiple_of(2) { 300 } else { 8 << 20 },
            call_bytes_max: if matches!(mood, Mood::Shared(_)) { 2000 } else { 16 << 20 },
            tick_interval_ms: 20,
            backoff_ms_min: 2,
            backoff_ms_max: 10,
            target_clock_interval_ms: 20,
            foreign_grace_ms: 200,
            hold_ms_min: 20,
            hold_ms_max: 100,
            ..WorkerConfig::default()
        };
        change(&mut assignment, &mut config);
        let reach = Reach::new(&config);
        let looking = tokio::spawn(reach.clone().keep_looking());
        let context = SenderContext {
            log: Arc::new(MemoryLog::new(&history, failing_percent)),
            target_limits: TargetLimits::new(&config),
            reach: reach.clone(),
            config,
            fence: lease.fence(),
            // Less than a batch: every reader lives on its reserve now and then.
            byte_pool: BytePool::new(2000),
            traffic: TrafficSink::new(),
            pace: Pace::default(),
        };
        let sender = spawn(assignment.clone(), context.clone());
        Self { history, target, lease, sender, assignment, context, looking }
    }

    /// What the session does with each heartbeat, until `done` or for 20 s.
    async fn beat_until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            self.lease.renew(BootInstant::now() + LEASE);
            self.sender.grant(self.sender.report().wanted_horizon);
            if done(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited for {what}; {} calls; last report: {:?}", self.calls(), self.sender.report());
    }

    fn is_equal(&self) -> bool {
        self.is_equal_but(None)
    }

    /// Apart from one shard.
    fn is_equal_but(&self, shard: Option<usize>) -> bool {
        let counts = |row: &Row| Some(row.shard) != shard;
        let expected = self.history.rows.iter().filter(|row| counts(row)).map(|row| (row.clone(), 1));
        let mut there = self.target.state().target.visible();
        there.retain(|row, _| counts(row));
        there == expected.collect::<BTreeMap<_, usize>>()
    }

    /// The last tick of the log is acknowledged, and nothing goes again.
    fn is_at_rest(&self) -> bool {
        let end =
            self.history.logs.iter().filter_map(|log| log.last()).map(|last| last.max_ts).min().unwrap();
        let shards = self.sender.report().shards;
        !shards.is_empty() && shards.iter().all(|shard| shard.checkpoint.as_ref().unwrap().tick >= end)
    }

    fn calls(&self) -> usize {
        self.target.state().calls
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_once_through_a_flaky_log_at_a_flaky_target() {
    for seed in 1..4 {
        let bench = Bench::start(seed, Mood::Flaky, 10).await;
        // Not merely confirmed: after a call of unknown outcome rows go again, and may show an older state until then.
        bench.beat_until("everything to be done with", Bench::is_at_rest).await;
        assert!(bench.is_equal(), "seed {seed}");
        bench.target.state().mood = Mood::Well;
        let report = bench.sender.stop().await;
        assert_eq!(report.phase, SenderPhase::Stopped as i32);
        assert!(report.clock >= bench.target.state().target.newest);
        assert!(report.shards.iter().all(|shard| shard.r#final));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_lease_it_is_silent_and_with_it_goes_on() {
    let bench = Bench::start(5, Mood::Well, 0).await;
    bench.beat_until("a call", |bench| bench.calls() > 0).await;
    bench.lease.end();
    // One may be on its way.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let calls = bench.calls();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.calls(), calls);
    bench.beat_until("the rows", Bench::is_equal).await;
    let restamped = bench.target.state().target.restamped();
    assert!(restamped.iter().all(|ts| bench.history.is_of_several(*ts)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_no_standby_is_told_and_tried_again() {
    let bench = Bench::start(6, Mood::Primary, 0).await;
    bench.beat_until("the reason", |bench| bench.sender.report().error.is_some()).await;
    let error = bench.sender.report().error.unwrap();
    assert_eq!(error.class, "operator");
    assert!(error.message.contains("ttMsgEnabled"), "{}", error.message);
    bench.target.state().mood = Mood::Well;
    bench.beat_until("the rows", Bench::is_equal).await;
    bench.beat_until("the reason to go", |bench| bench.sender.report().error.is_none()).await;
}

/// The target refused such calls as if the collection were unknown, and the sender asked again for ever.
#[tokio::test(flavor = "multi_thread")]
async fn rows_wait_while_the_source_is_ahead_of_the_target() {
    let bench = Bench::start(8, Mood::Well, 0).await;
    bench.target.state().clock_ms = Some(bench.history.shape.begin_ms - 60_000);
    bench.beat_until("the reason", |bench| bench.sender.report().error.is_some()).await;
    let report = bench.sender.report();
    let error = report.error.unwrap();
    assert_eq!(error.class, "operator");
    assert!(error.message.contains("ahead of the target's clock"), "{}", error.message);
    assert!(report.source_ahead_ms > 1_800);
    assert!(!bench.is_equal());
    let refused = bench.target.state().too_early;
    assert!(refused <= 1, "the sender asks the clock, it does not knock: {refused} calls");
    // Half of it may go: exactly that goes, in packs of its own.
    let (begin_ms, end_ms) = (bench.history.shape.begin_ms, bench.history.shape.end_ms);
    let half_ms = begin_ms + (end_ms - begin_ms) / 2;
    bench.target.state().clock_ms = Some(half_ms - 1_800);
    let half_way = |bench: &Bench| tso::physical_ms(bench.target.state().target.newest) + 50 > half_ms;
    bench.beat_until("half of it", half_way).await;
    assert!(tso::physical_ms(bench.target.state().target.newest) < half_ms + 200);
    assert_eq!(bench.target.state().too_early, refused);
    bench.target.state().clock_ms = Some(end_ms + 60_000);
    bench.beat_until("the rows", Bench::is_equal).await;
    bench.beat_until("the reason to go", |bench| bench.sender.report().error.is_none()).await;
    bench.beat_until("the gauge to fall", |bench| bench.sender.report().source_ahead_ms == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_writes_is_told_and_what_was_sent_goes_again() {
    let bench = Bench::start(9, Mood::Shared(3), 0).await;
    bench.beat_until("the messages to be told", |bench| bench.sender.report().foreign_messages == 3).await;
    let report = bench.sender.report();
    assert!(report.foreign_seen_ms > 0);
    assert_eq!(report.error, None, "it goes on");
    bench.beat_until("the rows", Bench::is_equal).await;
    bench.beat_until("a flush", |bench| bench.target.state().flushes > 0).await;
    assert_eq!(bench.sender.report().foreign_messages, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_begins_no_call() {
    let bench = Bench::start(7, Mood::Well, 0).await;
    bench.beat_until("a call", |bench| bench.calls() > 0).await;
    bench.lease.end();
    // A call that was on its way has ended then: twice its timeout.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let calls = bench.calls();
    // As a worker that was frozen learns it: the senders are gone, then the lease is there again.
    let stopped = bench.sender.stop();
    bench.lease.renew(BootInstant::now() + LEASE);
    let report = stopped.await;
    assert_eq!(bench.calls(), calls);
    assert_eq!(report.phase, SenderPhase::Stopped as i32);
    assert_eq!(report.clock, bench.target.state().target.newest);
}

/// Collections come and go all the time; a take-over that waited anew with each of them took seconds longer, or for
/// ever.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_its_inputs_do_not_make_a_take_over_wait_anew() {
    let mut assigned = SenderAssignment::default();
    let bench = Bench::start_as(11, Mood::Well, 0, |assignment, config| {
        assignment.unclean = true;
        config.target_settle_ms = 400;
        assigned = assignment.clone();
    })
    .await;
    let begin = tokio::time::Instant::now();
    while bench.calls() == 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "it never began");
        bench.lease.renew(BootInstant::now() + LEASE);
        bench.sender.grant(bench.sender.report().wanted_horizon);
        assigned.input_version += 1;
        bench.sender.update(assigned.clone());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(begin.elapsed() >= Duration::from_millis(400), "it did not wait at all");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_the_target_lacks_is_held_and_the_others_arrive() {
    let fits = |history: &History| {
        history.rows.iter().any(|row| row.shard == 0) && history.rows.iter().any(|row| row.shard != 0)
    };
    let seed = (3..).find(|seed| fits(&history(*seed))).unwrap();
    let bench = Bench::start(seed, Mood::Lacks(2000), 0).await;
    let held = |bench: &Bench| {
        let shards = bench.sender.report().shards;
        shards.into_iter().find(|shard| shard.shard_id == "0").and_then(|shard| shard.held)
    };
    bench.beat_until("the collection to be held", |bench| held(bench).is_some()).await;
    let message = held(&bench).unwrap().message;
    assert!(message.contains("the target refuses copies.c0: "), "{message}");
    bench.beat_until("the others", |bench| bench.is_equal_but(Some(0))).await;
    let report = bench.sender.report();
    assert_eq!(report.error, None);
    assert!(report.shards.iter().all(|shard| shard.held.is_some() == (shard.shard_id == "0")));
    bench.target.state().mood = Mood::Well;
    bench.beat_until("its rows", Bench::is_equal).await;
    bench.beat_until("nothing to be held", |bench| held(bench).is_none()).await;
}
