//! A broker that holds one topic `c` and does what a test wants: it cuts connections, trims, asks for a login.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::batch::samples::Sample;
use super::super::connection::put_string;
use super::super::input::Input;

const TOPIC: &str = "c";
const OUT_OF_RANGE: i16 = 1;
const UNKNOWN_TOPIC: i16 = 3;
const AUTHENTICATION_FAILED: i16 = 58;

pub(super) struct State {
    pub batches: Vec<Sample>,
    /// The oldest offset that it holds.
    pub begin: i64,
    pub batches_per_answer: usize,
    /// A connection ends after so many.
    pub batches_per_connection: Option<usize>,
    /// The one login by PLAIN that it takes.
    pub login: Option<String>,
}

impl State {
    fn end(&self) -> i64 {
        self.batches.last().map_or(self.begin, |last| last.first + i64::from(last.last_delta) + 1)
    }
}

pub(super) struct Broker {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Broker {
    pub async fn start(batches: Vec<Sample>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let begin = batches.first().map_or(0, |first| first.first);
        let state = State {
            batches,
            begin,
            batches_per_answer: usize::MAX,
            batches_per_connection: None,
            login: None,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone(), address));
            }
        });
        Self { address, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>, address: SocketAddr) {
    let mut sent = 0;
    while let Ok(length) = stream.read_u32().await {
        let mut request = vec![0; length as usize];
        stream.read_exact(&mut request).await.unwrap();
        let mut request = Input(Bytes::from(request));
        let (key, version, number) = (request.i16().unwrap(), request.i16().unwrap(), request.i32().unwrap());
        assert_eq!(request.string().unwrap(), "harrier");
        let mut body = BytesMut::new();
        body.put_i32(number);
        match key {
            18 => versions(&mut body),
            17 => handshake(&mut body),
            36 => log_in(&mut body, &mut request, &state.lock().unwrap()),
            3 => metadata(&mut body, &mut request, address),
            2 => offsets(&mut body, &mut request, &state.lock().unwrap()),
            1 => {
                let left = state.lock().unwrap().batches_per_connection.map(|most| most - sent);
                let came = fetch(&mut body, &mut request, version, &state.lock().unwrap(), left);
                sent += came;
                if left == Some(0) {
                    // A hard end would take back what is on its way.
                    let _ = stream.shutdown().await;
                    while matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {}
                    return;
                }
                if came == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            other => panic!("request {other}"),
        }
        let mut frame = BytesMut::new();
        frame.put_u32(u32::try_from(body.len()).unwrap());
        frame.put_slice(&body);
        if stream.write_all(&frame).await.is_err() {
            return;
        }
    }
}

fn versions(body: &mut BytesMut) {
    body.put_i16(0);
    body.put_i32(1);
    for number in [1, 4, 17] {
        body.put_i16(number);
    }
}

fn handshake(body: &mut BytesMut) {
    body.put_i16(0);
    body.put_i32(0);
}

fn log_in(body: &mut BytesMut, request: &mut Input, state: &State) {
    let message = request.bytes().unwrap();
    let right = state.login.as_ref().is_some_and(|login| login.as_bytes() == message);
    body.put_i16(if right { 0 } else { AUTHENTICATION_FAILED });
    body.put_i16(-1);
    body.put_i32(0);
}

fn metadata(body: &mut BytesMut, request: &mut Input, address: SocketAddr) {
    let topic = request.array(Input::string).unwrap().remove(0);
    assert_eq!(request.i8().unwrap(), 0, "asking makes no topic");
    body.put_i32(0);
    body.put_i32(1);
    body.put_i32(7);
    put_string(body, &address.ip().to_string());
    body.put_i32(address.port().into());
    body.put_i16(-1);
    body.put_i16(-1);
    body.put_i32(7);
    body.put_i32(1);
    body.put_i16(if topic == TOPIC { 0 } else { UNKNOWN_TOPIC });
    put_string(body, &topic);
    body.put_i8(0);
    body.put_i32(1);
    body.put_i16(0);
    body.put_i32(0);
    body.put_i32(7);
    body.put_i32(0);
    body.put_i32(0);
}

fn offsets(body: &mut BytesMut, request: &mut Input, state: &State) {
    // Replica, one topic, its name, one partition, its number.
    request.0.advance(4 + 4 + 2 + TOPIC.len() + 4 + 4);
    let at = request.i64().unwrap();
    body.put_i32(1);
    put_string(body, TOPIC);
    body.put_i32(1);
    body.put_i32(0);
    body.put_i16(0);
    body.put_i64(-1);
    body.put_i64(if at == -2 { state.begin } else { state.end() });
}

/// How many batches it sends.
fn fetch(
    body: &mut BytesMut,
    request: &mut Input,
    version: i16,
    state: &State,
    left: Option<usize>,
) -> usize {
    assert_eq!(version, 10);
    // Replica, wait, least and most bytes, isolation, session, one topic, its name, one partition, its number, epoch.
    request.0.advance(4 + 4 + 4 + 4 + 1 + 8 + 4 + 2 + TOPIC.len() + 4 + 4 + 4);
    let offset = request.i64().unwrap();
    let error = if offset < state.begin || offset > state.end() { OUT_OF_RANGE } else { 0 };
    let count = state.batches_per_answer.min(left.unwrap_or(usize::MAX));
    let due = |sample: &&Sample| sample.first + i64::from(sample.last_delta) >= offset;
    let batches: Vec<Bytes> = match error {
        0 => state.batches.iter().filter(due).take(count).map(Sample::encode).collect(),
        _ => Vec::new(),
    };
    body.put_i32(0);
    body.put_i16(0);
    body.put_i32(0);
    body.put_i32(1);
    put_string(body, TOPIC);
    body.put_i32(1);
    body.put_i32(0);
    body.put_i16(error);
    body.put_i64(state.end());
    body.put_i64(state.end());
    body.put_i64(state.begin);
    body.put_i32(-1);
    let bytes = batches.concat();
    body.put_i32(i32::try_from(bytes.len()).unwrap());
    body.put_slice(&bytes);
    batches.len()
}
