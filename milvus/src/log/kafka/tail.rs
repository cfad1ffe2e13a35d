//! The end of a channel: back from its newest message to the last timetick.

use super::super::access::LogAccess;
use super::super::timetick::from_last_tick;
use super::super::{LogError, LogReader, LogTail};
use super::reader::KafkaReader;
use super::{cluster, offsets, position};

/// Offsets looked at first; a channel without writes has a tick every 200 ms.
const LOOK_BACK: i64 = 64;
const LOOK_BACK_GROWTH: i64 = 8;
const READ_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) async fn read(access: &LogAccess, channel: &str) -> Result<LogTail, LogError> {
    let mut leader = cluster::leader(access, channel).await?;
    let held = offsets::held(&mut leader, channel).await?;
    if held.end == 0 {
        return Ok(LogTail::default());
    }
    let position = Some(position::encode(held.end - 1));
    let mut look_back = LOOK_BACK;
    loop {
        let from = held.end.saturating_sub(look_back).max(held.begin);
        let mut reader = KafkaReader::at(leader, channel, from);
        let mut messages = Vec::new();
        while reader.read_up_to() < held.end {
            messages.extend(reader.next(READ_BYTES_MAX).await.map_err(later)?);
        }
        let end = position::encode(held.end);
        messages
            .retain(|message: &super::super::LogMessage| position::compare(&message.position, &end).is_lt());
        match from_last_tick(messages) {
            Ok(messages) => return Ok(LogTail { position, messages }),
            Err(messages) if from == held.begin => return Ok(LogTail { position, messages }),
            Err(_) => {}
        }
        look_back = look_back.saturating_mul(LOOK_BACK_GROWTH);
        leader = cluster::leader(access, channel).await?;
    }
}

/// Retention may take the oldest message between two looks; the caller asks again.
fn later(error: LogError) -> LogError {
    match error {
        LogError::PositionLost { .. } => LogError::Transient(error.to_string()),
        other => other,
    }
}
