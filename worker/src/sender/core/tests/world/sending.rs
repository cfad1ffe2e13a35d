//! Calls to the target and what becomes of them.

use bytes::Bytes;
use harrier_proto::milvus::ReplicateMessageRequest;

use super::super::target::{Target, told};
use super::{World, tell};

impl World {
    pub(super) fn send(&mut self) {
        let Some(call) = self.call.take() else {
            self.call = self.core.next_call(self.now_ms);
            return;
        };
        assert!(call.end_ts <= self.horizon, "above the horizon");
        if self.disturbances.unknown && !self.quiet && self.random.chance(10) {
            self.give_up(call);
            self.unknown_outcome();
        } else if self.random.chance(5) || Target::refuses(&call, self.now_ms - self.behind_ms) {
            tell!(self, "refused: {}", told(&call));
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
            tell!(self, "too large: {}", told(call));
            self.core.on_too_large(false).unwrap();
        } else if let Some(count) = too_large {
            tell!(self, "too large, with {count} messages executed: {}", told(call));
            self.target.execute(call, count);
            self.core.on_too_large(true).unwrap();
        } else {
            return self.acknowledge(call);
        }
        self.unknown_outcome();
    }

    pub(super) fn unknown_outcome(&mut self) {
        self.openings += 1;
        self.last_position = None;
        self.core.on_unknown_outcome();
    }

    /// The target executes and answers, and the position says whether somebody else wrote.
    fn acknowledge(&mut self, call: &ReplicateMessageRequest) {
        tell!(self, "acknowledged: {}", told(call));
        self.target.execute(call, usize::MAX);
        self.core.on_acknowledged();
        let position = self.target.position;
        let foreign = |last: u64| position - last > call.msgs.len() as u64;
        if self.last_position.replace(position).is_some_and(foreign) {
            tell!(self, "somebody else wrote");
            self.core.on_foreign_write();
        }
    }

    /// All that can be sent goes through.
    pub(super) fn send_all(&mut self) {
        for _ in 0..100 {
            let Some(call) = self.call.take().or_else(|| self.core.next_call(self.now_ms)) else { return };
            if Target::refuses(&call, self.now_ms - self.behind_ms) {
                tell!(self, "refused: {}", told(&call));
                self.core.on_not_sent();
                return;
            }
            self.answer(&call);
        }
    }

    /// The call on its way is executed and answered.
    pub(super) fn finish_call(&mut self) {
        if let Some(call) = self.call.take() {
            if Target::refuses(&call, self.now_ms - self.behind_ms) {
                self.core.on_not_sent();
            } else {
                self.answer(&call);
            }
        }
    }
}
