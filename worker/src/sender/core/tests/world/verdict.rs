//! What must hold: finally the rows of the source, and at any time what was said to be there.

use std::collections::BTreeMap;

use super::super::super::request::Call;
use super::super::history::Row;
use super::super::target::Situation;
use super::{Disturbances, World};

impl World {
    /// Every row that the source wrote up to the confirmed timestamp of its shard, and did not touch afterwards, is
    /// visible. What is sent again may hide rows for a moment.
    pub(super) fn assert_confirmed(&mut self) {
        if self.quiet || !self.random.chance(10) {
            return;
        }
        let visible = self.target.visible();
        let sure = |row: &&Row| {
            let shard = &self.shards[row.shard];
            shard.checkpoint.replay_until == 0
                && shard.active
                && row.value as u64 <= shard.confirmed
                && !self.is_dropped(row)
                && !self.is_touched_after(row, shard.confirmed)
        };
        for row in self.history.rows.iter().filter(sure) {
            assert!(visible.contains_key(row), "{row:?} is said to be there");
        }
    }

    /// What is held, and what is on its way while a pack is read a second time, after a batch of so many bytes.
    pub(super) fn assert_bounded(&self, batch_bytes: usize) {
        let core = &self.core;
        assert!(core.held_bytes <= self.config.interval_bytes_max, "{} bytes are held", core.held_bytes);
        let Some(open) = &core.open else { return };
        let in_calls: usize = core.flights.iter().flat_map(|flight| &flight.calls).map(Call::bytes).sum();
        // Deletions may be as large as the Insertions beside them; heads, also of what is merged: one message per shard,
        // partition and kind, or more when it is split; and a tick per call.
        let messages = core.flights.iter().flat_map(|flight| &flight.calls).map(|call| call.messages.len());
        let heads = 200 * (100 + messages.sum::<usize>());
        let bound =
            self.config.call_bytes_max + 2 * (batch_bytes + 2 * self.config.interval_bytes_max) + heads;
        assert!(in_calls + open.pack.bytes() <= bound, "{in_calls} bytes in calls, bound {bound}");
    }

    fn is_touched_after(&self, row: &Row, ts: u64) -> bool {
        let mut writes = self.history.writes.iter();
        writes.any(|write| write.shard == row.shard && write.max_ts() > ts && write.keys.contains(&row.key))
    }

    fn expected(&self) -> BTreeMap<Row, usize> {
        let there = self.history.rows.iter().filter(|row| !self.is_dropped(row));
        there.map(|row| (row.clone(), 1)).collect()
    }

    pub(super) fn is_equal_of(&self, shard: usize) -> bool {
        let of_shard = |rows: BTreeMap<Row, usize>| -> BTreeMap<Row, usize> {
            rows.into_iter().filter(|(row, _)| row.shard == shard).collect()
        };
        of_shard(self.target.visible()) == of_shard(self.expected())
    }

    pub(super) fn is_equal(&self) -> bool {
        self.drops.is_empty() && self.target.visible() == self.expected()
    }

    /// The property.
    pub(in super::super) fn assert_equal(&self) {
        assert!(self.drops.is_empty(), "drops are not through");
        let expected = self.expected();
        let found = self.target.visible();
        let missing: Vec<_> = expected.keys().filter(|row| !found.contains_key(row)).collect();
        let wrong: Vec<_> = found.iter().filter(|(row, count)| expected.get(row) != Some(count)).collect();
        assert!(missing.is_empty() && wrong.is_empty(), "missing {missing:?}, too many {wrong:?}");
        if self.disturbances
            == (Disturbances {
                memory: self.disturbances.memory,
                target: self.disturbances.target,
                ..Disturbances::default()
            })
        {
            self.assert_own_timestamps();
        }
        if !self.disturbances.leaves_doubt() {
            assert!(!self.replayed, "rows went in the idempotent form for no reason");
        }
    }

    fn assert_own_timestamps(&self) {
        // A tick may lie between the timestamps of one message: then it leaves behind it, stamped anew.
        let restamped = self.target.restamped().into_iter().find(|ts| !self.history.is_of_several(*ts));
        assert_eq!(restamped, None, "a row did not keep its timestamp");
        let rows_up_to = |ts| -> usize {
            let inserts = self.history.writes.iter().filter(|write| write.insert && write.max_ts() <= ts);
            inserts.map(|write| write.keys.len()).sum()
        };
        // Once each. Both are equal also while rows that cancel each other out are still to come.
        let (acknowledged, all) = (rows_up_to(self.core.acked_tick()), rows_up_to(u64::MAX));
        let written = self.target.rows_written;
        assert!(
            (acknowledged..=all).contains(&written),
            "{written} rows written, of {acknowledged} to {all}"
        );
    }
}

impl Disturbances {
    /// Whether anything can happen after which nobody knows what the target has.
    fn leaves_doubt(self) -> bool {
        self.crashes || self.unknown || self.late || self.tasks || self.sizes || self.refusals
    }
}

impl World {
    /// Whether the target came into this situation.
    pub(in super::super) fn has_met(&self, situation: Situation) -> bool {
        self.target.situations.contains(&situation)
    }
}
