use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use harrier_cluster::Prove;
use harrier_proto::harrier::v1::{SenderAssignment, SenderPhase};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::coordinator::{FakeCoordinator, LEASE_MS};
use super::fake_sender::FakeHost;
use crate::byte_pool::BytePool;
use crate::config::WorkerConfig;
use crate::pace::Pace;
use crate::reach::Reach;
use crate::session::Lease;
use crate::session::coordinators::Coordinators;
use crate::session::run::{Session, SessionParts};
use crate::traffic::{Increment, MessageKind, Operation, TrafficLabels, TrafficSink};

struct Running {
    lease: Arc<Lease>,
    host: FakeHost,
    traffic: TrafficSink,
    shutdown: CancellationToken,
    session: JoinHandle<()>,
}

fn start(addresses: &[SocketAddr], finishing: usize) -> Running {
    let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    let (host, lease, traffic) = (FakeHost::new(finishing), Arc::new(Lease::new()), TrafficSink::new());
    let senders = host.clone();
    let session = Session::new(SessionParts {
        worker_id: "0123456789abcdef0123456789abcdef".into(),
        description: "test".into(),
        coordinators: Coordinators::new(&addresses, Duration::from_millis(100), Prove::default()).unwrap(),
        lease: lease.clone(),
        traffic: traffic.clone(),
        byte_pool: BytePool::new(1000),
        reach: Reach::new(&WorkerConfig::default()),
        pace: Pace::default(),
        make_host: Box::new(move |_| Ok(senders.clone())),
        drain_timeout: Duration::from_secs(3),
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(50),
    });
    let shutdown = CancellationToken::new();
    let session = tokio::spawn(session.run(shutdown.clone()));
    Running { lease, host, traffic, shutdown, session }
}

fn assignment(sender_id: &str, epoch: u64) -> SenderAssignment {
    SenderAssignment { sender_id: sender_id.into(), epoch, input_version: 1, ..Default::default() }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn registers_obeys_drains_and_leaves_with_the_last_words() {
    let coordinator = FakeCoordinator::default();
    coordinator.desire(vec![assignment("a", 1), assignment("b", 1)]);
    let worker = start(&[coordinator.serve().await], 9);
    until("both run", || worker.host.journal().len() == 2).await;
    until("the lease is held", || worker.lease.until().is_some()).await;

    coordinator.desire(vec![assignment("b", 1)]);
    let stopped = |sender_id: &str| {
        let script = coordinator.script();
        let last = script.beats.last().unwrap();
        last.senders.iter().any(|r| r.sender_id == sender_id && r.phase == SenderPhase::Stopped as i32)
    };
    until("a says its last word", || stopped("a")).await;
    assert!(!stopped("b"));

    worker.shutdown.cancel();
    worker.session.await.unwrap();
    let script = coordinator.script();
    let left = &script.leaves[0];
    assert_eq!(left.senders.len(), 2);
    assert!(left.senders.iter().all(|report| report.phase == SenderPhase::Stopped as i32));
    assert!(worker.lease.until().is_none());
    let sequences: Vec<u64> = script.beats.iter().map(|beat| beat.sequence).collect();
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]));
}

#[tokio::test]
async fn beats_go_on_while_senders_finish_and_a_stuck_one_is_ended_without_a_goodbye() {
    let coordinator = FakeCoordinator::default();
    coordinator.desire(vec![assignment("a", 1)]);
    let worker = start(&[coordinator.serve().await], 0);
    until("it runs", || worker.host.journal().len() == 1).await;
    worker.shutdown.cancel();
    until("the coordinator hears of it", || coordinator.script().beats.iter().any(|beat| beat.draining))
        .await;
    coordinator.desire(vec![assignment("a", 1), assignment("c", 1)]);
    worker.session.await.unwrap();
    assert_eq!(worker.host.journal(), ["spawn a 1", "stop a 1", "abort a 1"]);
    assert!(worker.host.fence("a", 1).is_revoked());
    assert!(coordinator.script().leaves.is_empty());
}

#[tokio::test]
async fn a_coordinator_that_forgot_the_worker_is_told_again_and_senders_stay() {
    let coordinator = FakeCoordinator::default();
    coordinator.desire(vec![assignment("a", 1)]);
    let worker = start(&[coordinator.serve().await], 9);
    until("it runs", || worker.host.journal().len() == 1).await;
    coordinator.script().known.clear();
    until("it registers again", || coordinator.script().registrations == 2).await;
    let beats = coordinator.script().beats.len();
    until("it beats again", || coordinator.script().beats.len() > beats + 3).await;
    assert_eq!(worker.host.journal(), ["spawn a 1"]);
    assert!(worker.lease.until().is_some());
}

#[tokio::test]
async fn the_lease_lapses_without_answers_and_the_next_coordinator_renews_it() {
    let (one, two) = (FakeCoordinator::default(), FakeCoordinator::default());
    two.script().refuse = true;
    one.desire(vec![assignment("a", 1)]);
    two.desire(vec![assignment("a", 1)]);
    let worker = start(&[one.serve().await, two.serve().await], 9);
    until("it runs", || worker.host.journal().len() == 1).await;
    let labels = Arc::new(TrafficLabels {
        task_id: "t".into(),
        source_vchannel: "v".into(),
        source_collection_id: 1,
        collection_name: "c".into(),
    });
    one.script().refuse = true;
    until("it falls silent", || worker.host.fence("a", 1).may_send_until().is_none()).await;
    let by = Increment { messages: 3, ..Default::default() };
    worker.traffic.add(&labels, MessageKind::Insert, Operation::Read, by);
    tokio::time::sleep(Duration::from_millis(50)).await;
    two.script().refuse = false;
    until("it goes on", || worker.host.fence("a", 1).may_send_until().is_some()).await;
    assert_eq!(worker.host.journal(), ["spawn a 1"]);
    let arrived = || {
        two.script().beats.iter().flat_map(|beat| &beat.traffic).map(|sample| sample.messages).sum::<u64>()
    };
    until("what was counted meanwhile arrives", || arrived() == 3).await;
}

#[tokio::test]
async fn an_answer_to_an_older_heartbeat_changes_nothing() {
    let coordinator = FakeCoordinator::default();
    coordinator.script().sequence_shift = u64::MAX;
    coordinator.desire(vec![assignment("a", 1)]);
    let worker = start(&[coordinator.serve().await], 9);
    until("some beats", || coordinator.script().beats.len() > 5).await;
    assert!(worker.host.journal().is_empty());
    assert!(worker.lease.until().is_none());
    coordinator.script().sequence_shift = 0;
    until("it runs", || worker.host.journal().len() == 1).await;
    // The lease counts from the sending: never longer than that from now.
    let left =
        worker.lease.until().map_or(0, |end| end.since(crate::session::BootInstant::now()).as_millis());
    assert!(left <= u128::from(LEASE_MS));
}
