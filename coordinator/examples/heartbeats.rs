//! Workers that only speak: each registers, beats, and reports progress of every sender that it is given, as a real one
//! does. `heartbeats SECRET_FILE WORKERS SECONDS ADDRESS...`; prints how long the answers take.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harrier_cluster::{ClusterSecret, Prove, leader_hint};
use harrier_proto::harrier::v1::coordinator_client::CoordinatorClient;
use harrier_proto::harrier::v1::{
    HeartbeatRequest, RegisterRequest, SenderAssignment, SenderPhase, SenderReport, ShardCheckpoint,
    ShardReport,
};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

type Client = CoordinatorClient<InterceptedService<Channel, Prove>>;

/// Until all are there and everything is assigned, nothing is counted.
const WARM_UP: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_millis(700);

#[derive(Default)]
struct Counts {
    microseconds: Mutex<Vec<u64>>,
    failed: AtomicU64,
    senders: AtomicU64,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [secret, workers, seconds, addresses @ ..] = arguments.as_slice() else {
        return println!("usage: heartbeats SECRET_FILE WORKERS SECONDS ADDRESS...");
    };
    let secret = ClusterSecret::load(Path::new(secret)).unwrap();
    let (workers, seconds): (u64, u64) = (workers.parse().unwrap(), seconds.parse().unwrap());
    let counts = Arc::new(Counts::default());
    let begin = Instant::now();
    let end = begin + WARM_UP + Duration::from_secs(seconds);
    let mut running = tokio::task::JoinSet::new();
    for number in 0..workers {
        let worker = Worker {
            id: format!("{number:032x}"),
            addresses: addresses.to_vec(),
            current: usize::try_from(number).unwrap() % addresses.len(),
            prove: Prove::new(Some(&secret)),
            counts: counts.clone(),
            count_from: begin + WARM_UP,
            client: None,
        };
        running.spawn(worker.run(end));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while running.join_next().await.is_some() {}
    let mut taken = std::mem::take(&mut *counts.microseconds.lock().unwrap());
    taken.sort_unstable();
    let at = |percent: usize| taken.get(taken.len() * percent / 100).copied().unwrap_or(0) as f64 / 1_000.0;
    let per_second = taken.len() as f64 / seconds as f64;
    println!(
        "{workers} workers, {} senders, {per_second:.0} heartbeats/s: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms, {} failed",
        counts.senders.load(Ordering::Relaxed),
        at(50),
        at(99),
        taken.last().copied().unwrap_or(0) as f64 / 1_000.0,
        counts.failed.load(Ordering::Relaxed),
    );
}

struct Worker {
    id: String,
    addresses: Vec<String>,
    current: usize,
    prove: Prove,
    counts: Arc<Counts>,
    count_from: Instant,
    client: Option<Client>,
}

impl Worker {
    async fn run(mut self, end: Instant) {
        let (mut registered, mut sequence, mut version) = (false, 0, 0);
        let mut interval = Duration::from_millis(250);
        let mut senders: Vec<SenderAssignment> = Vec::new();
        while Instant::now() < end {
            if !registered {
                let request = RegisterRequest { worker_id: self.id.clone(), ..RegisterRequest::default() };
                let mut client = self.client();
                let answer = tokio::time::timeout(PATIENCE, client.register(request)).await;
                match answer {
                    Ok(Ok(reply)) => {
                        registered = true;
                        interval = Duration::from_millis(reply.into_inner().heartbeat_ms);
                    }
                    Ok(Err(status)) => self.turn(leader_hint(&status)),
                    Err(_) => self.turn(None),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            sequence += 1;
            let request = HeartbeatRequest {
                worker_id: self.id.clone(),
                sequence,
                desired_version: version,
                senders: senders.iter().map(report).collect(),
                ..HeartbeatRequest::default()
            };
            let mut client = self.client();
            let asked = Instant::now();
            match tokio::time::timeout(PATIENCE, client.heartbeat(request)).await {
                Ok(Ok(reply)) => {
                    self.count(asked);
                    let reply = reply.into_inner();
                    registered = !reply.unknown_worker;
                    if !reply.unchanged {
                        self.counts.senders.fetch_add(reply.desired.len() as u64, Ordering::Relaxed);
                        self.counts.senders.fetch_sub(senders.len() as u64, Ordering::Relaxed);
                        senders = reply.desired;
                        version = reply.desired_version;
                    }
                }
                Ok(Err(status)) => self.failed(leader_hint(&status)),
                Err(_) => self.failed(None),
            }
            tokio::time::sleep(interval).await;
        }
    }

    fn count(&self, asked: Instant) {
        if asked >= self.count_from {
            let taken = u64::try_from(asked.elapsed().as_micros()).unwrap();
            self.counts.microseconds.lock().unwrap().push(taken);
        }
    }

    fn failed(&mut self, leader: Option<&str>) {
        if Instant::now() >= self.count_from {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.turn(leader);
    }

    fn turn(&mut self, leader: Option<&str>) {
        let known = leader.and_then(|leader| self.addresses.iter().position(|address| address == leader));
        self.current = known.unwrap_or((self.current + 1) % self.addresses.len());
        self.client = None;
    }

    fn client(&mut self) -> Client {
        let make = || {
            let uri = format!("http://{}", self.addresses[self.current]);
            let channel = Endpoint::from_shared(uri).unwrap().connect_lazy();
            CoordinatorClient::with_interceptor(channel, self.prove.clone())
                .max_decoding_message_size(64 << 20)
        };
        self.client.get_or_insert_with(make).clone()
    }
}

/// A sender that is where the present is.
fn report(assignment: &SenderAssignment) -> SenderReport {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let now = now_ms << 18;
    let shard = |shard: &harrier_proto::harrier::v1::ShardAssignment| ShardReport {
        shard_id: shard.shard_id.clone(),
        checkpoint: Some(ShardCheckpoint {
            position: now_ms.to_be_bytes().to_vec().into(),
            tick: now,
            joined: true,
            ..ShardCheckpoint::default()
        }),
        confirmed: now,
        ..ShardReport::default()
    };
    SenderReport {
        sender_id: assignment.sender_id.clone(),
        epoch: assignment.epoch,
        input_version: assignment.input_version,
        phase: SenderPhase::Running as i32,
        clock: now,
        wanted_horizon: now + (5_000 << 18),
        takeover_clock: assignment.takeover_clock,
        tick: now,
        settled_version: assignment.input_version,
        ticked_version: assignment.input_version,
        shards: assignment.shards.iter().map(shard).collect(),
        ..SenderReport::default()
    }
}
