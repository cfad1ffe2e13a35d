//! A broker that holds one topic and does what a test wants: it cuts connections, trims, refuses.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{Bytes, BytesMut};
use harrier_proto::common::{MsgBase, MsgHeader, MsgType};
use harrier_proto::pulsar::command_lookup_topic_response::LookupType;
use harrier_proto::pulsar::{
    BaseCommand, CommandCloseConsumer, CommandConnected, CommandError, CommandGetLastMessageIdResponse,
    CommandLookupTopicResponse, CommandMessage, CommandSubscribe, CommandSuccess, MessageIdData,
    MessageMetadata,
};
use prost::Message as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

use super::super::entry::samples::batch;
use super::super::frame::samples::entry_bytes;
use super::super::frame::{decode, encode};

/// A recorded topic: ledger, entry, and the payloads of its batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Topic {
    pub entries: Vec<(i64, i64, Vec<Bytes>)>,
}

impl Topic {
    /// So many entries in each ledger; every third holds two messages.
    pub fn of(ledgers: &[(i64, i64)]) -> Self {
        let mut topic = Self::default();
        for (ledger, count) in ledgers {
            for _ in 0..*count {
                topic.push(*ledger, format!("message {}", topic.entries.len()).as_bytes());
            }
        }
        topic
    }

    pub fn push(&mut self, ledger: i64, payload: &[u8]) {
        let entry = self.entries.last().filter(|last| last.0 == ledger).map_or(0, |last| last.1 + 1);
        let count = if self.entries.len() % 3 == 2 { 2 } else { 1 };
        self.entries.push((ledger, entry, vec![Bytes::copy_from_slice(payload); count]));
    }

    pub fn push_ticks(&mut self, ledger: i64, count: usize) {
        let base = MsgBase { msg_type: MsgType::TimeTick as i32, ..MsgBase::default() };
        let tick = MsgHeader { base: Some(base) }.encode_to_vec();
        (0..count).for_each(|_| self.push(ledger, &tick));
    }

    /// Position and payload of every message.
    pub fn shown(&self) -> Vec<String> {
        let mut shown = Vec::new();
        for (ledger, entry, payloads) in &self.entries {
            for (index, payload) in payloads.iter().enumerate() {
                shown.push(format!("{ledger}:{entry}:{index} {}", String::from_utf8_lossy(payload)));
            }
        }
        shown
    }
}

#[derive(Default)]
pub(super) struct State {
    pub topic: Topic,
    /// A connection ends after it sent this many entries beyond the first.
    pub cut_after: Option<usize>,
    /// With the second subscription of a connection the ledgers below this one go.
    pub trim_when_asked_again: Option<i64>,
    /// Subscriptions are refused with this error.
    pub refuse_subscriptions: Option<i32>,
    pub subscribed: Vec<CommandSubscribe>,
}

pub(super) struct Broker {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    close: broadcast::Sender<()>,
}

impl Broker {
    pub async fn start(topic: Topic) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { topic, ..State::default() }));
        let (close, _) = broadcast::channel(1);
        let (shared, closing) = (state.clone(), close.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let session = Session {
                    stream,
                    state: shared.clone(),
                    url: format!("pulsar://{address}"),
                    consumer: None,
                    subscriptions: 0,
                    sent: 0,
                };
                tokio::spawn(session.serve(closing.subscribe()));
            }
        });
        Self { address, state, close }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn close_consumers(&self) {
        self.close.send(()).unwrap();
    }
}

struct Session {
    stream: TcpStream,
    state: Arc<Mutex<State>>,
    url: String,
    /// Its number, and the ledger and entry that are due.
    consumer: Option<(u64, (i64, i64))>,
    subscriptions: usize,
    sent: usize,
}

impl Session {
    async fn serve(mut self, mut close: broadcast::Receiver<()>) {
        let mut buffer = BytesMut::new();
        loop {
            while let Some(frame) = take_frame(&mut buffer) {
                let (command, _) = decode(frame).unwrap();
                if !self.answer(command).await {
                    // A hard end would take back what is on its way.
                    let _ = self.stream.shutdown().await;
                    while matches!(self.stream.read_buf(&mut buffer).await, Ok(1..)) {}
                    return;
                }
            }
            tokio::select! {
                read = self.stream.read_buf(&mut buffer) => if !matches!(read, Ok(1..)) { return },
                _ = close.recv() => {
                    let (consumer_id, request_id) = (self.consumer.unwrap().0, 0);
                    let close = CommandCloseConsumer { consumer_id, request_id };
                    self.send(BaseCommand { close_consumer: Some(close), ..BaseCommand::default() }, &[]).await;
                }
            }
        }
    }

