//! The first tick of what was created at the target. Until a tick at or above its creation has followed, the target's
//! data node watches no collection that is created later.
//!
//! Mostly the next tick of the inputs is that tick. Without inputs (their task was paused or deleted), or with inputs
//! that are far behind, it goes out by itself; what the inputs bring later is stamped above it.

use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::SenderAssignment;

use super::Core;
use super::shard::Place;

/// How long inputs that are behind may hold it up. Rows that follow a tick which went ahead of them lose their own
/// timestamps, so this is not shorter than an ordinary start takes.
const PATIENCE_MS: u64 = 10_000;

/// At most one is due: the highest.
#[derive(Debug, Default)]
pub(super) struct DueTick {
    tick: Timestamp,
    /// The input version with which it became due; 0 = none is.
    version: u64,
    since_ms: u64,
    /// The pack that carries it.
    pack: Option<u64>,
}

impl DueTick {
    const fn is_open(&self) -> bool {
        self.version > 0 && self.pack.is_none()
    }

    /// A pack with this tick is closed.
    pub(super) fn put_tick(&mut self, tick: Timestamp, pack: u64) {
        if self.is_open() && tick >= self.tick {
            self.pack = Some(pack);
        }
    }

    /// Nobody knows what became of packs above this one.
    pub(super) fn forget_unacknowledged(&mut self, acked_pack: u64) {
        self.pack = self.pack.filter(|pack| *pack <= acked_pack);
    }

    /// The version whose tick the target has; 0 = none.
    pub(super) fn ticked_version(&self, acked_pack: u64) -> u64 {
        if self.pack.is_some_and(|pack| pack <= acked_pack) { self.version } else { 0 }
    }
}

impl Core {
    pub(super) fn take_due_tick(&mut self, assignment: &SenderAssignment) {
        if assignment.due_version <= self.due.version {
            return;
        }
        let (tick, version) = (assignment.due_tick, assignment.due_version);
        // Only a pack that is closed from now on follows the creation.
        self.due = DueTick { tick, version, since_ms: self.now_ms, pack: None };
        self.changed = true;
    }

