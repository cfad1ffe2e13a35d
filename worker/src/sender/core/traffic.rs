//! What a shard read and wrote since the last time it was asked.

use std::collections::HashMap;

use crate::traffic::{Increment, MessageKind, Operation};

#[derive(Debug, Default)]
pub(crate) struct ShardTraffic {
    sums: HashMap<(MessageKind, Operation), Increment>,
}

impl ShardTraffic {
    pub(crate) fn add(&mut self, kind: MessageKind, operation: Operation, by: &Increment) {
        let sum = self.sums.entry((kind, operation)).or_default();
        sum.messages += by.messages;
        sum.bytes += by.bytes;
        sum.rows += by.rows;
        sum.newest_timestamp = sum.newest_timestamp.max(by.newest_timestamp);
        sum.replayed_rows += by.replayed_rows;
        sum.discarded += by.discarded;
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (MessageKind, Operation, Increment)> {
        self.sums.drain().map(|((kind, operation), sum)| (kind, operation, sum))
    }
}
