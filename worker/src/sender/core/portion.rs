//! How much of what may be sent goes into the next pack: about one call.
//!
//! Progress is made pack by pack: only the tick at its end, acknowledged, moves the checkpoints. A pack of many calls to
//! a target that fails one of them now and then would go again as a whole, for ever. So a pack takes up to some source
//! timestamp only; what lies above it follows with the next one.

use std::collections::{BTreeMap, HashMap};

use harrier_milvus::tso::Timestamp;

use super::Core;
use super::shard::{Held, Place, RowsKind, Shard, ShardKey};

/// An integer key and its timestamp, as varints.
const KEY_BYTES: usize = 16;

/// Up to which source timestamps the shards contribute. Those that hold the tick go together, or some of them would
/// come too late for it; the others go by themselves, or their backlog would hold the tick.
#[derive(Debug, Default)]
pub(super) struct Portions {
    main: Option<Timestamp>,
    others: HashMap<ShardKey, Timestamp>,
}

impl Portions {
    /// For the shards that hold the tick, and for the tick.
    pub(super) fn of_tick(&self) -> Timestamp {
        self.main.unwrap_or(Timestamp::MAX)
    }

    pub(super) fn of(&self, key: ShardKey, shard: &Shard) -> Timestamp {
        match shard.place {
            Place::Main => self.of_tick(),
            _ => self.others.get(&key).copied().unwrap_or(Timestamp::MAX),
        }
    }
}

/// A message that may be sent.
#[derive(Clone, Copy, Debug)]
struct Piece {
    min_ts: Timestamp,
    max_ts: Timestamp,
    bytes: usize,
}

impl Core {
    /// What of all that is covered up to `limit` fits into one call.
    pub(super) fn portions(&self, limit: Timestamp) -> Portions {
        let watermark = self.watermark();
        let mut groups: BTreeMap<Option<ShardKey>, Vec<Piece>> = BTreeMap::new();
        let mut whole = Vec::new();
        for (key, shard) in &self.shards {
            let until = shard.releasable_until(watermark).min(limit);
            let group = if shard.place == Place::Main { None } else { Some(*key) };
            if shard.skipped.as_ref().is_some_and(|skipped| skipped.is_covered(until)) {
                // It is read again from its beginning to its end in any case.
                whole.push(group);
            }
            let pieces = pieces(shard, until);
            if !pieces.is_empty() {
                groups.entry(group).or_default().extend(pieces);
            }
        }
        let bytes: usize = groups.values().flatten().map(|piece| piece.bytes).sum();
        if bytes <= self.call_bytes_limit {
            return Portions::default();
        }
        let share = self.call_bytes_limit / groups.len();
        let mut portions = Portions::default();
        for (group, pieces) in groups.into_iter().filter(|(group, _)| !whole.contains(group)) {
            let until = cut(pieces, share);
            match group {
                None => portions.main = Some(until),
                Some(key) => {
                    portions.others.insert(key, until);
                }
            }
        }
        portions
    }
}

fn pieces(shard: &Shard, until: Timestamp) -> Vec<Piece> {
    let covered = shard.held.iter().filter(|held| held.head.max_ts <= until && until > shard.released);
    let piece = |held: &Held| Piece {
        min_ts: held.head.min_ts,
        max_ts: held.head.max_ts,
        bytes: held.payload.len() + deletion_bytes(shard, held),
    };
    covered.map(piece).collect()
}

/// About what the deletion of its keys takes that goes with what may be at the target already.
fn deletion_bytes(shard: &Shard, held: &Held) -> usize {
    let replays = held.kind == RowsKind::Insert && held.head.min_ts <= shard.replay_until;
    if replays { usize::try_from(held.head.rows).unwrap_or(0) * KEY_BYTES } else { 0 }
}

/// The timestamp up to which about `bytes_max` go, and at least something. No message lies on both sides of it: what
/// one of them deletes between the timestamps of another has to stay between them.
fn cut(mut pieces: Vec<Piece>, bytes_max: usize) -> Timestamp {
    pieces.sort_unstable_by_key(|piece| piece.max_ts);
    let mut bytes = 0;
    let fits = |piece: &&Piece| {
        bytes += piece.bytes;
        bytes <= bytes_max
    };
    let fitting = pieces.iter().take_while(fits).count();
    let Some(first_out) = pieces.get(fitting).map(|piece| piece.max_ts) else { return Timestamp::MAX };
    // All of one timestamp go together.
    let inside = pieces[..fitting].iter().rev().map(|piece| piece.max_ts).find(|ts| *ts < first_out);
    let mut until = inside.unwrap_or(pieces[0].max_ts);
    for piece in &pieces {
        if piece.max_ts > until && piece.min_ts <= until {
            until = piece.max_ts;
        }
    }
    until
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(min_ts: Timestamp, max_ts: Timestamp, bytes: usize) -> Piece {
        Piece { min_ts, max_ts, bytes }
    }

    #[test]
    fn as_much_as_fits_but_never_a_part_of_one_timestamp_and_never_nothing() {
        let pieces = vec![piece(30, 30, 10), piece(10, 10, 10), piece(20, 20, 10), piece(20, 20, 10)];
        assert_eq!(cut(pieces.clone(), 100), Timestamp::MAX);
        assert_eq!(cut(pieces.clone(), 30), 20);
        assert_eq!(cut(pieces.clone(), 25), 10);
        assert_eq!(cut(pieces, 1), 10);
    }

    #[test]
    fn a_message_of_several_timestamps_is_not_cut_through() {
        let pieces = vec![piece(10, 10, 10), piece(5, 20, 10), piece(15, 30, 10), piece(31, 31, 10)];
        assert_eq!(cut(pieces, 10), 30);
    }
}
