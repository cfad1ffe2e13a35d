//! Reads one channel, and proves that nothing is missing: see `continuity.rs`. Anything else ends the reader.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use harrier_proto::pulsar::{BaseCommand, MessageIdData};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;

use super::super::access::LogAccess;
use super::super::{LogError, LogMessage, LogReader};
use super::connection::{Connection, REQUEST_TIMEOUT};
use super::continuity::{Continuity, Verdict, lost};
use super::flow::Flow;
use super::position::{Place, Position};
use super::{command, entry, frame, server_error, topic};

/// After this long without a byte the broker is asked whether it is there, after twice as long it is given up.
const SILENCE: Duration = Duration::from_secs(2);
/// After this long without a message the broker is asked for its newest; if none came after twice as long although
/// there are, it is given up: the subscription may be stuck.
const QUIET: Duration = Duration::from_secs(10);

/// What is asked for until the first entry has come, in bytes.
const FIRST_BYTES_MAX: usize = 64 * 1024;

/// An open channel.
pub(super) struct PulsarReader {
    connection: Connection,
    channel: String,
    topic: String,
    /// Number of the consumer on this connection; entries for another one are of a subscription that was left.
    consumer: u64,
    /// The subscription that is not confirmed yet.
    subscribing: Option<u64>,
    continuity: Continuity,
    flow: Flow,
    quiet: Quiet,
    /// Messages of entries that were read, and not handed over yet.
    ready: VecDeque<LogMessage>,
    /// Found behind messages that were fit to be returned first.
    failed: Option<LogError>,
}

/// Whether the broker holds messages back.
struct Quiet {
    since: Instant,
    /// The broker was pinged, and nothing came since.
    pinged: bool,
    /// It said that there are newer messages, and none came since.
    behind: bool,
}

impl PulsarReader {
    /// Opens behind `after`, or at the oldest message.
    pub async fn open(
        connection: Connection,
        access: &LogAccess,
        channel: &str,
        after: Option<Position>,
    ) -> Result<Self, LogError> {
        let mut reader = Self {
            connection,
            channel: channel.to_owned(),
            topic: topic::of_channel(access, channel),
            consumer: 0,
            subscribing: None,
            continuity: Continuity::new(after),
            flow: Flow::default(),
            quiet: Quiet { since: Instant::now(), pinged: false, behind: false },
            ready: VecDeque::new(),
            failed: None,
        };
        reader.subscribe()?;
        reader.wait_subscribed().await?;
        if let Some(start) = after
            && let Some(newest) = reader.newest().await?
        {
            if (newest.ledger, newest.entry) < (start.ledger, start.entry) {
                // The topic was made anew: the broker would go on from wherever its end is.
                return Err(lost(channel, start, newest));
            }
            reader.wait_begun().await?;
        }
        Ok(reader)
    }

    /// Until the entry has come at which reading begins: if another one comes first, it is gone.
    async fn wait_begun(&mut self) -> Result<(), LogError> {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        while matches!(self.continuity, Continuity::From(_)) {
            self.give_permits(FIRST_BYTES_MAX)?;
            let left = deadline.saturating_duration_since(Instant::now());
            match self.connection.link.frame(left).await? {
                Some(frame) => self.on_frame(frame)?,
                None => {
                    let (channel, seconds) = (&self.channel, REQUEST_TIMEOUT.as_secs());
                    return Err(LogError::Transient(format!("{channel}: nothing came within {seconds} s")));
                }
            }
        }
        Ok(())
    }

    /// The message that was read last.
    pub fn read_up_to(&self) -> Option<Position> {
        self.continuity.last().filter(|_| self.ready.is_empty())
    }

