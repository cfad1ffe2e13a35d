//! The model of the target behind a real gRPC server, which refuses, breaks off and stalls as it is told.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use harrier_milvus::tso;
use harrier_proto::common::Status as MilvusStatus;
use harrier_proto::milvus::{
    AllocTimestampRequest, AllocTimestampResponse, FlushRequest, FlushResponse, ReplicateMessageRequest,
    ReplicateMessageResponse,
};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::message::{Head, read_head};
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
    /// It does not know the collection of this id.
    Lacks(i64),
    /// Between the first two calls, which there are because calls are small, somebody else writes this many messages.
    Shared(u64),
}

pub(super) struct State {
    pub target: Target,
    pub mood: Mood,
    pub calls: usize,
    /// Unix milliseconds that its clock shows; none = it does not tell, and refuses nothing for it.
    pub clock_ms: Option<u64>,
    /// Calls that were refused because they lay too far ahead of its clock.
    pub too_early: usize,
    /// Somebody else's messages, so far.
    pub foreign: u64,
    /// Flushes of a collection.
    pub flushes: usize,
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
        let state = State {
            target: Target::default(),
            mood,
            calls: 0,
            clock_ms: None,
            too_early: 0,
            foreign: 0,
            flushes: 0,
            random: Random::new(7),
            written: 0,
        };
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
        if let Mood::Lacks(collection) = self.state().mood
            && has_insert(&request, collection)
        {
            return Ok(refusal(65535, "SegmentIDAllocator failRemainRequest"));
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
        if state.is_too_early(&request) {
            state.too_early += 1;
            return Ok(refusal(65535, "SegmentIDAllocator failRemainRequest"));
        }
        if let (Mood::Shared(messages), 1) = (state.mood, state.calls) {
            state.foreign = messages;
        }
        state.calls += 1;
        state.written += request.msgs.len() as u64;
        state.target.execute(&request, usize::MAX);
        let position = base64_of(&(state.written + state.foreign).to_le_bytes());
        Ok(ReplicateMessageResponse { status: Some(MilvusStatus::default()), position })
    }
}

impl State {
    fn decide(&mut self) -> usize {
        if self.mood == Mood::Flaky { self.random.index(12) } else { usize::MAX }
    }

    /// As measured: 1.9 s ahead passes, 2.5 s does not, and ticks alone always pass.
    fn is_too_early(&self, request: &ReplicateMessageRequest) -> bool {
        let ahead = |clock_ms: u64| tso::physical_ms(request.end_ts) >= clock_ms + 2000;
        self.clock_ms.is_some_and(ahead) && request.msgs.len() > 1
    }

    fn tell_clock(&self) -> AllocTimestampResponse {
        match self.clock_ms {
            Some(clock_ms) => AllocTimestampResponse {
                status: Some(MilvusStatus::default()),
                timestamp: tso::compose(clock_ms, 0),
            },
            None => AllocTimestampResponse { status: refusal(65535, "no clock").status, timestamp: 0 },
        }
    }

    fn execute_partly(&mut self, request: &ReplicateMessageRequest) {
        let count = self.random.index(request.msgs.len() + 1);
        self.written += count as u64;
        self.target.execute(request, count);
    }
}

fn has_insert(request: &ReplicateMessageRequest, collection: i64) -> bool {
    let mut heads = request.msgs.iter().map(|bytes| read_head(bytes).unwrap());
    heads.any(|head| matches!(head, Head::Insert(rows) if rows.collection_id == collection))
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
            if request.uri().path().ends_with("/Flush") {
                let codec = ProstCodec::<FlushResponse, FlushRequest>::default();
                return Ok(Grpc::new(codec).unary(Flush(handler.0), request).await);
            }
            if request.uri().path().ends_with("/AllocTimestamp") {
                let codec = ProstCodec::<AllocTimestampResponse, AllocTimestampRequest>::default();
                return Ok(Grpc::new(codec).unary(Clock(handler.0), request).await);
            }
            if !request.uri().path().ends_with("/ReplicateMessage") {
                return Ok(Status::unimplemented("not modelled").into_http());
            }
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

struct Clock(FakeTarget);

impl UnaryService<AllocTimestampRequest> for Clock {
    type Response = AllocTimestampResponse;
    type Future = BoxFuture<'static, Result<Response<AllocTimestampResponse>, Status>>;

    fn call(&mut self, _: Request<AllocTimestampRequest>) -> Self::Future {
        let answer = self.0.state().tell_clock();
        async move { Ok(Response::new(answer)) }.boxed()
    }
}

struct Flush(FakeTarget);

impl UnaryService<FlushRequest> for Flush {
    type Response = FlushResponse;
    type Future = BoxFuture<'static, Result<Response<FlushResponse>, Status>>;

    fn call(&mut self, request: Request<FlushRequest>) -> Self::Future {
        self.0.state().flushes += request.into_inner().collection_names.len();
        let status = Some(MilvusStatus::default());
        async move { Ok(Response::new(FlushResponse { status, ..Default::default() })) }.boxed()
    }
}
