//! The calls that carry a pack to the target.

use std::collections::VecDeque;

use bytes::Bytes;
use harrier_milvus::tso::Timestamp;
use harrier_proto::common::{MsgBase, MsgType, ReplicateInfo};
use harrier_proto::milvus::ReplicateMessageRequest;
use harrier_proto::msg::MsgPosition;

use super::pack::{MessageIds, Ready};
use crate::message;

/// What all calls of a pack have in common.
#[derive(Debug)]
pub(crate) struct CallFrame<'a> {
    pub target_pchannel: &'a str,
    /// The tick before.
    pub begin_ts: Timestamp,
    pub call_bytes_max: usize,
}

/// Distributes a pack over calls of at most `call_bytes_max` (a larger message has a call of its own).
/// Only the last one carries the tick.
pub(crate) fn calls(
    messages: Vec<Ready>,
    tick: Timestamp,
    frame: &CallFrame<'_>,
    ids: &mut MessageIds,
) -> VecDeque<ReplicateMessageRequest> {
    let mut parts: Vec<Vec<Ready>> = Vec::new();
    let mut size = 0;
    for message in messages {
        size += message.bytes.len();
        match parts.last_mut() {
            Some(part) if size <= frame.call_bytes_max => part.push(message),
            _ => {
                size = message.bytes.len();
                parts.push(vec![message]);
            }
        }
    }
    let tick = Ready { bytes: message::timetick(tick, ids.next()), max_ts: tick };
    match parts.last_mut() {
        Some(part) => part.push(tick),
        None => parts.push(vec![tick]),
    }
    parts.into_iter().map(|part| request(part, frame, ids)).collect()
}

fn request(part: Vec<Ready>, frame: &CallFrame<'_>, ids: &mut MessageIds) -> ReplicateMessageRequest {
    // The target wants no row above the end of its call.
    let end_ts = part.iter().map(|message| message.max_ts).max().unwrap_or(frame.begin_ts);
    let position = |timestamp| MsgPosition {
        channel_name: frame.target_pchannel.to_owned(),
        msg_id: Bytes::new(),
        timestamp,
        ..Default::default()
    };
    ReplicateMessageRequest {
        base: Some(MsgBase {
            msg_type: MsgType::Replicate as i32,
            msg_id: ids.next(),
            timestamp: end_ts,
            replicate_info: Some(ReplicateInfo {
                is_replicate: true,
                msg_timestamp: end_ts,
                ..Default::default()
            }),
            ..Default::default()
        }),
        channel_name: frame.target_pchannel.to_owned(),
        begin_ts: frame.begin_ts,
        end_ts,
        msgs: part.into_iter().map(|message| message.bytes).collect(),
        start_positions: vec![position(frame.begin_ts)],
        end_positions: vec![position(end_ts)],
    }
}