    /// The newest message of the topic as it is now; `None` if the broker holds none. Only before the first `next`.
    pub async fn newest(&mut self) -> Result<Option<Position>, LogError> {
        let request = self.connection.request_id();
        self.connection.send(&command::get_last_message_id(self.consumer, request))?;
        let (doing, channel) = ("asking for the newest message of", self.channel.clone());
        let wanted = |answer: &BaseCommand| {
            if let Some(error) = answer.error.as_ref().filter(|error| error.request_id == request) {
                return Some(Err(server_error::of(error.error, &error.message, doing, &channel)));
            }
            let response = answer.get_last_message_id_response.as_ref()?;
            (response.request_id == request).then(|| Ok(existing(&response.last_message_id)))
        };
        self.connection.answer(doing, wanted).await?
    }

    /// Asks for a subscription of its own that begins where the next message is due.
    fn subscribe(&mut self) -> Result<(), LogError> {
        let start = match self.continuity.last() {
            // With a number within the entry the broker begins with the entry, and not behind it.
            Some(last) => Position::new(last.ledger, last.entry, Place::InBatch(0)).to_id(),
            None => Position::new(-1, -1, Place::Whole).to_id(),
        };
        let mut random = [0; 8];
        let drawn = SystemRandom::new().fill(&mut random);
        drawn.map_err(|_| LogError::Transient("the system has no random numbers".to_owned()))?;
        let name = topic::subscription(u64::from_be_bytes(random));
        self.consumer += 1;
        let request = self.connection.request_id();
        self.connection.send(&command::subscribe(&self.topic, name, self.consumer, request, start))?;
        self.subscribing = Some(request);
        self.flow.reset();
        Ok(())
    }

    async fn wait_subscribed(&mut self) -> Result<(), LogError> {
        let (request, channel) = (self.subscribing, self.channel.clone());
        let wanted = |answer: &BaseCommand| {
            if let Some(error) = answer.error.as_ref().filter(|error| Some(error.request_id) == request) {
                return Some(Err(server_error::of(error.error, &error.message, "subscribing to", &channel)));
            }
            let done = answer.success.as_ref().is_some_and(|success| Some(success.request_id) == request);
            done.then_some(Ok(()))
        };
        self.connection.answer("subscribing", wanted).await??;
        self.subscribing = None;
        Ok(())
    }

    /// Until there is something to hand over. Cancel safe: between two frames nothing is half done.
    async fn wait(&mut self, bytes_max: usize) -> Result<(), LogError> {
        while self.ready.is_empty() {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            self.give_permits(bytes_max)?;
            match self.connection.link.frame(SILENCE).await? {
                Some(frame) => {
                    self.quiet.pinged = false;
                    self.on_frame(frame)?;
                }
                None if self.quiet.pinged => {
                    let seconds = 2 * SILENCE.as_secs();
                    return Err(LogError::Transient(format!("{}: silent for {seconds} s", self.channel)));
                }
                None => {
                    self.quiet.pinged = true;
                    self.connection.send(&command::ping())?;
                }
            }
            self.ask_when_quiet()?;
        }
        Ok(())
    }

    fn give_permits(&mut self, bytes_max: usize) -> Result<(), LogError> {
        while self.subscribing.is_none()
            && let Some(permits) = self.flow.due(bytes_max)
        {
            self.connection.send(&command::flow(self.consumer, permits))?;
            self.flow.given(permits);
        }
        Ok(())
    }

    fn ask_when_quiet(&mut self) -> Result<(), LogError> {
        if self.subscribing.is_some() || self.quiet.since.elapsed() < QUIET {
            return Ok(());
        }
        self.quiet.since = Instant::now();
        let request = self.connection.request_id();
        self.connection.send(&command::get_last_message_id(self.consumer, request))
    }

