//! Messages on target channels that their sender did not write, summed up over the owners of each. Lost with the leader:
//! a new one begins with what the present owners have seen.

use std::collections::BTreeMap;

use harrier_proto::harrier::v1::SenderReport;

use super::owner_count::OwnerCount;
use crate::registry::{SenderId, State};

/// What somebody else wrote to one target channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignWrites {
    /// Messages since this leader began, and those that the owner at that time had seen.
    pub messages: u64,
    /// When the last of them was noticed, in unix milliseconds.
    pub seen_ms: u64,
}

/// By sender; only those where there were any.
#[derive(Default)]
pub(crate) struct ForeignTable {
    senders: BTreeMap<SenderId, Known>,
}

#[derive(Default)]
struct Known {
    writes: ForeignWrites,
    /// How many the last owner has seen.
    of_owner: OwnerCount,
}

impl ForeignTable {
    /// Takes a report of the present owner.
    pub(crate) fn put(&mut self, report: &SenderReport, now_ms: u64) {
        if report.foreign_messages == 0 {
            return;
        }
        let Known { writes, of_owner } = self.senders.entry(report.sender_id.clone()).or_default();
        let new = of_owner.take(report.epoch, report.foreign_messages);
        if new > 0 {
            writes.messages = writes.messages.saturating_add(new);
            // The worker's clock may be ahead of this one.
            writes.seen_ms = writes.seen_ms.max(report.foreign_seen_ms.min(now_ms));
        }
    }

    /// Forgets senders that are gone.
    pub(crate) fn retain_current(&mut self, state: &State) {
        self.senders.retain(|sender_id, _| state.senders.contains_key(sender_id));
    }

    pub(crate) fn snapshot(&self) -> BTreeMap<SenderId, ForeignWrites> {
        self.senders.iter().map(|(sender_id, known)| (sender_id.clone(), known.writes.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(epoch: u64, foreign_messages: u64, foreign_seen_ms: u64) -> SenderReport {
        let sender_id = "t/p".to_owned();
        SenderReport { sender_id, epoch, foreign_messages, foreign_seen_ms, ..SenderReport::default() }
    }

    #[test]
    fn messages_are_summed_up_over_owners_and_counted_once() {
        let mut table = ForeignTable::default();
        table.put(&report(1, 0, 0), 5);
        assert!(table.snapshot().is_empty());
        table.put(&report(1, 3, 10), 20);
        table.put(&report(1, 3, 10), 30);
        table.put(&report(1, 4, 40), 40);
        table.put(&report(2, 0, 0), 50);
        table.put(&report(2, 2, 900), 60);
        let found = table.snapshot();
        assert_eq!((found["t/p"].messages, found["t/p"].seen_ms), (6, 60));
        table.retain_current(&State::default());
        assert!(table.snapshot().is_empty());
    }
}
