//! The calls that carry a pack to the target.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use harrier_milvus::tso::Timestamp;
use harrier_proto::common::{MsgBase, MsgType, ReplicateInfo};
use harrier_proto::milvus::ReplicateMessageRequest;
use harrier_proto::msg::MsgPosition;

use super::feed::Charge;
use super::pack::{MessageIds, Ready};
use crate::message;

/// One call that is to be made: messages that go together.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub messages: Vec<Ready>,
    /// Given back with the call.
    pub charges: Vec<Charge>,
}

impl Call {
    pub(crate) fn of(messages: Vec<Ready>) -> Self {
        Self { messages, charges: Vec::new() }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.bytes.len()).sum()
    }

    /// The target's collection, if the call carries nothing but messages of this one.
    pub(crate) fn only_collection(&self) -> Option<i64> {
        let first = self.messages.first()?.collection?;
        self.messages.iter().all(|message| message.collection == Some(first)).then_some(first)
    }

    /// The call as the target gets it; the tick before it was `begin_ts`.
    pub(crate) fn request(
        &self,
        target_pchannel: &str,
        begin_ts: Timestamp,
        ids: &mut MessageIds,
    ) -> ReplicateMessageRequest {
        // The target wants no row above the end of its call.
        let end_ts = self.messages.iter().map(|message| message.max_ts).max().unwrap_or(begin_ts);
        let position = |timestamp| MsgPosition {
            channel_name: target_pchannel.to_owned(),
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
            channel_name: target_pchannel.to_owned(),
            begin_ts,
            end_ts,
            msgs: self.messages.iter().map(|message| message.bytes.clone()).collect(),
            start_positions: vec![position(begin_ts)],
            end_positions: vec![position(end_ts)],
        }
    }
}

/// The tick of a pack.
pub(crate) fn tick(tick: Timestamp, ids: &mut MessageIds) -> Ready {
    Ready { bytes: message::timetick(tick, ids.next()), max_ts: tick, collection: None, rows: 0 }
}

/// Distributes a pack over calls of at most `call_bytes_max` (a larger message has a call of its own). Messages of
/// collections that go `apart` come first, in calls of their own. Only the last call carries the tick, if there is one.
pub(crate) fn calls(
    messages: Vec<Ready>,
    tick: Option<Ready>,
    call_bytes_max: usize,
    apart: impl Fn(i64) -> bool,
) -> VecDeque<Call> {
    let mut own: BTreeMap<i64, Vec<Ready>> = BTreeMap::new();
    let mut common = Vec::new();
    for message in messages {
        match message.collection.filter(|collection| apart(*collection)) {
            Some(collection) => own.entry(collection).or_default().push(message),
            None => common.push(message),
        }
    }
    let mut calls: VecDeque<Call> =
        own.into_values().flat_map(|messages| cut(messages, call_bytes_max)).collect();
    let mut last = cut(common, call_bytes_max);
    if let Some(tick) = tick {
        match last.last_mut() {
            Some(call) => call.messages.push(tick),
            None => last.push(Call::of(vec![tick])),
        }
    }
    calls.extend(last);
    calls
}

fn cut(messages: Vec<Ready>, call_bytes_max: usize) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut size = 0;
    for message in messages {
        size += message.bytes.len();
        match calls.last_mut() {
            Some(call) if size <= call_bytes_max => call.messages.push(message),
            _ => {
                size = message.bytes.len();
                calls.push(Call::of(vec![message]));
            }
        }
    }
    calls
}
