//! Proof that nothing is missing between two entries. Pure.
//!
//! Ledgers are numbered over all topics, and the broker says nothing when retention took what was asked for: it goes on
//! with the next that is left. So reading begins at the *last entry that was read before*: if that comes first, nothing
//! behind it is gone. Within a ledger entries are dense. Where a ledger ends cannot be seen from outside; the entry that
//! begins another one is therefore believed only right behind such a beginning: whoever was further on begins once more
//! at the last entry of the old ledger, and sees the new one follow it in the broker's own order.

use super::super::LogError;
use super::position::Position;

/// What a topic must go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Continuity {
    /// At whatever is oldest.
    Oldest,
    /// Begun at the entry of this message, which was read before: it has to come first.
    From(Position),
    /// Read up to this message. `begun` = the broker was told to begin at its entry.
    At { last: Position, begun: bool },
}

/// What to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its messages behind this position are new; all if there is none.
    Read(Option<Position>),
    /// It was read before.
    Known,
    /// It begins a new ledger: begin again behind this message, to see that nothing lies between.
    Prove(Position),
}

impl Continuity {
    pub fn new(after: Option<Position>) -> Self {
        after.map_or(Self::Oldest, Self::From)
    }

    /// The last message that was read.
    pub fn last(&self) -> Option<Position> {
        match self {
            Self::Oldest => None,
            Self::From(last) | Self::At { last, .. } => Some(*last),
        }
    }

    /// Judges the next entry, at `at`.
    pub fn judge(&self, channel: &str, at: Position) -> Result<Verdict, LogError> {
        match *self {
            Self::Oldest => Ok(Verdict::Read(None)),
            Self::From(start) if at.same_entry(start) => Ok(Verdict::Read(Some(start))),
            Self::From(start) => Err(lost(channel, start, at)),
            Self::At { last, begun } => {
                if at.same_entry(last) || at < last {
                    return Ok(Verdict::Known);
                }
                if at.ledger == last.ledger && at.entry == last.entry + 1 {
                    return Ok(Verdict::Read(None));
                }
                if !begun {
                    return Ok(Verdict::Prove(last));
                }
                if at.ledger > last.ledger && at.entry == 0 {
                    Ok(Verdict::Read(None))
                } else {
                    Err(lost(channel, last, at))
                }
            }
        }
    }

    /// The entry whose last message is `last` was read.
    pub fn read(&mut self, last: Position) {
        let begun = matches!(self, Self::From(_));
        *self = Self::At { last, begun };
    }
}

/// The error for messages that are gone.
pub(super) fn lost(channel: &str, wanted: Position, newest_seen: Position) -> LogError {
    LogError::PositionLost {
        channel: channel.to_owned(),
        wanted: wanted.to_string(),
        oldest: newest_seen.to_string(),
        newest: newest_seen.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::super::position::Place;
    use super::*;

    fn entry(ledger: i64, entry: i64) -> Position {
        Position::new(ledger, entry, Place::InBatch(0))
    }

    #[test]
    fn reading_goes_on_only_behind_the_entry_that_was_read_last() {
        let continuity = Continuity::new(Some(entry(7, 4)));
        assert_eq!(continuity.judge("c", entry(7, 4)), Ok(Verdict::Read(Some(entry(7, 4)))));
        for first in [entry(7, 5), entry(9, 0), entry(7, 3), entry(2, 0)] {
            let error = continuity.judge("c", first).unwrap_err();
            assert!(
                matches!(error, LogError::PositionLost { ref wanted, .. } if wanted == "7:4:0"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_new_ledger_is_believed_only_right_behind_the_beginning() {
        let mut continuity = Continuity::new(None);
        assert_eq!(continuity.judge("c", entry(7, 0)), Ok(Verdict::Read(None)));
        continuity.read(entry(7, 0));
        assert_eq!(continuity.judge("c", entry(9, 0)), Ok(Verdict::Prove(entry(7, 0))));
        let mut again = Continuity::new(Some(entry(7, 0)));
        again.read(entry(7, 0));
        assert_eq!(again.judge("c", entry(9, 0)), Ok(Verdict::Read(None)));
        // It did not begin with its first entry, or one is missing within the ledger: seen twice, so they are gone.
        assert!(again.judge("c", entry(9, 1)).is_err());
        assert!(again.judge("c", entry(7, 2)).is_err());
    }

    #[test]
    fn what_comes_twice_is_left_out() {
        let continuity = Continuity::At { last: entry(7, 4), begun: false };
        for known in [entry(7, 4), entry(7, 3), entry(6, 90)] {
            assert_eq!(continuity.judge("c", known), Ok(Verdict::Known));
        }
    }

    /// A topic: the entries of its ledgers, of which retention may have taken some of the front.
    fn topic() -> impl Strategy<Value = Vec<Position>> {
        proptest::collection::vec((1_i64..4, 1_i64..6), 1..6).prop_map(|ledgers| {
            let mut ledger = 0;
            let mut entries = Vec::new();
            for (step, count) in ledgers {
                ledger += step;
                entries.extend((0..count).map(|number| entry(ledger, number)));
            }
            entries
        })
    }

    proptest! {
        /// A reader that is interrupted after every `every` entries of a topic, and whose broker trims whole ledgers
        /// meanwhile: what comes out is the topic, up to an error exactly where something is missing.
        #[test]
        fn an_interrupted_reader_reads_the_topic(
            topic in topic(), every in 1_usize..5, trim in proptest::option::of((0_usize..20, 0_i64..12)),
        ) {
            let mut left = topic.clone();
            let mut continuity = Continuity::new(None);
            let mut came: Vec<Position> = Vec::new();
            let mut result = Ok(());
            let mut opened = 0;
            'open: while came.last() != topic.last() {
                opened += 1;
                prop_assert!(opened < 1_000, "it goes on");
                if let Some((_, below)) = trim.filter(|(when, _)| *when < opened) {
                    // The ledger that is being written stays.
                    let newest = topic[topic.len() - 1].ledger;
                    left.retain(|at| at.ledger >= below.min(newest));
                }
                let start = continuity.last();
                let from = left.iter().position(|at| start.is_none_or(|start| *at >= start)).unwrap_or(left.len());
                continuity = Continuity::new(start);
                for (count, at) in left[from..].iter().enumerate() {
                    match continuity.judge("c", *at) {
                        Ok(Verdict::Read(behind)) => {
                            if behind.is_none_or(|behind| *at > behind) {
                                came.push(*at);
                            }
                            continuity.read(*at);
                        }
                        Ok(Verdict::Known) => {}
                        Ok(Verdict::Prove(_)) => continue 'open,
                        Err(error) => { result = Err(error); break 'open; }
                    }
                    // At least one entry beyond the one it begins with, or it would never go on.
                    if count >= every {
                        continue 'open;
                    }
                }
            }
            let begin = came.first().copied().unwrap_or(topic[0]);
            let begin = topic.iter().position(|at| *at == begin).unwrap();
            prop_assert_eq!(&came[..], &topic[begin..begin + came.len()], "no hole, nothing twice");
            if trim.is_none() {
                prop_assert_eq!(result, Ok(()));
                prop_assert_eq!(came, topic);
            }
        }
    }
}
