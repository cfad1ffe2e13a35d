//! What the source dropped and the target no longer has: its end goes into the data stream, where the target's data
//! nodes learn of it.
//!
//! The pack that carries an end also carries a tick at or above the creation of its collection: a data node is stuck
//! on a collection whose channels never had one, even when the collection is gone.

use std::collections::{BTreeMap, VecDeque};

use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::{DropAssignment, SenderAssignment};

use super::Core;
use super::pack::{Pack, Ready};
use crate::message;

/// The ends that this sender has to tell.
#[derive(Debug, Default)]
pub(crate) struct Drops {
    known: BTreeMap<String, End>,
}

#[derive(Debug)]
struct End {
    spec: DropAssignment,
    /// The pack that carries it.
    pack: Option<u64>,
}

/// Which input sets are behind us: packs of older ones may still be on their way.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    version: u64,
    /// Newer versions, and the last pack that was closed before each.
    waiting: VecDeque<(u64, u64)>,
    /// Until this pack is acknowledged, something may lie at the target without a tick.
    unticked_until: u64,
}

impl Settled {
    /// The first input set. A former owner, if there was one, may have left something behind without a tick: the first
    /// pack delivers it.
    pub(crate) fn first(version: u64, anything_sent: bool) -> Self {
        match anything_sent {
            false => Self { version, ..Self::default() },
            true => Self { version: 0, waiting: VecDeque::from([(version, 1)]), unticked_until: 1 },
        }
    }

    /// Some of what was sent may lie at the target without a tick: only `pack`, the next one, delivers it.
    pub(super) fn wait_for(&mut self, pack: u64) {
        self.unticked_until = pack;
        self.waiting.iter_mut().for_each(|(_, last_pack)| *last_pack = pack);
    }

    /// Whether it waits for this pack or a later one.
    fn needs(&self, pack: u64) -> bool {
        self.waiting.iter().any(|(_, last_pack)| *last_pack >= pack)
    }

    pub(super) fn change(&mut self, version: u64, last_pack: u64) {
        self.waiting.push_back((version, last_pack.max(self.unticked_until)));
    }

    pub(super) fn acknowledged(&mut self, pack: u64) {
        while let Some((version, last_pack)) = self.waiting.front().copied()
            && last_pack <= pack
        {
            self.version = self.version.max(version);
            self.waiting.pop_front();
        }
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }
}

impl Core {
    /// Takes over what is to be told; what is no longer asked for is known to the coordinators.
    pub(super) fn take_drops(&mut self, assignment: &SenderAssignment) {
        let mut known = std::mem::take(&mut self.drops.known);
        for spec in &assignment.drops {
            let end = known.remove(&spec.drop_id).unwrap_or_else(|| End { spec: spec.clone(), pack: None });
            self.drops.known.insert(spec.drop_id.clone(), end);
        }
        self.changed = true;
    }

    /// The least tick that a pack with the ends that were not sent yet can have.
    pub(super) fn tick_for_drops(&self) -> Option<Timestamp> {
        let next = self.clock.clock() + 1;
        let unsent = self.drops.known.values().filter(|end| end.pack.is_none());
        let tick = unsent.map(|end| end.spec.created_ts.max(next)).max();
        // An ordinary tick settles it as well, but there may be none: without inputs, or with the clock ahead of them.
        tick.max(self.settled.needs(self.pack_number).then_some(next))
    }

    /// The ends that were not sent yet, for the pack that is being closed.
    pub(super) fn put_drops(&mut self, tick: Timestamp, pack: &mut Pack) {
        for end in self.drops.known.values_mut().filter(|end| end.pack.is_none()) {
            end.pack = Some(self.pack_number);
            let bytes = message::end_of(&end.spec, tick, self.ids.next());
            pack.put(Ready { bytes, max_ts: tick, collection: None, rows: 0 });
        }
    }

    /// Nobody knows what became of the packs that were not acknowledged. Telling an end twice does no harm.
    pub(super) fn tell_drops_again(&mut self) {
        let acked = self.acked_pack;
        for end in self.drops.known.values_mut().filter(|end| end.pack.is_some_and(|pack| pack > acked)) {
            end.pack = None;
        }
    }

    /// Those that the target has taken.
    pub(super) fn told_drops(&self) -> Vec<String> {
        let told = |end: &End| end.pack.is_some_and(|pack| pack <= self.acked_pack);
        self.drops.known.iter().filter(|(_, end)| told(end)).map(|(id, _)| id.clone()).collect()
    }
}
