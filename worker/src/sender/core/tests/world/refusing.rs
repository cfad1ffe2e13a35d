//! A target that refuses one collection for a while, as measured: a collection that it does not know, with the first
//! Insert and before anything is written; or a message that its log does not take, after those before it were written.

use harrier_milvus::error::ErrorClass;
use harrier_proto::common::{MsgHeader, MsgType};
use harrier_proto::milvus::ReplicateMessageRequest;
use harrier_proto::msg::{DeleteRequest, InsertRequest};
use prost::Message as _;

use super::super::super::{Refusal, Verdict};
use super::super::target::told;
use super::{CALM_ROUNDS_MAX, World, tell};

/// What is refused at present.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusing {
    shard: usize,
    /// Messages before the refused one are written, and perhaps that one too.
    partly: bool,
}

impl World {
    /// Begins to refuse a collection, or another one, or none.
    pub(super) fn refuse_something(&mut self) {
        self.refused_before |= self.refusing.is_some();
        let refusing =
            Refusing { shard: self.random.index(self.shards.len()), partly: self.random.chance(50) };
        self.refusing = self.random.chance(70).then_some(refusing);
        tell!(self, "the target refuses {:?}", self.refusing);
    }

    /// True if the call was refused, and the core knows.
    pub(super) fn refuses(&mut self, call: &ReplicateMessageRequest) -> bool {
        let Some(refusing) = self.refusing else { return false };
        let Some(index) = refusing.first_refused(call) else { return false };
        if refusing.partly {
            let written = index + self.random.index(2);
            tell!(self, "refused, with {written} messages executed: {}", told(call));
            self.target.execute(call, written);
            self.openings += 1;
            // The shell counts them as its own.
            self.last_position = self.last_position.map(|last| last + written as u64);
        } else {
            tell!(self, "refused: {}", told(call));
        }
        let refusal = Refusal {
            class: ErrorClass::Operator,
            message: "refused on purpose".to_owned(),
            gone: false,
            partly_executed: refusing.partly,
            unix_ms: self.now_ms,
            random: self.random.below(1 << 20),
        };
        // As the shell does it; an owner that stops asks for no more than that.
        match self.core.on_refused(&refusal, self.now_ms) {
            Verdict::Target if refusing.partly => self.unknown_outcome(),
            Verdict::Target => self.core.on_not_sent(),
            _ => {}
        }
        true
    }

    /// While one collection is refused, and nothing else happens, all others arrive, and the refused one is shown.
    pub(super) fn run_refusing(&mut self) {
        let Some(refused) = self.refusing.map(|refusing| refusing.shard) else { return };
        let mut others = false;
        let mut shown = false;
        for _ in 0..CALM_ROUNDS_MAX {
            self.calm_round();
            others = (0..self.shards.len()).all(|shard| shard == refused || self.is_equal_of(shard));
            let report = self.core.report(self.now_ms, self.now_ms);
            let of_refused = report.shards.iter().find(|shard| shard.shard_id == refused.to_string());
            shown = self.is_equal_of(refused) || of_refused.is_some_and(|shard| shard.held.is_some());
            let wrongly = report
                .shards
                .iter()
                .find(|shard| shard.shard_id != refused.to_string() && shard.held.is_some());
            assert!(wrongly.is_none() || self.refused_before, "held without a reason: {wrongly:?}");
            if self.now_ms > self.history.shape.end_ms + 2000 && others && shown {
                break;
            }
        }
        assert!(others, "a refused collection holds up the others");
        assert!(shown, "nobody is told that a collection is refused");
        self.refusing = None;
    }
}

impl Refusing {
    /// Which message of the call it is that is refused.
    fn first_refused(self, call: &ReplicateMessageRequest) -> Option<usize> {
        call.msgs.iter().position(|bytes| {
            let base = MsgHeader::decode(bytes.clone()).unwrap().base.unwrap();
            let collection = match MsgType::try_from(base.msg_type).unwrap() {
                MsgType::Insert => InsertRequest::decode(bytes.clone()).unwrap().collection_id,
                MsgType::Delete if self.partly => DeleteRequest::decode(bytes.clone()).unwrap().collection_id,
                _ => return false,
            };
            collection == 2000 + self.shard as i64
        })
    }
}