    fn on_frame(&mut self, frame: Bytes) -> Result<(), LogError> {
        let (command, rest) = frame::decode(frame)?;
        if self.connection.housekeeping(&command)? {
            return Ok(());
        }
        if let Some(message) = command.message {
            return match message.consumer_id == self.consumer {
                true => self.on_entry(Position::of_id(&message.message_id), rest),
                false => Ok(()),
            };
        }
        if let Some(response) = command.get_last_message_id_response {
            return self.on_newest(existing(&response.last_message_id));
        }
        if let Some(success) = command.success
            && Some(success.request_id) == self.subscribing
        {
            self.subscribing = None;
        }
        if let Some(error) = command.error {
            return Err(server_error::of(error.error, &error.message, "reading", &self.channel));
        }
        if command.close_consumer.is_some_and(|close| close.consumer_id == self.consumer) {
            return Err(LogError::Transient(format!("{}: the broker gives the topic away", self.channel)));
        }
        Ok(())
    }

    fn on_entry(&mut self, at: Position, bytes: Bytes) -> Result<(), LogError> {
        self.quiet.since = Instant::now();
        self.quiet.behind = false;
        let size = bytes.len();
        let messages = entry::messages(&self.channel, at, bytes)?;
        self.flow.on_entry(messages.len(), size);
        let behind = match self.continuity.judge(&self.channel, at)? {
            Verdict::Read(behind) => behind,
            Verdict::Known => return Ok(()),
            Verdict::Prove(last) => {
                let close = self.connection.request_id();
                self.connection.send(&command::close_consumer(self.consumer, close))?;
                self.continuity = Continuity::new(Some(last));
                return self.subscribe();
            }
        };
        let mut last = Position::new(at.ledger, at.entry, Place::Whole);
        for message in messages {
            last = Position::decode(&self.channel, &message.position)?;
            if behind.is_none_or(|behind| last > behind) {
                self.ready.push_back(message);
            }
        }
        // A position behind all messages of the entry stays that: nothing of the entry comes again.
        self.continuity.read(behind.map_or(last, |behind| last.max(behind)));
        Ok(())
    }

    fn on_newest(&mut self, newest: Option<Position>) -> Result<(), LogError> {
        let last = self.continuity.last().map(|last| (last.ledger, last.entry));
        let behind =
            newest.is_some_and(|newest| last.is_none_or(|last| last < (newest.ledger, newest.entry)));
        if behind && self.quiet.behind {
            let (channel, seconds) = (&self.channel, QUIET.as_secs());
            return Err(LogError::Transient(format!(
                "{channel}: the broker has newer messages and sent none for {seconds} s"
            )));
        }
        self.quiet.behind = behind;
        Ok(())
    }

    /// Reads what has arrived, until there are `bytes_max` to hand over.
    fn read_arrived(&mut self, bytes_max: usize) -> Result<(), LogError> {
        let mut counted = 0;
        let mut bytes = 0;
        loop {
            bytes += self.ready.iter().skip(counted).map(|message| message.payload.len()).sum::<usize>();
            counted = self.ready.len();
            if bytes >= bytes_max {
                return Ok(());
            }
            match self.connection.link.arrived()? {
                Some(frame) => self.on_frame(frame)?,
                None => return Ok(()),
            }
        }
    }

    fn hand_over(&mut self, bytes_max: usize) -> Vec<LogMessage> {
        let mut bytes = 0;
        let mut batch = Vec::new();
        while let Some(message) = self.ready.front() {
            bytes += message.payload.len();
            if bytes > bytes_max && !batch.is_empty() {
                break;
            }
            batch.extend(self.ready.pop_front());
        }
        batch
    }
}

/// A broker without messages answers with entry -1.
fn existing(id: &MessageIdData) -> Option<Position> {
    Some(Position::of_id(id)).filter(|newest| newest.ledger >= 0 && newest.entry >= 0)
}

#[async_trait]
impl LogReader for PulsarReader {
    async fn next(&mut self, bytes_max: usize) -> Result<Vec<LogMessage>, LogError> {
        self.wait(bytes_max).await?;
        // Nothing may be awaited from here on, or cancelling would lose messages.
        if self.failed.is_none() {
            self.failed = self.read_arrived(bytes_max).err();
        }
        if self.failed.is_none() {
            self.failed = self.give_permits(bytes_max).err();
        }
        Ok(self.hand_over(bytes_max))
    }
}
