//! Reads one channel by offset from its leader. While what came is handed over, the next request is under way.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;

use super::super::{LogError, LogMessage, LogReader};
use super::batch::{self, Batch};
use super::connection::Connection;
use super::continuity::Continuity;
use super::input::Input;
use super::offsets::{self, Held};
use super::{error_code, fetch, position, record};

/// The broker answers each second, if only that there is nothing. After this long without a byte it is given up.
const SILENCE: Duration = Duration::from_secs(4);

/// An open channel.
pub(super) struct KafkaReader {
    leader: Connection,
    channel: String,
    continuity: Continuity,
    /// Number of the request that is not answered yet.
    asked: Option<i32>,
    /// Batches that came, still packed, with the offset from which on their messages count.
    packed: VecDeque<(Batch, i64)>,
    /// Messages of the first of them.
    ready: VecDeque<LogMessage>,
    /// Found behind messages that were fit to be returned first.
    failed: Option<LogError>,
}

impl KafkaReader {
    /// Opens behind offset `after`, or at the oldest message.
    pub async fn open(mut leader: Connection, channel: &str, after: Option<i64>) -> Result<Self, LogError> {
        let held = offsets::held(&mut leader, channel).await?;
        let start = match after {
            None => held.begin,
            Some(after) => check_start(channel, after.saturating_add(1), held)?,
        };
        Ok(Self::at(leader, channel, start))
    }

    /// Opens at an offset that the caller knows to be there.
    pub fn at(leader: Connection, channel: &str, start: i64) -> Self {
        Self {
            leader,
            channel: channel.to_owned(),
            continuity: Continuity::new(start),
            asked: None,
            packed: VecDeque::new(),
            ready: VecDeque::new(),
            failed: None,
        }
    }

    /// Every offset below this one was handed over, or is no message.
    pub fn read_up_to(&self) -> i64 {
        let ready = self.ready.front().and_then(|message| position::decode("", &message.position).ok());
        let packed = self.packed.front().map(|(_, from)| *from);
        ready.or(packed).unwrap_or(self.continuity.next())
    }

    async fn wait(&mut self, bytes_max: usize) -> Result<(), LogError> {
        let number = self.ask(bytes_max)?;
        match self.leader.answer(number, SILENCE).await? {
            Some(answer) => self.take_answer(answer).await,
            None => {
                let seconds = SILENCE.as_secs();
                Err(LogError::Transient(format!("{}: silent for {seconds} s", self.channel)))
            }
        }
    }

    /// The number of the request under way: a new one if there is none.
    fn ask(&mut self, bytes_max: usize) -> Result<i32, LogError> {
        if let Some(number) = self.asked {
            return Ok(number);
        }
        let api = self.leader.fetch();
        let body = fetch::request(api.version, &self.channel, self.continuity.next(), bytes_max);
        let number = self.leader.send(api, &body)?;
        self.asked = Some(number);
        Ok(number)
    }

    async fn take_answer(&mut self, mut answer: Input) -> Result<(), LogError> {
        self.asked = None;
        let fetched = fetch::read(self.leader.fetch().version, &mut answer)?;
        if fetched.error == error_code::OFFSET_OUT_OF_RANGE {
            return Err(self.out_of_range().await);
        }
        error_code::check(fetched.error, "reading", &self.channel)?;
        self.continuity.begin_answer(&fetched.aborted);
        let bytes = fetched.batches.len();
        let batches = batch::split(&self.channel, fetched.batches)?;
        if batches.is_empty() && bytes > 0 {
            // Since Kafka 0.10.1 the first batch comes whole, whatever its size.
            let offset = self.continuity.next();
            return Err(LogError::Unsupported(format!(
                "{}: the broker cuts the batch at offset {offset}",
                self.channel
            )));
        }
        for batch in batches {
            match self.continuity.accept(&self.channel, &batch) {
                Ok(Some(from)) => self.packed.push_back((batch, from)),
                Ok(None) => {}
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(())
    }

    /// What it means that the broker does not have the offset. Ends this reader, so it need not be cancel safe.
    async fn out_of_range(&mut self) -> LogError {
        let wanted = self.continuity.next();
        match offsets::held(&mut self.leader, &self.channel).await {
            Ok(held) => match check_start(&self.channel, wanted, held) {
                Ok(_) => LogError::Transient(format!("{}: offset {wanted} is not there yet", self.channel)),
                Err(lost) => lost,
            },
            Err(error) => error,
        }
    }

    /// Unpacks batches until there are `bytes_max` to hand over.
    fn unpack(&mut self, bytes_max: usize) {
        let mut bytes: usize = self.ready.iter().map(|message| message.payload.len()).sum();
        while bytes < bytes_max
            && let Some((batch, from)) = self.packed.pop_front()
        {
            match record::messages(&self.channel, &batch, from) {
                Ok(messages) => {
                    bytes += messages.iter().map(|message| message.payload.len()).sum::<usize>();
                    self.ready.extend(messages);
                }
                Err(error) => {
                    self.packed.clear();
                    self.failed = Some(error);
                }
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

#[async_trait]
impl LogReader for KafkaReader {
    async fn next(&mut self, bytes_max: usize) -> Result<Vec<LogMessage>, LogError> {
        loop {
            self.unpack(bytes_max);
            if !self.ready.is_empty() {
                // The next answer is on its way while this one is being consumed; if that cannot be asked for, the
                // connection says so at the next call.
                if self.packed.is_empty() && self.failed.is_none() {
                    let _ = self.ask(bytes_max);
                }
                return Ok(self.hand_over(bytes_max));
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            self.wait(bytes_max).await?;
        }
    }
}

/// A start must lie in the log, or right behind its end.
fn check_start(channel: &str, wanted: i64, held: Held) -> Result<i64, LogError> {
    if wanted < held.begin || wanted > held.end {
        return Err(LogError::PositionLost {
            channel: channel.to_owned(),
            wanted: wanted.to_string(),
            oldest: held.begin.to_string(),
            newest: held.end.saturating_sub(1).to_string(),
        });
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_start_must_be_within_the_log_or_right_behind_it() {
        for (wanted, begin, end, fits) in [
            (0, 0, 0, true),
            (0, 0, 9, true),
            (9, 0, 9, true),
            (10, 0, 9, false),
            (4, 5, 9, false),
            (5, 5, 5, true),
            (i64::MAX, 0, 9, false),
        ] {
            let held = Held { begin, end };
            assert_eq!(check_start("c", wanted, held).is_ok(), fits, "{wanted} in {begin}..{end}");
        }
        let lost = check_start("c", 4, Held { begin: 5, end: 9 }).unwrap_err().to_string();
        assert!(lost.contains("position 4") && lost.contains("begins at 5 and ends at 8"), "{lost}");
    }
}
