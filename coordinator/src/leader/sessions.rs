//! What workers call: the service `Coordinator` of `worker.proto`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harrier_cluster::not_leader;
use harrier_proto::harrier::v1::coordinator_server::Coordinator;
use harrier_proto::harrier::v1::{
    HeartbeatReply, HeartbeatRequest, LeaveReply, LeaveRequest, Look, RegisterReply, RegisterRequest,
    SenderPhase, SenderReport,
};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::leadership_check::NotLeading;
use super::leading::Leading;
use super::pending::is_final;
use super::reach::look_of;
use super::release::Assignment;
use super::wall_clock::now_ms;
use super::workers::{Beat, HURRY, Hello, WorkerRefusal};
use crate::raft::Registry;

/// Longest text that a worker may give about itself, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// The present leader, if it is here.
pub(crate) type CurrentLeader = watch::Receiver<Option<Arc<Leading>>>;

/// Answers workers while this node leads, and sends them on otherwise.
#[derive(Clone)]
pub(crate) struct Sessions {
    current: CurrentLeader,
    registry: Registry,
}

impl Sessions {
    pub(crate) fn new(current: CurrentLeader, registry: Registry) -> Self {
        Self { current, registry }
    }

    fn leading(&self) -> Result<Arc<Leading>, Status> {
        self.current.borrow().clone().ok_or_else(|| {
            let leader = self.registry.other_leader().map(|peer| peer.grpc_address);
            not_leader(NotLeading.to_string(), leader.as_deref())
        })
    }
}

#[tonic::async_trait]
impl Coordinator for Sessions {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<RegisterReply>, Status> {
        let leading = self.leading()?;
        let address = request.remote_addr().map(|address| address.to_string()).unwrap_or_default();
        let request = request.into_inner();
        check_worker_id(&request.worker_id)?;
        if request.description.len() > TEXT_BYTES_MAX || request.version.len() > TEXT_BYTES_MAX {
            return Err(Status::invalid_argument(format!(
                "description and version may have at most {TEXT_BYTES_MAX} bytes each"
            )));
        }
        let RegisterRequest { worker_id, description, version } = request;
        let now = (Instant::now(), now_ms());
        let hello = Hello { description: &description, version: &version, address: &address };
        leading.shared.workers().register(&worker_id, hello, now)?;
        leading.check.confirm().await?;
        tracing::info!(worker_id, description, version, address, "worker registered");
        leading.plan_now.notify_one();
        Ok(Response::new(RegisterReply {
            heartbeat_ms: millis(leading.times.heartbeat),
            lease_ms: millis(leading.times.lease),
            source_log: Some(leading.source_log.clone()),
        }))
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatReply>, Status> {
        let leading = self.leading()?;
        let request = request.into_inner();
        check_worker_id(&request.worker_id)?;
        Ok(Response::new(heartbeat(&leading, request).await?))
    }

