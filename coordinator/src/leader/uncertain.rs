//! How often it could not be known what a target has, so that it was sent again: by sender, summed up over its owners.
//! Lost with the leader: a new one begins with what the present owners have counted.

use std::collections::BTreeMap;

use harrier_proto::harrier::v1::SenderReport;

use super::owner_count::OwnerCount;
use crate::registry::{SenderId, State};

/// By sender; only those where there were any.
#[derive(Default)]
pub(crate) struct UncertainTable {
    senders: BTreeMap<SenderId, (u64, OwnerCount)>,
}

impl UncertainTable {
    /// Takes a report of the present owner.
    pub(crate) fn put(&mut self, report: &SenderReport) {
        if report.windows_opened == 0 {
            return;
        }
        let (opened, of_owner) = self.senders.entry(report.sender_id.clone()).or_default();
        *opened = opened.saturating_add(of_owner.take(report.epoch, report.windows_opened));
    }

    /// Forgets senders that are gone.
    pub(crate) fn retain_current(&mut self, state: &State) {
        self.senders.retain(|sender_id, _| state.senders.contains_key(sender_id));
    }

    pub(crate) fn snapshot(&self) -> BTreeMap<SenderId, u64> {
        self.senders.iter().map(|(sender_id, (opened, _))| (sender_id.clone(), *opened)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_summed_up_over_owners() {
        let mut table = UncertainTable::default();
        let mut put = |epoch, windows_opened| {
            let sender_id = "t/p".to_owned();
            table.put(&SenderReport { sender_id, epoch, windows_opened, ..SenderReport::default() });
            table.snapshot().get("t/p").copied()
        };
        assert_eq!([put(1, 0), put(1, 2), put(1, 2), put(2, 1)], [None, Some(2), Some(2), Some(3)]);
        table.retain_current(&State::default());
        assert!(table.snapshot().is_empty());
    }
}
