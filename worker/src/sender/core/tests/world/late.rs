//! Calls that were given up: some of each is executed at once, and some may be executed late, or twice.

use harrier_proto::milvus::ReplicateMessageRequest;

use super::super::super::windows::RETURNS_MAX;
use super::super::target::{Target, told};
use super::{World, tell};

/// Messages of a call that the target may still execute.
pub(super) struct LateCall {
    request: ReplicateMessageRequest,
    from: usize,
    to: usize,
    /// How many windows had been opened when it was given up.
    opening: u32,
}

impl World {
    /// Nobody will learn what becomes of this call.
    pub(super) fn give_up(&mut self, request: ReplicateMessageRequest) {
        // 0 is all of it.
        let count = request.msgs.len() - self.random.index(request.msgs.len() + 1);
        tell!(self, "given up, with {count} messages executed: {}", told(&request));
        self.target.execute(&request, count);
        if self.disturbances.late && !self.quiet && self.random.chance(50) {
            let from = if self.random.chance(30) { 0 } else { count };
            let to = request.msgs.len() - self.random.index(1 + request.msgs.len() - from);
            self.late.push(LateCall { request, from, to, opening: self.openings });
        }
    }

    /// One of them is executed. Behind more starts than a window is gone back to, only when the owner will see it.
    pub(super) fn land(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let at = self.random.index(self.late.len());
        let must_be_seen = self.openings >= self.late[at].opening + RETURNS_MAX;
        let refused = self.disturbances.sizes
            || self.refusing.is_some()
            || self.call.as_ref().is_none_or(|call| Target::refuses(call, self.now_ms - self.behind_ms));
        let all_watched = self.shards.iter().all(|shard| shard.active);
        if must_be_seen && (refused || !all_watched || self.last_position.is_none()) {
            return;
        }
        let late = self.late.swap_remove(at);
        let LateCall { from, to, .. } = late;
        tell!(self, "messages {from}..{to} of a call of before are executed: {}", told(&late.request));
        self.target.execute_late(&late.request, from, to);
        if must_be_seen {
            self.finish_call();
            self.exchange_surely();
        }
    }
}
