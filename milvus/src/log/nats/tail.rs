//! The end of a channel: back from its newest message to the last timetick.

use bytes::Bytes;

use super::super::timetick::from_last_tick;
use super::super::{Backlog, LogError, LogMessage, LogReader, LogTail};
use super::connection::Connection;
use super::position;
use super::reader::NatsReader;
use crate::log::LogAccess;

/// Messages looked at first; a channel without writes has a tick every 200 ms.
const LOOK_BACK: u64 = 64;
const LOOK_BACK_GROWTH: u64 = 8;
const READ_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) async fn read(config: &LogAccess, channel: &str) -> Result<LogTail, LogError> {
    let connection = Connection::open(config).await?;
    let state = connection.stream(channel).await?.cached_info().state.clone();
    let (first, last) = (state.first_sequence, state.last_sequence);
    if last == 0 {
        return Ok(LogTail::default());
    }
    let position = Some(position::encode(last));
    if first > last {
        return Ok(LogTail { position, messages: Vec::new() });
    }
    let mut look_back = LOOK_BACK;
    loop {
        let from = last.saturating_sub(look_back - 1).max(first);
        match from_last_tick(range(&connection, channel, from, last).await?) {
            Ok(messages) => return Ok(LogTail { position, messages }),
            Err(messages) if from == first => return Ok(LogTail { position, messages }),
            Err(_) => {}
        }
        look_back = look_back.saturating_mul(LOOK_BACK_GROWTH);
    }
}

/// Position of the newest message.
pub(super) async fn end(config: &LogAccess, channel: &str) -> Result<Option<Bytes>, LogError> {
    let connection = Connection::open(config).await?;
    let last = connection.stream(channel).await?.cached_info().state.last_sequence;
    Ok((last > 0).then(|| position::encode(last)))
}

/// What is behind a sequence, as the stream counts.
pub(super) async fn backlog(config: &LogAccess, channel: &str, after: u64) -> Result<Backlog, LogError> {
    let connection = Connection::open(config).await?;
    let state = connection.stream(channel).await?.cached_info().state.clone();
    let messages = state.last_sequence.saturating_sub(after.max(state.first_sequence.saturating_sub(1)));
    let bytes = u128::from(messages) * u128::from(state.bytes) / u128::from(state.messages.max(1));
    Ok(Backlog { messages, bytes: u64::try_from(bytes).unwrap_or(u64::MAX) })
}

async fn range(
    connection: &Connection,
    channel: &str,
    from: u64,
    to: u64,
) -> Result<Vec<LogMessage>, LogError> {
    let opened = NatsReader::open(connection.clone(), channel, Some(from.saturating_sub(1))).await;
    // Retention may take the oldest message between two looks; the caller asks again.
    let mut reader = opened.map_err(|error| match error {
        LogError::PositionLost { .. } => LogError::Transient(error.to_string()),
        other => other,
    })?;
    let mut messages = Vec::new();
    let end = position::encode(to);
    while messages.last().is_none_or(|last: &LogMessage| position::compare(&last.position, &end).is_lt()) {
        messages.extend(reader.next(READ_BYTES_MAX).await?);
    }
    messages.retain(|message| position::compare(&message.position, &end).is_le());
    Ok(messages)
}
