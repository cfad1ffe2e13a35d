//! Rows of the log as the calls that carry them to the target.

use anyhow::Result;
use bytes::Bytes;
use harrier_milvus::log::LogMessage;
use harrier_milvus::tso::Timestamp;
use harrier_proto::common::{MsgBase, MsgType, ReplicateInfo};
use harrier_proto::milvus::ReplicateMessageRequest;
use harrier_proto::msg::MsgPosition;
use harrier_worker::message::{Head, MergedInsert, Stamp, read_head, timetick};

use super::target_copy::TargetCopy;

/// Sizes, as the worker has them.
#[derive(Clone, Copy, clap::Args)]
pub struct Limits {
    /// Size to which Inserts are merged.
    #[arg(long)]
    merge_bytes_max: usize,
    /// Size of one call.
    #[arg(long)]
    call_bytes_max: usize,
}

/// Collects the Inserts of one collection and makes calls of them.
pub struct Packs<'a> {
    source_collection: i64,
    target: &'a TargetCopy,
    limits: Limits,
    merged: Option<MergedInsert>,
    messages: Vec<Bytes>,
    message_bytes: usize,
    end_ts: Timestamp,
    /// Last tick of the source that was passed: everything up to it is in the calls or about to be.
    source_tick: Timestamp,
    sent_tick: Timestamp,
    last_id: i64,
    /// What was made.
    pub made: Made,
}

/// Calls, and what is in them.
#[derive(Default)]
pub struct Made {
    /// In the order of sending.
    pub calls: Vec<ReplicateMessageRequest>,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of the source's Inserts in them.
    pub bytes: usize,
    /// Inserts of the source in them.
    pub inserts: u64,
}

impl<'a> Packs<'a> {
    pub fn new(source_collection: i64, target: &'a TargetCopy, limits: Limits) -> Self {
        Self {
            source_collection,
            target,
            limits,
            merged: None,
            messages: Vec::new(),
            message_bytes: 0,
            end_ts: 0,
            source_tick: 0,
            sent_tick: 0,
            last_id: 0,
            made: Made::default(),
        }
    }

    /// The next message of the log.
    pub fn take(&mut self, message: &LogMessage) -> Result<()> {
        match read_head(&message.payload)? {
            Head::TimeTick { ts } => self.source_tick = ts,
            Head::Insert(head) if head.collection_id == self.source_collection => {
                if self.made.rows == 0 {
                    let first = self.first_tick(head.min_ts);
                    self.made.calls.push(first);
                }
                self.append(&message.payload)?;
                self.made.rows += head.rows;
                self.made.inserts += 1;
                self.made.bytes += message.payload.len();
            }
            _ => {}
        }
        Ok(())
    }

    /// The rest.
    pub fn finish(mut self) -> Made {
        self.close_message();
        self.close_call();
        self.made
    }

    fn append(&mut self, insert: &Bytes) -> Result<()> {
        let full = |merged: &MergedInsert| merged.bytes() + insert.len() > self.limits.merge_bytes_max;
        if self.merged.as_ref().is_some_and(full) {
            self.close_message();
        }
        if self.message_bytes >= self.limits.call_bytes_max {
            self.close_call();
        }
        let merged = self.merged.get_or_insert_with(|| MergedInsert::new(self.target.destination()));
        merged.try_append(insert, Stamp::Keep)?;
        Ok(())
    }

    fn close_message(&mut self) {
        if let Some(merged) = self.merged.take() {
            self.end_ts = self.end_ts.max(merged.max_ts());
            let id = self.next_id();
            let message = merged.finish(id);
            self.message_bytes += message.len();
            self.messages.push(message);
        }
    }

    fn close_call(&mut self) {
        let mut messages = std::mem::take(&mut self.messages);
        self.message_bytes = 0;
        if self.source_tick > self.sent_tick {
            messages.push(timetick(self.source_tick, self.next_id()));
            self.end_ts = self.end_ts.max(self.source_tick);
        }
        let call = self.call(self.sent_tick, self.end_ts, messages);
        self.sent_tick = self.sent_tick.max(self.source_tick);
        self.made.calls.push(call);
    }

    /// Below all rows; before its first tick the target watches no channel of a new collection.
    fn first_tick(&mut self, min_ts: Timestamp) -> ReplicateMessageRequest {
        let tick = min_ts - 1;
        // A target that lags joins the packs of several runs, so the numbers of each begin elsewhere.
        self.last_id = tick.cast_signed();
        self.sent_tick = tick;
        let message = timetick(tick, self.next_id());
        self.call(tick, tick, vec![message])
    }

    fn call(&mut self, begin_ts: Timestamp, end_ts: Timestamp, msgs: Vec<Bytes>) -> ReplicateMessageRequest {
        let position = |timestamp| MsgPosition {
            channel_name: self.target.pchannel.clone(),
            timestamp,
            ..MsgPosition::default()
        };
        let (start_positions, end_positions) = (vec![position(begin_ts)], vec![position(end_ts)]);
        let replicate_info =
            ReplicateInfo { is_replicate: true, msg_timestamp: end_ts, ..ReplicateInfo::default() };
        ReplicateMessageRequest {
            base: Some(MsgBase {
                msg_type: MsgType::Replicate as i32,
                msg_id: self.next_id(),
                timestamp: end_ts,
                replicate_info: Some(replicate_info),
                ..MsgBase::default()
            }),
            channel_name: self.target.pchannel.clone(),
            begin_ts,
            end_ts,
            msgs,
            start_positions,
            end_positions,
        }
    }

    /// Not 0 and never twice on the channel: the target drops what it takes for a repetition.
    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }
}
