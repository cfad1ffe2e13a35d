//! Where the last timetick of a row of messages is.

use harrier_proto::common::{MsgHeader, MsgType};
use prost::Message as _;

use super::LogMessage;

/// The messages from the last timetick on; all of them as the error if there is no tick among them.
pub(super) fn from_last_tick(mut messages: Vec<LogMessage>) -> Result<Vec<LogMessage>, Vec<LogMessage>> {
    match messages.iter().rposition(is_timetick) {
        Some(tick) => Ok(messages.split_off(tick)),
        None => Err(messages),
    }
}

fn is_timetick(message: &LogMessage) -> bool {
    let header = MsgHeader::decode(message.payload.clone()).ok();
    header.and_then(|header| header.base).is_some_and(|base| base.msg_type == MsgType::TimeTick as i32)
}
