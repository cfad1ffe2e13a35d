//! A coordinator that answers what it was told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use harrier_proto::harrier::v1::coordinator_server::{Coordinator, CoordinatorServer};
use harrier_proto::harrier::v1::{
    HeartbeatReply, HeartbeatRequest, LeaveReply, LeaveRequest, RegisterReply, RegisterRequest,
    SenderAssignment, SourceLog,
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

pub const LEASE_MS: u64 = 600;

#[derive(Default)]
pub struct Script {
    pub desired: Vec<SenderAssignment>,
    pub desired_version: u64,
    /// Workers that are known.
    pub known: Vec<String>,
    pub refuse: bool,
    /// Added to the sequence that is echoed.
    pub sequence_shift: u64,
    pub registrations: usize,
    pub beats: Vec<HeartbeatRequest>,
    pub leaves: Vec<LeaveRequest>,
}

#[derive(Clone, Default)]
pub struct FakeCoordinator(Arc<Mutex<Script>>);

impl FakeCoordinator {
    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    pub fn desire(&self, desired: Vec<SenderAssignment>) {
        let mut script = self.script();
        script.desired = desired;
        script.desired_version += 1;
    }

    pub async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder().add_service(CoordinatorServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }
}

#[tonic::async_trait]
impl Coordinator for FakeCoordinator {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<RegisterReply>, Status> {
        let mut script = self.script();
        if script.refuse {
            return Err(Status::unavailable("not the leader"));
        }
        script.registrations += 1;
        script.known.push(request.into_inner().worker_id);
        let source_log = Some(SourceLog { kind: "nats".into(), ..Default::default() });
        Ok(Response::new(RegisterReply { heartbeat_ms: 20, lease_ms: LEASE_MS, source_log }))
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatReply>, Status> {
        let request = request.into_inner();
        let mut script = self.script();
        if script.refuse {
            return Err(Status::unavailable("not the leader"));
        }
        let unchanged = request.desired_version == script.desired_version;
        let reply = HeartbeatReply {
            sequence: request.sequence.wrapping_add(script.sequence_shift),
            unknown_worker: !script.known.contains(&request.worker_id),
            desired_version: script.desired_version,
            unchanged,
            desired: if unchanged { Vec::new() } else { script.desired.clone() },
            horizons: Vec::new(),
            beat_again_ms: 0,
            looks: Vec::new(),
            paces: Vec::new(),
        };
        script.beats.push(request);
        Ok(Response::new(reply))
    }

    async fn leave(&self, request: Request<LeaveRequest>) -> Result<Response<LeaveReply>, Status> {
        let mut script = self.script();
        if script.refuse {
            return Err(Status::unavailable("not the leader"));
        }
        script.leaves.push(request.into_inner());
        Ok(Response::new(LeaveReply {}))
    }
}
