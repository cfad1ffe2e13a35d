//! The end of a channel: back from its newest message to the last timetick, within the newest ledger.
//!
//! A ledger that has just begun may hold no tick yet. Then all of it is returned: its messages lie above the last tick
//! of the ledger before, as all messages behind a tick do.

use super::super::access::LogAccess;
use super::super::timetick::from_last_tick;
use super::super::{LogError, LogMessage, LogReader, LogTail};
use super::connection::REQUEST_TIMEOUT;
use super::lookup;
use super::position::{Place, Position};
use super::reader::PulsarReader;

/// Entries looked at first; a channel without writes has a tick every 200 ms.
const LOOK_BACK: i64 = 64;
const LOOK_BACK_GROWTH: i64 = 8;
const READ_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) async fn read(access: &LogAccess, channel: &str) -> Result<LogTail, LogError> {
    let connection = lookup::owner(access, channel).await?;
    let newest = PulsarReader::open(connection, access, channel, None).await?.newest().await?;
    let Some(newest) = newest else { return Ok(LogTail::default()) };
    let mut look_back = LOOK_BACK;
    loop {
        let from = newest.entry.saturating_sub(look_back - 1).max(0);
        let messages = range(access, channel, from, newest).await?;
        let position = messages.last().map_or_else(|| newest.encode(), |message| message.position.clone());
        match from_last_tick(messages) {
            Ok(messages) => return Ok(LogTail { position: Some(position), messages }),
            Err(messages) if from == 0 => return Ok(LogTail { position: Some(position), messages }),
            Err(_) => {}
        }
        look_back = look_back.saturating_mul(LOOK_BACK_GROWTH);
    }
}

/// The messages of the newest ledger from entry `from` to that of `newest`.
async fn range(
    access: &LogAccess,
    channel: &str,
    from: i64,
    newest: Position,
) -> Result<Vec<LogMessage>, LogError> {
    // In front of all messages of the entry, so that they count as new.
    let start = Position::new(newest.ledger, from, Place::InBatch(-1));
    let connection = lookup::owner(access, channel).await?;
    let mut reader = PulsarReader::open(connection, access, channel, Some(start)).await.map_err(later)?;
    let mut messages = Vec::new();
    let end = (newest.ledger, newest.entry);
    while reader.read_up_to().is_none_or(|last| last == start || (last.ledger, last.entry) < end) {
        // The newest entry may be none of Milvus', which is no message.
        match tokio::time::timeout(REQUEST_TIMEOUT, reader.next(READ_BYTES_MAX)).await {
            Ok(read) => messages.extend(read.map_err(later)?),
            Err(_) => {
                let seconds = REQUEST_TIMEOUT.as_secs();
                return Err(LogError::Transient(format!(
                    "{channel}: its end did not come within {seconds} s"
                )));
            }
        }
    }
    let end = Position::new(newest.ledger, newest.entry, Place::Whole);
    messages
        .retain(|message| Position::decode(channel, &message.position).is_ok_and(|position| position <= end));
    Ok(messages)
}

/// Retention may take the oldest message between two looks; the caller asks again.
fn later(error: LogError) -> LogError {
    match error {
        LogError::PositionLost { .. } => LogError::Transient(error.to_string()),
        other => other,
    }
}
