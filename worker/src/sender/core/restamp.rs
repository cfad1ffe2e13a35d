//! The timestamps with which messages go on the wire: their own, or the next above what was sent already.
//!
//! The order of *timestamps* must be kept, not that of the log: several proxies write, so an Insert at 10
//! may follow a Delete at 12 of its key. Therefore all messages that a source tick covers are stamped together.
//! Equal stays equal (an upsert is an Insert and a Delete with one timestamp). No new timestamp lies below the
//! old one, so everything sent has a source timestamp at or below the clock, which the replay window relies on.

use std::collections::BTreeMap;

use harrier_milvus::tso::Timestamp;

/// Source timestamp -> timestamp on the wire.
pub(crate) type Stamps = BTreeMap<Timestamp, Timestamp>;

/// Stamps for all of `timestamps`, above `above`; and the largest of them, or `above` if there are none.
pub(crate) fn stamps(
    timestamps: impl IntoIterator<Item = Timestamp>,
    above: Timestamp,
) -> (Stamps, Timestamp) {
    let mut stamps: Stamps = timestamps.into_iter().map(|timestamp| (timestamp, 0)).collect();
    let mut top = above;
    for (source, stamp) in &mut stamps {
        top = (*source).max(top + 1);
        *stamp = top;
    }
    (stamps, top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_no_stamp_goes_back() {
        let (stamps, top) = stamps([12, 10, 12, 105, 101], 100);
        assert_eq!(stamps.into_iter().collect::<Vec<_>>(), [(10, 101), (12, 102), (101, 103), (105, 105)]);
        assert_eq!(top, 105);
    }

    #[test]
    fn nothing_to_stamp_leaves_the_bound() {
        assert_eq!(super::stamps([], 7), (Stamps::new(), 7));
    }
}
