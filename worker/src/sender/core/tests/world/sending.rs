//! Calls to the target and what becomes of them.

use bytes::Bytes;
use harrier_proto::milvus::ReplicateMessageRequest;

use super::World;

impl World {
    pub(super) fn send(&mut self) {
        let Some(call) = self.call.take() else {
            self.call = self.core.next_call(self.now_ms);
            return;
        };
        assert!(call.end_ts <= self.horizon, "above the horizon");
        let unknown = self.disturbances.unknown && !self.quiet && self.random.chance(10);
        if unknown {
            self.execute_partly(&call);
            self.core.on_unknown_outcome();
        } else if self.random.chance(5) {
            self.core.on_not_sent();
        } else {
            self.answer(&call);
        }
        self.core.prepare(self.now_ms);
    }

    /// The target takes the call, unless something in it is too large: what comes before that is written.
    pub(super) fn answer(&mut self, call: &ReplicateMessageRequest) {
        if self.refuses(call) {
            return;
        }
        let bytes: usize = call.msgs.iter().map(Bytes::len).sum();
        let too_large = call.msgs.iter().position(|message| message.len() > self.sizes.message_bytes_max);
        if bytes > self.sizes.call_bytes_max && call.msgs.len() > 2 {
            self.core.on_too_large(false).unwrap();
        } else if let Some(count) = too_large {
            self.target.execute(call, count);
            self.core.on_too_large(true).unwrap();
        } else {
            self.target.execute(call, usize::MAX);
            return self.core.on_acknowledged();
        }
        self.core.on_unknown_outcome();
    }

    pub(super) fn execute_partly(&mut self, call: &ReplicateMessageRequest) {
        let count = self.random.index(call.msgs.len() + 1);
        self.target.execute(call, count);
    }

    /// All calls go through.
    pub(super) fn settle(&mut self) {
        while let Some(call) = self.call.take().or_else(|| self.core.next_call(self.now_ms)) {
            self.answer(&call);
        }
    }
}