    /// The least tick that a pack must have to carry the one that is due, if it is not left to the inputs.
    pub(super) fn tick_that_is_due(&mut self) -> Option<Timestamp> {
        let driven = self.shards.values().any(|shard| shard.place != Place::Detached);
        let patient = driven && self.now_ms < self.due.since_ms + PATIENCE_MS;
        if !self.due.is_open() || patient {
            return None;
        }
        // The source has handed it out, so ticks may go there. Not observed before: the horizon follows.
        self.clock.observe(self.due.tick);
        let tick = self.due.tick.max(self.clock.clock() + 1);
        // Rows may go with it, so the target's clock has to be near.
        (tick <= self.ceiling).then_some(tick)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::sync::Arc;

    use bytes::Bytes;
    use harrier_milvus::log::LogMessage;
    use harrier_proto::harrier::v1::ShardAssignment;
    use harrier_proto::milvus::ReplicateMessageRequest;

    use super::super::{CoreConfig, CoreStart, HoldConfig, LogEnds};
    use super::*;
    use crate::message::timetick;

    const DUE: Timestamp = 1_000 << 18;

    fn assignment(input_version: u64, due_version: u64, shards: &[&str]) -> SenderAssignment {
        let shard = |channel: &&str| ShardAssignment {
            shard_id: (*channel).into(),
            source_pchannel: (*channel).into(),
            ..Default::default()
        };
        SenderAssignment {
            horizon: 2 * DUE,
            input_version,
            due_tick: DUE,
            due_version,
            shards: shards.iter().map(shard).collect(),
            ..Default::default()
        }
    }

    fn core(assignment: &SenderAssignment) -> Core {
        let config = CoreConfig {
            merge_bytes_max: 1000,
            call_bytes_max: 1000,
            interval_bytes_max: 1 << 20,
            tick_interval_ms: 200,
            lookahead_ms_min: 5000,
            hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
        };
        let order = Arc::new(|a: &[u8], b: &[u8]| a.cmp(b));
        Core::new(config, assignment, order, &CoreStart { now_ms: 1000, ..Default::default() })
    }

    fn source_ticks(core: &mut Core, tick: Timestamp) {
        for plan in core.readers() {
            let position = Bytes::from(tick.to_be_bytes().to_vec());
            let message = LogMessage { position, payload: timetick(tick, 1), streaming: false };
            core.on_messages(plan.feed, plan.generation, vec![message], &None).unwrap();
        }
    }

    fn ticked(core: &mut Core) -> u64 {
        core.report(0, 0).ticked_version
    }

    /// A tick above all that is on the source's log waits until the coordinators know how far it may go.
    fn next_call_when_granted(core: &mut Core, now_ms: u64) -> ReplicateMessageRequest {
        let heartbeat = |core: &mut Core, at_ms: u64| {
            let wanted = core.report(at_ms, 0).wanted_horizon;
            core.grant(wanted);
            core.next_call(at_ms)
        };
        assert!(core.next_call(now_ms).is_none());
        (1..4).find_map(|beat| heartbeat(core, now_ms + 250 * beat)).unwrap()
    }

    #[test]
    fn without_inputs_it_goes_out_by_itself_and_once() {
        let mut core = core(&assignment(3, 2, &[]));
        let call = core.next_call(1000).unwrap();
        assert_eq!((call.end_ts, call.msgs.len(), ticked(&mut core)), (DUE, 1, 0));
        core.on_acknowledged();
        assert_eq!(ticked(&mut core), 2);
        assert!(core.next_call(2000).is_none());
        core.update(&assignment(4, 2, &[]), &LogEnds::new(), 2100);
        assert!(core.next_call(3000).is_none(), "another version, the same tick");
        core.update(&assignment(5, 5, &[]), &LogEnds::new(), 3000);
        assert_eq!(next_call_when_granted(&mut core, 4000).end_ts, DUE + 1, "of something created since");
        core.on_acknowledged();
        assert_eq!(ticked(&mut core), 5);
    }

    #[test]
    fn after_an_unknown_outcome_it_goes_again() {
        let mut core = core(&assignment(1, 1, &[]));
        core.next_call(1000).unwrap();
        core.on_unknown_outcome();
        assert_eq!(ticked(&mut core), 0);
        assert_eq!(next_call_when_granted(&mut core, 2000).end_ts, DUE + 1);
        core.on_acknowledged();
        assert_eq!(ticked(&mut core), 1);
    }

    #[test]
    fn inputs_bring_it_unless_they_leave() {
        let mut core = core(&assignment(1, 1, &["a"]));
        source_ticks(&mut core, DUE - 5);
        assert_eq!(core.next_call(1500).unwrap().end_ts, DUE - 5);
        core.on_acknowledged();
        assert_eq!(ticked(&mut core), 0);
        source_ticks(&mut core, DUE + 7);
        assert_eq!(core.next_call(2000).unwrap().end_ts, DUE + 7);
        core.on_acknowledged();
        assert_eq!(ticked(&mut core), 1);

        core.update(&assignment(2, 2, &["a"]), &LogEnds::new(), 2100);
        assert!(core.next_call(3000).is_none(), "the inputs tick soon");
        core.update(&assignment(3, 2, &[]), &LogEnds::new(), 3100);
        assert_eq!(next_call_when_granted(&mut core, 3300).end_ts, DUE + 8);
    }

    #[test]
    fn inputs_that_are_far_behind_do_not_hold_it_up_for_ever() {
        let mut core = core(&assignment(1, 1, &["a"]));
        source_ticks(&mut core, 500 << 18);
        assert_eq!(core.next_call(1500).unwrap().end_ts, 500 << 18);
        core.on_acknowledged();
        assert!(core.next_call(1000 + PATIENCE_MS - 1).is_none());
        assert_eq!(core.next_call(1000 + PATIENCE_MS + 200).unwrap().end_ts, DUE);
    }

    #[test]
    fn a_tick_on_its_way_when_the_collection_was_created_does_not_count() {
        let mut core = core(&assignment(1, 0, &["a"]));
        source_ticks(&mut core, DUE + 5);
        core.next_call(1500).unwrap();
        core.update(&assignment(2, 2, &["a"]), &LogEnds::new(), 1600);
        core.on_acknowledged();
        assert_eq!(ticked(&mut core), 0);
        source_ticks(&mut core, DUE + 9);
        core.next_call(2500).unwrap();
        core.on_acknowledged();
        assert_eq!(ticked(&mut core), 2);
    }
}
