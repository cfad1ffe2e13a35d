//! Reads one channel through an ephemeral pull consumer, and proves that nothing is missing: the numbers of the
//! stream must follow each other. Anything else ends the reader.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::{Message, StatusCode, Subscriber};
use async_trait::async_trait;
use futures::future::poll_fn;
use futures::{FutureExt, Stream};

use super::super::{LogError, LogMessage, LogReader};
use super::connection::{Connection, request_error};
use super::delivery::Delivery;
use super::position;
use super::pull::{Ended, PullBody, PullWindow};
use super::sequence::{Expected, check_start};

/// After this long without a message or a heartbeat (one per second) the server is asked again, after twice as
/// long it is given up.
const SILENCE: Duration = Duration::from_secs(2);
/// The server forgets the consumer when nobody asked it for this long.
const CONSUMER_IDLE_MAX: Duration = Duration::from_secs(60);

/// An open channel.
pub(super) struct NatsReader {
    connection: Connection,
    channel: String,
    /// Where pull requests go.
    request_subject: String,
    /// Answers to request N carry the subject `{inbox}.N` when they are statuses.
    inbox: String,
    answers: Subscriber,
    window: PullWindow,
    expected: Expected,
    /// Did not fit into the last batch.
    held: Option<LogMessage>,
    /// Found behind messages that were fit to be returned first.
    failed: Option<LogError>,
}

/// Something that the server sent.
enum Event {
    Message(LogMessage),
    /// No message, but a sign of life.
    Alive,
}

