//! Messages that the source wrote twice.
//!
//! A producer that gets no acknowledgement, because its connection broke or the broker gave its topic away, sends the
//! message again, and the first copy may be on the log all the same. It is the same message to the byte, its number
//! included. Milvus' own readers drop the second of two Inserts or Deletes with one number that wait for the same tick,
//! and no tick covers a message that is not acknowledged: so users of the source see its rows once.
//!
//! Here a repeat is recognized by number and largest timestamp for as long as the first copy is not released. After that
//! its timestamp alone tells that it is done with.

use std::collections::HashSet;

use harrier_milvus::tso::Timestamp;

use crate::message::RowsHead;

/// Messages that were read and not yet released: 16 bytes each.
#[derive(Debug, Default)]
pub(crate) struct Known(HashSet<(i64, Timestamp)>);

impl Known {
    pub(crate) fn add(&mut self, head: &RowsHead) {
        self.0.insert(identity(head));
    }

    pub(crate) fn has(&self, head: &RowsHead) -> bool {
        self.0.contains(&identity(head))
    }

    /// Forgets all others.
    pub(crate) fn keep_only<'a>(&mut self, heads: impl Iterator<Item = &'a RowsHead>) {
        self.0.clear();
        self.0.extend(heads.map(identity));
        // After a flood.
        self.0.shrink_to(2 * self.0.len());
    }
}

fn identity(head: &RowsHead) -> (i64, Timestamp) {
    (head.msg_id, head.max_ts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_message_is_a_repeat() {
        let head = |msg_id, max_ts| RowsHead { msg_id, max_ts, ..RowsHead::default() };
        let mut known = Known::default();
        known.add(&head(7, 10));
        assert!(known.has(&head(7, 10)));
        assert!(!known.has(&head(8, 10)), "another one of the same request");
        assert!(!known.has(&head(7, 11)), "a writer that gives a number twice");
        known.keep_only(std::iter::once(&head(8, 10)));
        assert!(!known.has(&head(7, 10)) && known.has(&head(8, 10)));
    }
}