    async fn leave(&self, request: Request<LeaveRequest>) -> Result<Response<LeaveReply>, Status> {
        let leading = self.leading()?;
        let LeaveRequest { worker_id, senders } = request.into_inner();
        check_worker_id(&worker_id)?;
        leading.shared.workers().drain(&worker_id);
        if let Some(batch) = take_reports(&leading, &worker_id, senders)
            && !leading.wait_committed(batch, leading.times.lease).await
        {
            return Err(Status::unavailable("the final reports could not be committed yet: leave again"));
        }
        leading.check.confirm().await?;
        leading.shared.workers().leave(&worker_id);
        leading.plan_now.notify_one();
        tracing::info!(worker_id, "worker left");
        Ok(Response::new(LeaveReply {}))
    }
}

async fn heartbeat(leading: &Leading, request: HeartbeatRequest) -> Result<HeartbeatReply, Status> {
    let now = Instant::now();
    let beat = Beat {
        sequence: request.sequence,
        draining: request.draining,
        buffered_bytes: request.buffered_bytes,
        desired_version: request.desired_version,
    };
    let touched = leading.shared.workers().touch(&request.worker_id, &beat, (now, now_ms()))?;
    let plan_now = touched.newest && note_sights(leading, &request, now);
    if touched.changed || plan_now {
        leading.plan_now.notify_one();
    }
    let reported: BTreeSet<Assignment> =
        request.senders.iter().map(|report| (report.sender_id.clone(), report.epoch)).collect();
    let mut last_words = None;
    if touched.newest {
        let any_last_word = request.senders.iter().any(is_final);
        let batch = take_reports(leading, &request.worker_id, request.senders);
        last_words = batch.filter(|_| any_last_word);
    }
    leading.check.confirm().await?;
    if let Some(batch) = last_words {
        // The worker will not repeat them. It must not wait for long either: its lease depends on this answer.
        leading.wait_committed(batch, leading.times.heartbeat).await;
    }
    let answer = leading.desired.answer(&leading.connections, &request.worker_id, request.desired_version);
    if touched.newest {
        let mut traffic = leading.shared.traffic();
        request.traffic.into_iter().for_each(|sample| traffic.add(sample));
        drop(traffic);
        let obeys = request.desired_version == answer.version;
        leading.shared.releases().observe(&answer.expected, obeys, &reported, now);
    }
    Ok(HeartbeatReply {
        sequence: request.sequence,
        unknown_worker: !touched.known,
        desired_version: answer.version,
        unchanged: answer.desired.is_none(),
        desired: answer.desired.unwrap_or_default(),
        horizons: answer.horizons,
        beat_again_ms: beat_again_ms(leading, now),
        looks: looks(leading, &request.worker_id, now),
        paces: answer.paces,
    })
}

/// New owners are told with their next heartbeat, and nobody sends until then.
fn beat_again_ms(leading: &Leading, now: Instant) -> u64 {
    let reach = leading.times.heartbeat + leading.times.plan_interval;
    let urgent = leading.shared.reach().is_urgent(now);
    let hurry = leading.shared.workers().should_hurry(now, reach, urgent);
    if hurry { millis(leading.times.heartbeat / HURRY) } else { 0 }
}

/// Whether the next plan should see at once what the worker says of the servers that it needs.
fn note_sights(leading: &Leading, request: &HeartbeatRequest, now: Instant) -> bool {
    let mut reach = leading.shared.reach();
    let changed = reach.put(&request.worker_id, &request.sights, (now, now_ms()));
    changed || (request.sights.iter().any(|sight| sight.lost) && reach.is_urgent(now))
}

/// What the worker is asked to look at, with the way there.
fn looks(leading: &Leading, worker_id: &str, now: Instant) -> Vec<Look> {
    let places = leading.shared.reach().looks(worker_id, now);
    if places.is_empty() {
        return Vec::new();
    }
    let connections = leading.connections.connections();
    places.iter().filter_map(|place| look_of(place, &connections)).collect()
}

/// Answers the number of the batch that they will be committed with; `None` if there are none.
fn take_reports(leading: &Leading, worker_id: &str, reports: Vec<SenderReport>) -> Option<u64> {
    let reported_ms = now_ms();
    let mut missing_changed = false;
    let mut hurry = false;
    let mut batch = None;
    for report in reports {
        if report.phase() == SenderPhase::Abandoned {
            // Nothing of it is sent any more, and nothing more will be said.
            leading.shared.releases().abandon((report.sender_id, report.epoch));
            leading.plan_now.notify_one();
            continue;
        }
        missing_changed |= leading.shared.board().put(worker_id, &report, reported_ms);
        note_counts(leading, &report, reported_ms);
        hurry |= is_final(&report);
        batch = Some(leading.shared.pending().put(worker_id, report));
    }
    if missing_changed {
        leading.view.missing_has_changed();
    }
    if hurry {
        leading.commit_now.notify_one();
    }
    batch
}

/// To a former owner its successor is somebody else.
fn note_counts(leading: &Leading, report: &SenderReport, reported_ms: u64) {
    let epoch = leading.shared.board().get(&report.sender_id).map(|info| info.epoch);
    if epoch == Some(report.epoch) {
        leading.shared.foreign().put(report, reported_ms);
        leading.shared.uncertain().put(report);
    }
}

fn check_worker_id(worker_id: &str) -> Result<(), Status> {
    let fits = worker_id.len() == 32 && worker_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { Ok(()) } else { Err(Status::invalid_argument("worker_id must be 32 hex characters")) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<NotLeading> for Status {
    fn from(error: NotLeading) -> Self {
        not_leader(error.to_string(), None)
    }
}

impl From<WorkerRefusal> for Status {
    fn from(refusal: WorkerRefusal) -> Self {
        match refusal {
            WorkerRefusal::Fenced => Self::unavailable(refusal.to_string()),
            WorkerRefusal::TooMany => Self::resource_exhausted(refusal.to_string()),
        }
    }
}
