//! The leader with a real registry and a real port; workers are played by the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use harrier_proto::harrier::v1::coordinator_client::CoordinatorClient;
use harrier_proto::harrier::v1::{
    HeartbeatReply, HeartbeatRequest, LeaveRequest, RegisterRequest, SenderAssignment, SenderPhase,
    SenderReport, ShardCheckpoint, ShardReport, Sight, SourceLog, TrafficSample,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};

use super::fixtures::{self, SENDER, SHARD, TASK};
use super::leading::Times;
use super::*;
use crate::config::CoordinatorConfig;
use crate::grpc;
use crate::raft::{RaftOptions, Registry};
use crate::registry::{Command, Reply};
use crate::serving::Serving;

const LEASE: Duration = Duration::from_millis(400);
const MARGIN: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

struct Node {
    registry: Registry,
    view: LeaderView,
    leadership: Leadership,
    server: Serving,
}

impl Node {
    async fn start(folder: &TempDir) -> Self {
        let options = RaftOptions {
            data_dir: folder.path().to_owned(),
            bootstrap: true,
            election_ms_min: 60,
            election_ms_max: 120,
            heartbeat_ms: 20,
            ..RaftOptions::default()
        };
        let registry = Registry::open(options).await.unwrap();
        let view = LeaderView::default();
        let leadership = Leadership::follow(LeaderParts {
            registry: registry.clone(),
            sealer: fixtures::sealer(),
            view: view.clone(),
            times: Times {
                heartbeat: Duration::from_millis(50),
                lease: LEASE,
                lease_margin: MARGIN,
                checkpoint_interval: Duration::from_millis(20),
                plan_interval: Duration::from_millis(20),
                rebalance_cooldown: Duration::from_millis(20),
                rebalance_probation: Duration::from_millis(100),
                reach_grace: Duration::from_millis(100),
                reach_fresh: Duration::from_millis(1_000),
            },
            source_log: SourceLog { kind: "nats".to_owned(), ..SourceLog::default() },
            series_max: 100,
            timeouts: (&CoordinatorConfig::default()).into(),
            catalog: None,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = grpc::serve(
            listener,
            grpc::Services {
                sessions: Sessions::new(leadership.current(), registry.clone()),
                members: registry.member_service(),
                secret: None,
            },
        )
        .unwrap();
        let node = Self { registry, view, leadership, server };
        node.until("it leads", |node| node.view.is_leading()).await;
        node
    }

    /// With one task of `collections` collections, each on an own pchannel.
    async fn with_task(folder: &TempDir, collections: i64) -> Self {
        let node = Self::start(folder).await;
        node.commit(fixtures::create_task(TASK)).await;
        for number in 0..collections {
            let pchannel = u32::try_from(number).unwrap();
            node.commit(fixtures::map_collection(TASK, 100 + number, pchannel)).await;
        }
        node.commit(Command::TaskStarted { task_id: TASK.to_owned() }).await;
        node
    }

    async fn commit(&self, command: Command) {
        assert_eq!(self.registry.propose(command).await.unwrap(), Reply::Done);
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !holds(self) {
            assert!(begin.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn owner(&self, sender_id: &str) -> Option<String> {
        self.registry.read(|state| state.senders[sender_id].owner.clone())
    }

    async fn stop(self) {
        self.server.stop(LEASE).await;
        self.leadership.stop().await;
        self.registry.shutdown().await;
    }
}

/// Does what it is told, at once.
struct Worker {
    id: String,
    client: CoordinatorClient<Channel>,
    sequence: u64,
    version: u64,
    draining: bool,
    running: BTreeMap<String, SenderAssignment>,
    last_words: Vec<SenderReport>,
    /// What the next heartbeat says.
    sights: Vec<Sight>,
}

impl Worker {
    fn new(node: &Node, digit: char) -> Self {
        let address = format!("http://{}", node.server.address());
        let channel = Endpoint::from_shared(address).unwrap().connect_lazy();
        Self {
            id: String::from_iter([digit; 32]),
            client: CoordinatorClient::new(channel),
            sequence: 0,
            version: 0,
            draining: false,
            running: BTreeMap::new(),
            last_words: Vec::new(),
            sights: Vec::new(),
        }
    }

    async fn registered(node: &Node, digit: char) -> Self {
        let mut worker = Self::new(node, digit);
        worker.register().await;
        worker
    }

    async fn register(&mut self) {
        let request = RegisterRequest {
            worker_id: self.id.clone(),
            description: "test".to_owned(),
            version: "0".to_owned(),
        };
        let reply = self.client.register(request).await.unwrap().into_inner();
        assert_eq!((reply.heartbeat_ms, reply.lease_ms), (50, 400));
        assert_eq!(reply.source_log.unwrap().kind, "nats");
    }

    async fn beat(&mut self) -> HeartbeatReply {
        self.beat_with(Vec::new()).await
    }

    async fn beat_with(&mut self, traffic: Vec<TrafficSample>) -> HeartbeatReply {
        self.sequence += 1;
        let mut senders: Vec<_> =
            self.running.values().map(|sender| report(sender, SenderPhase::Running)).collect();
        senders.append(&mut self.last_words);
        let request = HeartbeatRequest {
            worker_id: self.id.clone(),
            sequence: self.sequence,
            draining: self.draining,
            desired_version: self.version,
            senders,
            traffic,
            buffered_bytes: 7,
            sights: std::mem::take(&mut self.sights),
        };
        let reply = self.client.heartbeat(request).await.unwrap().into_inner();
        assert_eq!(reply.sequence, self.sequence);
        if !reply.unchanged {
            self.obey(&reply);
        }
        reply
    }

    fn obey(&mut self, reply: &HeartbeatReply) {
        self.version = reply.desired_version;
        let desired: BTreeMap<_, _> =
            reply.desired.iter().map(|sender| (sender.sender_id.clone(), sender.clone())).collect();
        for (sender_id, sender) in std::mem::take(&mut self.running) {
            if desired.get(&sender_id).is_none_or(|now| now.epoch != sender.epoch) {
                self.last_words.push(report(&sender, SenderPhase::Stopped));
            }
        }
        self.running = desired;
    }

    async fn beat_until(
        &mut self,
        what: &str,
        holds: impl Fn(&Self, &HeartbeatReply) -> bool,
    ) -> HeartbeatReply {
        let begin = Instant::now();
        loop {
            let reply = self.beat().await;
            if holds(self, &reply) {
                return reply;
            }
            assert!(begin.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn report(sender: &SenderAssignment, phase: SenderPhase) -> SenderReport {
    let clock = sender.clock + 10;
    let shards = sender.shards.iter().map(|shard| ShardReport {
        shard_id: shard.shard_id.clone(),
        checkpoint: Some(ShardCheckpoint {
            position: b"p9".to_vec().into(),
            tick: 90,
            replay_until: 0,
            joined: true,
            windows: Vec::new(),
        }),
        confirmed: 90,
        r#final: phase == SenderPhase::Stopped,
        ..ShardReport::default()
    });
    SenderReport {
        ticked_version: 0,
        sender_id: sender.sender_id.clone(),
        epoch: sender.epoch,
        input_version: sender.input_version,
        phase: phase.into(),
        clock,
        wanted_horizon: clock + 1_000,
        takeover_clock: sender.clock + 1,
        tick: clock,
        shards: shards.collect(),
        ..SenderReport::default()
    }
}

#[tokio::test]
async fn a_worker_gets_senders_and_its_progress_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::with_task(&folder, 1).await;
    node.until("the want of a worker is said", |node| {
        node.view.task_reason(TASK).is_some_and(|reason| reason.message.contains("no worker is registered"))
    })
    .await;
    let mut worker = Worker::registered(&node, 'a').await;
    worker.beat_until("it has the sender", |worker, _| worker.running.contains_key(SENDER)).await;
    let reply =
        worker.beat_until("the horizon is granted", |_, reply| reply.horizons[0].horizon == 1_010).await;
    assert!(reply.unchanged && reply.desired.is_empty() && !reply.unknown_worker);
    node.registry.read(|state| {
        assert_eq!(state.shards[SHARD].confirmed, 90);
        assert_eq!((state.senders[SENDER].clock, state.senders[SENDER].takeover_clock), (10, 1));
    });
    let sample = TrafficSample { task_id: TASK.to_owned(), rows: 3, ..TrafficSample::default() };
    worker.beat_with(vec![sample]).await;
    assert_eq!(node.view.traffic()[0].count.rows, 3);
    assert_eq!(node.view.workers()[0].buffered_bytes, 7);
    assert_eq!(node.view.senders()[0].phase, "running");
    node.until("all is well", |node| node.view.task_reason(TASK).is_none()).await;
    node.stop().await;
}

#[tokio::test]
async fn a_second_worker_gets_its_share_and_nothing_is_unclean() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::with_task(&folder, 4).await;
    let mut first = Worker::registered(&node, 'a').await;
    first.beat_until("it has all", |worker, _| worker.running.len() == 4).await;
    let mut second = Worker::registered(&node, 'b').await;
    let begin = Instant::now();
    while (first.running.len(), second.running.len()) != (2, 2) {
        first.beat().await;
        second.beat().await;
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    node.registry.read(|state| assert!(state.senders.values().all(|sender| !sender.unclean)));
    node.stop().await;
}

#[tokio::test]
async fn the_senders_of_a_silent_worker_go_to_another_one_after_its_lease() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::with_task(&folder, 1).await;
    let mut silent = Worker::registered(&node, 'a').await;
    silent.beat_until("it has the sender", |worker, _| worker.running.contains_key(SENDER)).await;
    silent.beat().await;
    let silent_since = Instant::now();
    let mut other = Worker::registered(&node, 'b').await;
    let reply = other.beat_until("it takes over", |worker, _| worker.running.contains_key(SENDER)).await;
    assert!(silent_since.elapsed() >= LEASE + MARGIN - Duration::from_millis(20));
    let sender = reply.desired.iter().find(|sender| sender.sender_id == SENDER).unwrap();
    assert!(sender.unclean && sender.epoch == 2);
    assert_eq!((sender.clock, sender.horizon), (10, 1_010));

    let reply = silent.beat().await;
    assert!(reply.unknown_worker);
    assert!(silent.running.is_empty(), "the sender is somebody else's");
    silent.register().await;
    assert!(!silent.beat().await.unknown_worker);
    node.stop().await;
}

#[tokio::test]
async fn a_worker_that_does_not_reach_the_target_hands_over_to_one_that_is_asked_and_does() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::with_task(&folder, 1).await;
    let mut cut = Worker::registered(&node, 'a').await;
    cut.beat_until("it has the sender", |worker, _| worker.running.contains_key(SENDER)).await;
    let mut other = Worker::registered(&node, 'b').await;
    let target_id = node.registry.read(|state| state.senders[SENDER].target_id.clone());
    let sight = |lost, ms_ago| Sight { target_id: target_id.clone(), lost, ms_ago, silent_ms: ms_ago };
    let (begin, mut asked) = (Instant::now(), false);
    while node.owner(SENDER).is_some() {
        let asked_ms = u64::try_from(begin.elapsed().as_millis()).unwrap();
        cut.sights = vec![sight(true, asked_ms)];
        let reply = cut.beat().await;
        assert!(reply.looks.is_empty(), "it knows");
        if asked {
            other.sights = vec![sight(false, 0)];
        } else {
            assert!(node.owner(SENDER).is_some(), "nobody is known to reach it");
        }
        if let Some(look) = other.beat().await.looks.first() {
            assert_eq!(look.target.as_ref().unwrap().target_id, target_id);
            asked = true;
        }
        assert!(begin.elapsed() < PATIENCE, "it keeps the sender");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(node.view.unreached().len(), 1);
    // It gives up a call that is not answered, instead of waiting for it.
    cut.running.clear();
    cut.last_words = vec![SenderReport {
        sender_id: SENDER.to_owned(),
        epoch: 1,
        phase: SenderPhase::Abandoned.into(),
        ..SenderReport::default()
    }];
    let abandoned = Instant::now();
    cut.sights = vec![sight(true, 1_000)];
    cut.beat().await;
    other.sights = vec![sight(false, 0)];
    other.beat_until("it takes over", |worker, _| worker.running.contains_key(SENDER)).await;
    assert!(abandoned.elapsed() < LEASE, "at once, not after the silence of a lease");
    assert!(other.running[SENDER].unclean);
    let counted = node.view.failovers()[&crate::leader::FailoverCause::UnreachableTarget];
    assert_eq!(counted, 1);
    node.stop().await;
}

#[tokio::test]
async fn a_worker_that_leaves_hands_over_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::with_task(&folder, 1).await;
    let mut leaving = Worker::registered(&node, 'a').await;
    leaving.beat_until("it has the sender", |worker, _| worker.running.contains_key(SENDER)).await;
    let last_word = report(&leaving.running[SENDER], SenderPhase::Stopped);
    let request = LeaveRequest { worker_id: leaving.id.clone(), senders: vec![last_word] };
    leaving.client.leave(request).await.unwrap();
    node.registry.read(|state| {
        assert!(state.senders[SENDER].stopped);
        assert_eq!(state.shards[SHARD].position, b"p9");
    });
    let mut next = Worker::registered(&node, 'b').await;
    next.beat_until("it follows", |worker, _| worker.running.contains_key(SENDER)).await;
    assert!(!next.running[SENDER].unclean);
    node.stop().await;
}

#[tokio::test]
async fn a_draining_worker_gives_everything_away() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::with_task(&folder, 3).await;
    let mut draining = Worker::registered(&node, 'a').await;
    draining.beat_until("it has all", |worker, _| worker.running.len() == 3).await;
    draining.draining = true;
    draining.beat_until("it has stopped all", |worker, _| worker.running.is_empty()).await;
    draining.beat().await;
    node.registry.read(|state| assert!(state.senders.values().all(|sender| sender.stopped)));
    let mut next = Worker::registered(&node, 'b').await;
    next.beat_until("it has all", |worker, _| worker.running.len() == 3).await;
    draining.beat().await;
    assert!(draining.running.is_empty());
    node.stop().await;
}

#[tokio::test]
async fn a_sender_that_was_never_started_does_not_wait_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::with_task(&folder, 1).await;
    let mut worker = Worker::registered(&node, 'a').await;
    node.until("it is assigned", |node| node.owner(SENDER).is_some()).await;
    // Taken away before the worker heard of it: it has no last word to say.
    let command = node.registry.read(|state| {
        let expected_epoch = state.senders[SENDER].epoch;
        let assign = crate::registry::Assign { sender_id: SENDER.to_owned(), expected_epoch, owner: None };
        Command::AssignSenders { assignments: vec![assign] }
    });
    node.commit(command).await;
    worker.beat_until("it gets it anew", |worker, _| worker.running.contains_key(SENDER)).await;
    assert!(worker.running[SENDER].epoch == 2 && worker.running[SENDER].unclean);
    node.stop().await;
}

#[tokio::test]
async fn after_a_restart_of_the_coordinator_a_worker_keeps_its_senders() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::with_task(&folder, 2).await;
    let mut worker = Worker::registered(&node, 'a').await;
    worker.beat_until("it has all", |worker, _| worker.running.len() == 2).await;
    let epochs = |worker: &Worker| worker.running.values().map(|sender| sender.epoch).collect::<Vec<_>>();
    let before = epochs(&worker);
    node.stop().await;

    let node = Node::start(&folder).await;
    let mut newcomer = Worker::registered(&node, 'b').await;
    newcomer.beat().await;
    assert!(newcomer.running.is_empty(), "a young leader takes nothing from anybody");
    let mut back = Worker { client: Worker::new(&node, 'a').client, ..worker };
    let reply = back.beat().await;
    assert!(reply.unknown_worker && reply.unchanged);
    back.register().await;
    assert!(!back.beat().await.unknown_worker);
    assert_eq!(epochs(&back), before);
    node.stop().await;
}

#[tokio::test]
async fn nonsense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder).await;
    let mut worker = Worker::new(&node, 'a');
    let status = worker.client.heartbeat(HeartbeatRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let request = RegisterRequest { worker_id: "../../etc".to_owned(), ..RegisterRequest::default() };
    assert_eq!(worker.client.register(request).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    node.stop().await;
}