impl NatsReader {
    /// Opens behind sequence `after`, or at the oldest message.
    pub(super) async fn open(
        connection: Connection,
        channel: &str,
        after: Option<u64>,
    ) -> Result<Self, LogError> {
        let stream = connection.stream(channel).await?;
        let state = &stream.cached_info().state;
        let wanted = after.map(|after| after.saturating_add(1));
        if let Some(wanted) = wanted {
            check_start(channel, wanted, state.first_sequence, state.last_sequence)?;
        }
        let deliver_policy = match wanted {
            Some(start_sequence) => DeliverPolicy::ByStartSequence { start_sequence },
            None => DeliverPolicy::All,
        };
        let config = pull::Config {
            deliver_policy,
            ack_policy: AckPolicy::None,
            inactive_threshold: CONSUMER_IDLE_MAX,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = stream
            .create_consumer(config)
            .await
            .map_err(|error| request_error("creating a consumer", channel, &error))?;
        let name = &consumer.cached_info().name;
        let inbox = connection.client.new_inbox();
        let subscribed = connection.client.subscribe(format!("{inbox}.*")).await;
        let answers = subscribed.map_err(|error| request_error("subscribing", channel, &error))?;
        Ok(Self {
            request_subject: format!("$JS.API.CONSUMER.MSG.NEXT.{channel}.{name}"),
            connection,
            channel: channel.to_owned(),
            inbox,
            answers,
            window: PullWindow::default(),
            expected: Expected::new(wanted),
            held: None,
            failed: None,
        })
    }

    async fn wait(&mut self, bytes_max: usize) -> Result<LogMessage, LogError> {
        let mut asked_again = false;
        loop {
            while let Some(body) = self.window.due(bytes_max) {
                self.send(body).await?;
            }
            match tokio::time::timeout(SILENCE, self.event()).await {
                Ok(Ok(Event::Message(message))) => return Ok(message),
                Ok(Ok(Event::Alive)) => asked_again = false,
                Ok(Err(error)) => return Err(error),
                Err(_) if asked_again => {
                    let seconds = 2 * SILENCE.as_secs();
                    return Err(LogError::Transient(format!("{}: silent for {seconds} s", self.channel)));
                }
                Err(_) => {
                    asked_again = true;
                    self.send(self.window.body(bytes_max)).await?;
                }
            }
        }
    }

    /// Cancel safe: a request counts as sent only when it is.
    async fn send(&mut self, body: PullBody) -> Result<(), LogError> {
        let reply = format!("{}.{}", self.inbox, self.window.next_id());
        let subject = self.request_subject.clone();
        let sent = self.connection.client.publish_with_reply(subject, reply, body.to_json().into()).await;
        sent.map_err(|_| self.connection.lost_error())?;
        self.window.sent(body);
        Ok(())
    }

    async fn event(&mut self) -> Result<Event, LogError> {
        let mut lost = self.connection.lost.clone();
        tokio::select! {
            biased;
            _ = lost.wait_for(Option::is_some) => Err(self.connection.lost_error()),
            event = poll_fn(|cx| self.poll_event(cx)) => event,
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, LogError>> {
        match Pin::new(&mut self.answers).poll_next(cx) {
            Poll::Ready(Some(message)) => Poll::Ready(self.read(message)),
            Poll::Ready(None) => Poll::Ready(Err(self.connection.lost_error())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn read(&mut self, message: Message) -> Result<Event, LogError> {
        let description = message.description.as_deref().unwrap_or_default();
        match message.status.unwrap_or(StatusCode::OK) {
            StatusCode::OK => {
                self.window.on_message(message.length);
                return self.accept(message).map(Event::Message);
            }
            StatusCode::IDLE_HEARTBEAT => {}
            StatusCode::TIMEOUT | StatusCode::NOT_FOUND => self.end_request(&message, false),
            StatusCode::REQUEST_TERMINATED if description.contains("Message Size Exceeds MaxBytes") => {
                self.end_request(&message, true);
            }
            StatusCode::REQUEST_TERMINATED if description.contains("Batch Completed") => {
                self.end_request(&message, false);
            }
            StatusCode::NO_RESPONDERS => {
                return Err(LogError::Transient(format!("{}: the server forgot the consumer", self.channel)));
            }
            status => {
                return Err(LogError::Transient(format!("{}: status {status} {description}", self.channel)));
            }
        }
        Ok(Event::Alive)
    }

    fn end_request(&mut self, status: &Message, too_small: bool) {
        let header = |name: &str| status.headers.as_ref()?.get(name)?.as_str().parse().ok();
        let left = header("Nats-Pending-Messages").zip(header("Nats-Pending-Bytes"));
        let id = status.subject.rsplit_once('.').and_then(|(_, id)| id.parse().ok());
        if let Some(id) = id {
            self.window.on_end(id, Ended { too_small, left });
        }
    }

    fn accept(&mut self, message: Message) -> Result<LogMessage, LogError> {
        let delivery = message.reply.as_deref().and_then(Delivery::parse).ok_or_else(|| {
            LogError::Unsupported(format!(
                "{}: a message without stream sequence; is this JetStream?",
                self.channel
            ))
        })?;
        self.expected.accept(&self.channel, delivery)?;
        Ok(LogMessage {
            position: position::encode(delivery.stream_sequence),
            payload: message.payload,
            streaming: message.headers.is_some_and(|headers| headers.get("_v").is_some()),
        })
    }

    /// A message that has arrived already.
    fn take_arrived(&mut self) -> Option<LogMessage> {
        // Unconstrained, because tokio's budget of 128 reads per turn would cut every batch there.
        while let Some(event) = tokio::task::unconstrained(poll_fn(|cx| self.poll_event(cx))).now_or_never() {
            match event {
                Ok(Event::Message(message)) => return Some(message),
                Ok(Event::Alive) => {}
                Err(error) => {
                    self.failed = Some(error);
                    return None;
                }
            }
        }
        None
    }
}

#[async_trait]
impl LogReader for NatsReader {
    async fn next(&mut self, bytes_max: usize) -> Result<Vec<LogMessage>, LogError> {
        // Nothing may be awaited once a message is taken, or cancelling would lose it.
        let first = match (self.held.take(), self.failed.take()) {
            (Some(held), failed) => {
                self.failed = failed;
                held
            }
            (None, Some(error)) => return Err(error),
            (None, None) => self.wait(bytes_max).await?,
        };
        let mut bytes = first.payload.len();
        let mut batch = vec![first];
        while bytes < bytes_max
            && self.failed.is_none()
            && let Some(message) = self.take_arrived()
        {
            bytes += message.payload.len();
            if bytes > bytes_max {
                self.held = Some(message);
            } else {
                batch.push(message);
            }
        }
        Ok(batch)
    }
}
