//! Proof that nothing is missing between two batches. Pure.
//!
//! On a topic that Milvus writes every offset is a message. Two things may take offsets without being messages, and both
//! are seen: the end of a transaction is a batch of its own, and what a broken-off transaction wrote still comes, and is
//! passed over. So an offset that does not come was taken out of the log: by compaction, as retention only cuts its front.

use std::collections::BTreeSet;

use super::super::LogError;
use super::batch::Batch;

/// What a channel must go on with.
#[derive(Debug)]
pub(super) struct Continuity {
    next: i64,
    /// Broken-off transactions that begin further on: offset of the first message, producer.
    aborted: BTreeSet<(i64, i64)>,
    /// Producers in the middle of one.
    aborting: BTreeSet<i64>,
}

impl Continuity {
    pub(super) const fn new(next: i64) -> Self {
        Self { next, aborted: BTreeSet::new(), aborting: BTreeSet::new() }
    }

    /// The offset that is due.
    pub(super) const fn next(&self) -> i64 {
        self.next
    }

    /// A new answer: each names anew the broken-off transactions (producer, first offset) that reach into it.
    pub(super) fn begin_answer(&mut self, aborted: &[(i64, i64)]) {
        self.aborted = aborted.iter().map(|(producer, first)| (*first, *producer)).collect();
        self.aborting.clear();
    }

    /// Takes the next batch: the offset from which on its messages count, if any do.
    pub(super) fn accept(&mut self, channel: &str, batch: &Batch) -> Result<Option<i64>, LogError> {
        let due = self.next;
        if batch.first > due {
            return Err(missing(channel, due, batch.first));
        }
        while let Some((first, producer)) = self.aborted.first().copied()
            && first <= batch.last
        {
            self.aborted.remove(&(first, producer));
            self.aborting.insert(producer);
        }
        if batch.control {
            self.aborting.remove(&batch.producer);
        }
        if batch.last < due {
            return Ok(None);
        }
        self.next = batch.last.saturating_add(1);
        let passed_over = batch.control || (batch.transactional && self.aborting.contains(&batch.producer));
        Ok((!passed_over).then_some(due))
    }
}

/// The error for messages that are gone from within the log.
pub(super) fn missing(channel: &str, from: i64, to: i64) -> LogError {
    LogError::Unsupported(format!(
        "channel {channel} misses the messages from offset {from} to {}: the topic is compacted; set its cleanup.policy \
         to delete, delete this task with its collections at the target and create it again",
        to.saturating_sub(1)
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::log::wire::compression::Packing;

    fn batch(first: i64, last: i64) -> Batch {
        Batch {
            first,
            last,
            packing: Packing::None,
            producer: -1,
            transactional: false,
            control: false,
            record_count: 0,
            records: Bytes::new(),
        }
    }

    fn of_transaction(first: i64, last: i64, producer: i64, control: bool) -> Batch {
        Batch { producer, transactional: true, control, ..batch(first, last) }
    }

    #[test]
    fn a_row_of_batches_passes_and_the_first_may_begin_before() {
        let mut continuity = Continuity::new(12);
        assert_eq!(continuity.accept("c", &batch(5, 9)).unwrap(), None, "all of it was read before");
        assert_eq!(continuity.accept("c", &batch(10, 14)).unwrap(), Some(12));
        assert_eq!(continuity.accept("c", &batch(15, 15)).unwrap(), Some(15));
        assert_eq!(continuity.next(), 16);
    }

    #[test]
    fn a_hole_is_an_error_that_names_it() {
        let mut continuity = Continuity::new(12);
        let error = continuity.accept("c", &batch(15, 20)).unwrap_err().to_string();
        assert!(error.contains("offset 12 to 14"), "{error}");
        assert_eq!(continuity.next(), 12, "it is still due");
    }

    #[test]
    fn ends_of_transactions_take_offsets_and_broken_off_ones_give_no_messages() {
        let mut continuity = Continuity::new(0);
        // Producer 7 breaks off what it wrote from offset 1 on; producer 8 commits.
        continuity.begin_answer(&[(7, 1)]);
        let mut accept = |batch| continuity.accept("c", &batch).unwrap();
        assert_eq!(accept(of_transaction(0, 0, 8, false)), Some(0));
        assert_eq!(accept(of_transaction(1, 2, 7, false)), None);
        assert_eq!(accept(batch(3, 3)), Some(3));
        assert_eq!(accept(of_transaction(4, 4, 7, true)), None);
        assert_eq!(accept(of_transaction(5, 5, 8, true)), None);
        assert_eq!(accept(of_transaction(6, 6, 7, false)), Some(6), "its next transaction is another one");
        assert_eq!(continuity.next(), 7);
    }

    proptest! {
        /// However a log is cut into batches, and wherever reading begins: every offset comes once, or an error does.
        #[test]
        fn no_offset_is_passed_over(
            lengths in proptest::collection::vec(1_i64..6, 1..20),
            start in 0_i64..40,
            away in proptest::option::of(0_usize..20),
        ) {
            let mut first = 0;
            let mut batches: Vec<_> = lengths.iter().map(|length| {
                let batch = batch(first, first + length - 1);
                first += length;
                batch
            }).collect();
            let end = first;
            let start = start.min(end);
            let away = away.filter(|index| *index < batches.len());
            let removed = away.map(|index| batches.remove(index));
            let mut continuity = Continuity::new(start);
            let mut came = Vec::new();
            let mut failed = false;
            for batch in &batches {
                match continuity.accept("c", batch) {
                    Ok(Some(from)) => came.extend(from..=batch.last),
                    Ok(None) => {}
                    Err(_) => { failed = true; break; }
                }
            }
            prop_assert_eq!(&came, &(start..start + came.len() as i64).collect::<Vec<_>>());
            prop_assert_eq!(continuity.next(), start + came.len() as i64);
            let hole = removed.is_some_and(|batch| batch.last >= start && batch.last < end - 1);
            prop_assert_eq!(failed, hole);
        }
    }
}
