//! The timestamps with which messages go on the wire: their own, or the next above what was sent already.
//!
//! The order of *timestamps* must be kept, not that of the log: several proxies write, so an Insert at 10
//! may follow a Delete at 12 of its key. Therefore all messages that a source tick covers are stamped together.
//! Equal stays equal (an upsert is an Insert and a Delete with one timestamp). No new timestamp lies below the
//! old one, so everything sent has a source timestamp at or below the clock, which the replay window relies on.

use harrier_milvus::tso::Timestamp;

use crate::message::Restamp;

/// Source timestamp -> timestamp on the wire.
///
/// The n-th of the different timestamps becomes `above + n`, unless it is larger already; from the first such one on
/// all keep theirs. So only those before it have to be remembered: mostly none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamps {
    above: Timestamp,
    /// Those that get another one, in rising order.
    moved: Vec<Timestamp>,
    any: bool,
    top: Timestamp,
}

impl Stamps {
    /// Stamps for all of `timestamps`, above `above`.
    pub(crate) fn new(mut timestamps: Vec<Timestamp>, above: Timestamp) -> Self {
        timestamps.sort_unstable();
        timestamps.dedup();
        let any = !timestamps.is_empty();
        let stays = |(above, timestamp): (Timestamp, &Timestamp)| *timestamp > above;
        let moved = (above..).zip(&timestamps).position(stays).unwrap_or(timestamps.len());
        let top = match timestamps.last() {
            Some(last) if moved < timestamps.len() => *last,
            _ => above + moved as u64,
        };
        timestamps.truncate(moved);
        timestamps.shrink_to_fit();
        Self { above, moved: timestamps, any, top }
    }

    /// The largest stamp; the bound if there are none.
    pub(crate) fn top(&self) -> Timestamp {
        self.top
    }

    /// Nothing was to be stamped.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any
    }

    /// All stamps are the old timestamps.
    pub(crate) fn keeps_all(&self) -> bool {
        self.moved.is_empty()
    }
}

impl Restamp for Stamps {
    fn stamp(&self, source: Timestamp) -> Option<Timestamp> {
        match self.moved.binary_search(&source) {
            Ok(rank) => Some(self.above + 1 + rank as u64),
            // One that was not among them must not get in between.
            Err(_) => (source > self.above + self.moved.len() as u64).then_some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_is_kept_and_no_stamp_goes_back() {
        let stamps = Stamps::new(vec![12, 10, 12, 105, 101], 100);
        let stamped = [10, 12, 101, 105].map(|source| stamps.stamp(source));
        assert_eq!(stamped, [Some(101), Some(102), Some(103), Some(105)]);
        assert_eq!((stamps.top(), stamps.keeps_all()), (105, false));
        assert_eq!(stamps.stamp(11), None);
        assert_eq!(stamps.stamp(102), None);
    }

    #[test]
    fn nothing_to_stamp_leaves_the_bound() {
        let stamps = Stamps::new(Vec::new(), 7);
        assert!(stamps.is_empty() && stamps.keeps_all());
        assert_eq!(stamps.top(), 7);
    }

    proptest! {
        #[test]
        fn each_gets_the_least_that_keeps_the_order(
            timestamps in prop::collection::vec(0u64..60, 0..40),
            above in 0u64..80,
        ) {
            let mut expected: BTreeMap<u64, u64> = timestamps.iter().map(|timestamp| (*timestamp, 0)).collect();
            let mut top = above;
            for (source, stamp) in &mut expected {
                top = (*source).max(top + 1);
                *stamp = top;
            }
            let stamps = Stamps::new(timestamps, above);
            prop_assert_eq!(stamps.top(), top);
            prop_assert_eq!(stamps.keeps_all(), expected.iter().all(|(source, stamp)| source == stamp));
            for (source, stamp) in expected {
                prop_assert_eq!(stamps.stamp(source), Some(stamp));
            }
        }
    }
}
