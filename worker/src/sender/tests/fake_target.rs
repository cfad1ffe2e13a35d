//! The model of the target behind a real gRPC server, which refuses, breaks off and stalls as it is told.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use harrier_proto::common::Status as MilvusStatus;
use harrier_proto::milvus::{ReplicateMessageRequest, ReplicateMessageResponse};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::sender::core::tests::random::Random;
use crate::sender::core::tests::target::Target;

/// What the target does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// It takes writes of its own users.
    Primary,
    /// Every third call or so is refused, broken off midway, or answered too late.
    Flaky,
}

pub(super) struct State {
    pub target: Target,
    pub mood: Mood,
    pub calls: usize,
    random: Random,
    written: u64,
}

#[derive(Clone)]
pub(super) struct FakeTarget {
    state: Arc<Mutex<State>>,
}

impl FakeTarget {
    /// Starts to serve; gives the address too.
    pub(super) async fn start(mood: Mood) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let state = State { target: Target::default(), mood, calls: 0, random: Random::new(7), written: 0 };
        let service = Self { state: Arc::new(Mutex::new(state)) };
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = tonic::transport::Server::builder().add_service(service.clone());
        tokio::spawn(server.serve_with_incoming(incoming));
        (service, uri)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn replicate(&self, request: ReplicateMessageRequest) -> Result<ReplicateMessageResponse, Status> {
        let fate = self.state().decide();
        if self.state().mood == Mood::Primary {
            return Ok(refusal(1900, "replicate is not allowed"));
        }
        if request.channel_name.is_empty() {
            return Ok(refusal(1100, "invalid channel name"));
        }
        match fate {
            0 => return Ok(refusal(65535, "SegmentIDAllocator failRemainRequest")),
            1 => {
                self.state().execute_partly(&request);
                return Err(Status::unavailable("broken off on purpose"));
            }
            2 => {
                self.state().execute_partly(&request);
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            _ => {}
        }
        let mut state = self.state();
        state.calls += 1;
        state.written += request.msgs.len() as u64;
        state.target.execute(&request, usize::MAX);
        let position = base64_of(&state.written.to_le_bytes());
        Ok(ReplicateMessageResponse { status: Some(MilvusStatus::default()), position })
    }
}

impl State {
    fn decide(&mut self) -> usize {
        if self.mood == Mood::Flaky { self.random.index(12) } else { usize::MAX }
    }

    fn execute_partly(&mut self, request: &ReplicateMessageRequest) {
        let count = self.random.index(request.msgs.len() + 1);
        self.written += count as u64;
        self.target.execute(request, count);
    }
}

fn refusal(code: i32, reason: &str) -> ReplicateMessageResponse {
    let status = MilvusStatus { code, reason: reason.to_owned(), ..Default::default() };
    ReplicateMessageResponse { status: Some(status), ..Default::default() }
}

/// Eight bytes: eleven characters and a pad.
fn base64_of(bytes: &[u8; 8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let number = u128::from(u64::from_be_bytes(*bytes)) << 2;
    let digits = (0..11).rev().map(|place| char::from(ALPHABET[(number >> (6 * place)) as usize & 63]));
    digits.chain(['=']).collect()
}

impl NamedService for FakeTarget {
    const NAME: &'static str = "milvus.proto.milvus.MilvusService";
}

impl tonic::codegen::Service<http::Request<Body>> for FakeTarget {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let handler = Handler(self.clone());
        async move {
            let codec = ProstCodec::<ReplicateMessageResponse, ReplicateMessageRequest>::default();
            Ok(Grpc::new(codec).max_decoding_message_size(64 << 20).unary(handler, request).await)
        }
        .boxed()
    }
}

struct Handler(FakeTarget);

impl UnaryService<ReplicateMessageRequest> for Handler {
    type Response = ReplicateMessageResponse;
    type Future = BoxFuture<'static, Result<Response<ReplicateMessageResponse>, Status>>;

    fn call(&mut self, request: Request<ReplicateMessageRequest>) -> Self::Future {
        let target = self.0.clone();
        async move { target.replicate(request.into_inner()).await.map(Response::new) }.boxed()
    }
}