    /// False ends the connection.
    async fn answer(&mut self, command: BaseCommand) -> bool {
        let mut reply = BaseCommand::default();
        if command.connect.is_some() {
            reply.connected = Some(CommandConnected { server_version: "test".into(), ..Default::default() });
        } else if let Some(lookup) = command.lookup_topic {
            reply.lookup_topic_response = Some(CommandLookupTopicResponse {
                broker_service_url: Some(self.url.clone()),
                response: Some(LookupType::Connect as i32),
                request_id: lookup.request_id,
                ..Default::default()
            });
        } else if let Some(subscribe) = command.subscribe {
            self.subscribe(subscribe, &mut reply);
        } else if let Some(get) = command.get_last_message_id {
            let last =
                self.state.lock().unwrap().topic.entries.last().map(|(ledger, entry, _)| id(*ledger, *entry));
            let last_message_id = last.unwrap_or(id(-1, -1));
            reply.get_last_message_id_response =
                Some(CommandGetLastMessageIdResponse { last_message_id, request_id: get.request_id });
        } else if let Some(close) = command.close_consumer {
            reply.success = Some(CommandSuccess { request_id: close.request_id });
        } else if let Some(flow) = command.flow {
            return self.deliver(flow.message_permits).await;
        } else if command.ping.is_some() {
            reply.pong = Some(Default::default());
        } else {
            return true;
        }
        self.send(reply, &[]).await
    }

    fn subscribe(&mut self, subscribe: CommandSubscribe, reply: &mut BaseCommand) {
        let mut state = self.state.lock().unwrap();
        self.subscriptions += 1;
        let request_id = subscribe.request_id;
        if let Some(error) = state.refuse_subscriptions {
            reply.error = Some(CommandError { request_id, error, message: "no".into() });
            return;
        }
        if let Some(ledger) = state.trim_when_asked_again.filter(|_| self.subscriptions > 1) {
            state.topic.entries.retain(|(of, ..)| *of >= ledger);
        }
        let start = subscribe.start_message_id.as_ref().unwrap();
        let due = (start.ledger_id.cast_signed(), start.entry_id.cast_signed());
        self.consumer = Some((subscribe.consumer_id, due));
        state.subscribed.push(subscribe);
        reply.success = Some(CommandSuccess { request_id });
    }

    /// As a broker does: the first entry at or behind the one that is due, whichever that is.
    async fn deliver(&mut self, permits: u32) -> bool {
        for _ in 0..permits {
            let Some((consumer_id, due)) = self.consumer else { return true };
            let (found, cut_after) = {
                let state = self.state.lock().unwrap();
                let entries = &state.topic.entries;
                (entries.iter().find(|(ledger, entry, _)| (*ledger, *entry) >= due).cloned(), state.cut_after)
            };
            let Some((ledger, entry, payloads)) = found else { return true };
            self.consumer = Some((consumer_id, (ledger, entry + 1)));
            let singles: Vec<_> = payloads.iter().map(|payload| (Vec::new(), payload.as_ref())).collect();
            let metadata = MessageMetadata {
                producer_name: "milvus".into(),
                num_messages_in_batch: Some(i32::try_from(payloads.len()).unwrap()),
                ..Default::default()
            };
            let message = CommandMessage { consumer_id, message_id: id(ledger, entry) };
            let command = BaseCommand { message: Some(message), ..BaseCommand::default() };
            if !self.send(command, &entry_bytes(&metadata, &batch(&singles), false)).await {
                return false;
            }
            self.sent += 1;
            if cut_after.is_some_and(|entries| self.sent > entries) {
                return false;
            }
        }
        true
    }

    async fn send(&mut self, command: BaseCommand, behind: &[u8]) -> bool {
        let mut frame = encode(&command).to_vec();
        let length = u32::try_from(frame.len() - 4 + behind.len()).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        frame.extend(behind);
        self.stream.write_all(&frame).await.is_ok()
    }
}

fn id(ledger: i64, entry: i64) -> MessageIdData {
    MessageIdData { ledger_id: ledger.cast_unsigned(), entry_id: entry.cast_unsigned(), ..Default::default() }
}

fn take_frame(buffer: &mut BytesMut) -> Option<Bytes> {
    let length = u32::from_be_bytes(*buffer.first_chunk::<4>()?) as usize;
    (buffer.len() >= 4 + length).then(|| buffer.split_to(4 + length).freeze().slice(4..))
}
