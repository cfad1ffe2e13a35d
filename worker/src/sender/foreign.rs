//! Messages on the target pchannel that its sender did not write. Pure.
//!
//! The position that the target returns grows by one for each message of the pchannel (on NATS, Kafka and Pulsar; on
//! RocksMQ it cannot be told). A larger step than the number of messages sent is somebody else's write:
//! - **the target's own**: one message to each pchannel of a collection that it creates, and nothing else (measured:
//!   no other change of metadata, no restart writes any). The step shows before the mapping of the new collection
//!   arrives here as a new target vchannel, which a collection with hundreds of partitions takes long for. So a single
//!   message gets much time to be explained by one, and several at once, which two creations hardly ever write, little;
//! - **a call of this sender whose outcome was unknown**, if it is executed before the next one. Executed later, it
//!   is like somebody else's: what it brings was sent again long before;
//! - **a call of a former owner**, executed late, or **another writer**: nothing explains it.
//!
//! The first position of an owner has none to be compared with, and needs none: a late call that comes before the
//! first call of the new owner does no harm, because all that it may hold is sent again behind it, above its
//! timestamps. The same holds after a call of unknown outcome. What comes behind a sender's own call is seen.
//!
//! **Several calls of unknown outcome in a row** may have been executed in another order: the rows of one then lie
//! below the tick of the next, and positions do not tell, as all of them are this sender's own. Nothing is doubled, but
//! a flush is owed (on RocksMQ as well), because a growing segment that begins with such a row goes out of view.

use std::collections::{BTreeSet, VecDeque};

use harrier_milvus::client::ReplicatePosition;
use harrier_proto::harrier::v1::SenderAssignment;

/// What is known of the pchannel's writers.
#[derive(Debug, Default)]
pub(crate) struct ForeignWrites {
    grace: Grace,
    last: Option<ReplicatePosition>,
    /// Messages of the call that is on its way.
    in_flight: u64,
    /// Messages of calls of unknown outcome since the last position.
    perhaps_ours: u64,
    /// Calls of unknown outcome since the last position; that of a former owner counts.
    unknown_calls: u32,
    /// They were several.
    disordered: bool,
    /// Target vchannels of the present inputs.
    vchannels: BTreeSet<String>,
    /// New vchannels whose step was not seen yet: until when each explains a message, in milliseconds.
    creations: VecDeque<u64>,
    suspects: VecDeque<Suspect>,
}

/// How long messages may wait for their explanation, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Grace {
    /// A single one.
    pub single_ms: u64,
    /// Several between two calls.
    pub several_ms: u64,
}

#[derive(Debug)]
struct Suspect {
    seen_ms: u64,
    messages: u64,
    /// There was more than one message at first.
    several: bool,
    answered: bool,
}

/// What a sender has to do about foreign messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Messages that nothing has explained in time.
    pub unexplained: u64,
    /// What may have been doubled is to be sent again.
    pub send_again: bool,
    /// Rows may have been written below a tick that was.
    pub flush: bool,
}

impl ForeignWrites {
    pub(crate) fn new(assignment: &SenderAssignment, grace: Grace) -> Self {
        // Collections of the first inputs were created before the first position.
        let unknown_calls = u32::from(assignment.unclean);
        Self { grace, unknown_calls, vchannels: target_vchannels(assignment), ..Self::default() }
    }

    /// A new input set: each vchannel that was not there before may be that of a collection just created.
    pub(crate) fn update(&mut self, assignment: &SenderAssignment, now_ms: u64) {
        let present = target_vchannels(assignment);
        let new = present.difference(&self.vchannels).count();
        self.vchannels = present;
        for _ in 0..new {
            if !self.explain_one() {
                // The next call shows the step.
                self.creations.push_back(now_ms.saturating_add(self.grace.several_ms));
            }
        }
    }

    /// A single message rather than one of several.
    fn explain_one(&mut self) -> bool {
        let Some(suspect) = self.suspects.iter_mut().min_by_key(|suspect| suspect.several) else {
            return false;
        };
        suspect.messages -= 1;
        self.suspects.retain(|suspect| suspect.messages > 0);
        true
    }

    /// A call with this many messages goes out.
    pub(crate) fn calling(&mut self, messages: usize) {
        self.in_flight = messages as u64;
    }

    /// Nobody knows how many messages of the last call were written.
    pub(crate) fn unknown_outcome(&mut self) {
        self.perhaps_ours = self.perhaps_ours.saturating_add(std::mem::take(&mut self.in_flight));
        self.unknown_calls = self.unknown_calls.saturating_add(1);
    }

    /// All messages of the last call were written, the last one at `position`.
    pub(crate) fn acknowledged(&mut self, position: ReplicatePosition, now_ms: u64) {
        let own = std::mem::take(&mut self.in_flight).saturating_add(std::mem::take(&mut self.perhaps_ours));
        self.disordered |= std::mem::take(&mut self.unknown_calls) > 1;
        let step = self.last.as_ref().and_then(|last| position.messages_since(last));
        self.last = Some(position);
        self.creations.retain(|until_ms| now_ms < *until_ms);
        let mut messages = step.unwrap_or(0).saturating_sub(own);
        while messages > 0 && self.creations.pop_front().is_some() {
            messages -= 1;
        }
        if messages > 0 {
            self.suspects.push_back(Suspect {
                seen_ms: now_ms,
                messages,
                several: messages > 1,
                answered: false,
            });
        }
    }

    /// What is to be done by now.
    pub(crate) fn verdict(&mut self, now_ms: u64) -> Verdict {
        let mut verdict = Verdict { flush: std::mem::take(&mut self.disordered), ..Verdict::default() };
        for suspect in &mut self.suspects {
            let grace_ms = if suspect.several { self.grace.several_ms } else { self.grace.single_ms };
            let overdue = now_ms >= suspect.seen_ms.saturating_add(grace_ms);
            if !suspect.answered && (overdue || suspect.several) {
                suspect.answered = true;
                verdict.send_again = true;
            }
            if overdue {
                verdict.unexplained = verdict.unexplained.saturating_add(suspect.messages);
                suspect.messages = 0;
            }
        }
        self.suspects.retain(|suspect| suspect.messages > 0);
        verdict
    }
}

fn target_vchannels(assignment: &SenderAssignment) -> BTreeSet<String> {
    assignment.shards.iter().map(|shard| shard.target_vchannel.clone()).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use harrier_proto::harrier::v1::ShardAssignment;

    use super::*;

    const GRACE: Grace = Grace { single_ms: 5000, several_ms: 1000 };
    const NOTHING: Verdict = Verdict { unexplained: 0, send_again: false, flush: false };

    fn assignment(vchannels: &[&str]) -> SenderAssignment {
        let shard =
            |name: &&str| ShardAssignment { target_vchannel: (*name).to_owned(), ..Default::default() };
        SenderAssignment { shards: vchannels.iter().map(shard).collect(), ..Default::default() }
    }

    struct World {
        log: u64,
        writes: ForeignWrites,
    }

    impl World {
        fn new() -> Self {
            let mut world = Self { log: 40, writes: ForeignWrites::new(&assignment(&["v0"]), GRACE) };
            world.call(1, 0);
            world
        }

        fn call(&mut self, messages: u64, now_ms: u64) {
            self.log += messages;
            self.writes.calling(messages as usize);
            let id = Bytes::copy_from_slice(&self.log.to_le_bytes());
            self.writes.acknowledged(ReplicatePosition { id }, now_ms);
        }
    }

    #[test]
    fn own_messages_are_nobody_elses() {
        let mut world = World::new();
        for messages in [1, 300, 2] {
            world.call(messages, 10);
        }
        assert_eq!(world.writes.verdict(100_000), NOTHING);
    }

    #[test]
    fn what_nothing_explains_is_answered_and_told_in_time() {
        let mut world = World::new();
        world.log += 2;
        world.call(3, 10);
        assert_eq!(world.writes.verdict(11), Verdict { send_again: true, ..NOTHING });
        assert_eq!(world.writes.verdict(12), NOTHING);
        assert_eq!(world.writes.verdict(10 + GRACE.several_ms), Verdict { unexplained: 2, ..NOTHING });
        assert_eq!(world.writes.verdict(100_000), NOTHING);
    }

    #[test]
    fn a_single_message_waits_for_its_explanation() {
        let mut world = World::new();
        world.log += 1;
        world.call(1, 10);
        assert_eq!(world.writes.verdict(9 + GRACE.single_ms), NOTHING);
        let verdict = world.writes.verdict(10 + GRACE.single_ms);
        assert_eq!(verdict, Verdict { unexplained: 1, send_again: true, ..NOTHING });
    }

    #[test]
    fn a_collection_created_at_the_target_explains_one_message() {
        let mut world = World::new();
        world.log += 1;
        world.call(1, 10);
        world.writes.update(&assignment(&["v0", "v1"]), 500);
        assert_eq!(world.writes.verdict(100_000), NOTHING);
        // The input set may also come first.
        world.writes.update(&assignment(&["v0", "v1", "v2"]), 100_000);
        world.log += 2;
        world.call(1, 100_010);
        assert_eq!(world.writes.verdict(200_000), Verdict { unexplained: 1, send_again: true, ..NOTHING });
    }

    #[test]
    fn a_creation_explains_the_single_message_and_not_one_of_a_late_call() {
        let mut world = World::new();
        world.log += 2;
        world.call(1, 10);
        world.log += 1;
        world.call(1, 20);
        world.writes.update(&assignment(&["v0", "v1"]), 500);
        let told: u64 = (0..100).map(|at| world.writes.verdict(1000 * at).unexplained).sum();
        assert_eq!(told, 2);
    }

    #[test]
    fn a_vchannel_explains_nothing_for_ever_and_nothing_twice() {
        let mut world = World::new();
        world.writes.update(&assignment(&["v0", "v1"]), 10);
        world.writes.update(&assignment(&["v0", "v1"]), 20);
        world.log += 1;
        world.call(1, 10 + GRACE.several_ms);
        assert_eq!(world.writes.verdict(100_000).unexplained, 1);
    }

    #[test]
    fn a_call_of_unknown_outcome_may_show_at_once_but_not_later() {
        let mut world = World::new();
        world.writes.calling(5);
        world.writes.unknown_outcome();
        world.log += 3;
        world.call(1, 10);
        assert_eq!(world.writes.verdict(100_000), NOTHING);
        // The rest of it, executed late.
        world.log += 2;
        world.call(1, 100_000);
        assert_eq!(world.writes.verdict(200_000).unexplained, 2);
    }

    #[test]
    fn more_than_the_call_of_unknown_outcome_held_is_somebody_elses() {
        let mut world = World::new();
        world.writes.calling(5);
        world.writes.unknown_outcome();
        world.log += 9;
        world.call(1, 10);
        assert_eq!(world.writes.verdict(100_000).unexplained, 4);
    }

    #[test]
    fn where_positions_cannot_be_compared_nothing_is_said() {
        let mut world = World::new();
        world.log = 3;
        world.call(1, 10);
        world.log = 1 << 60;
        world.call(1, 20);
        assert_eq!(world.writes.verdict(100_000), NOTHING);
    }

    /// A standby that was too slow for every deadline executed call after call late. All rows were there, and 1,707 of
    /// 2,281 were out of view.
    #[test]
    fn several_calls_of_unknown_outcome_in_a_row_are_followed_by_a_flush() {
        let mut world = World::new();
        for _ in 0..2 {
            world.writes.calling(5);
            world.writes.unknown_outcome();
        }
        assert_eq!(world.writes.verdict(5), NOTHING);
        world.log += 10;
        world.call(1, 10);
        assert_eq!(world.writes.verdict(10), Verdict { flush: true, ..NOTHING });
        assert_eq!(world.writes.verdict(11), NOTHING);
        // The next ones are in order again.
        world.writes.calling(5);
        world.writes.unknown_outcome();
        world.call(1, 20);
        assert_eq!(world.writes.verdict(20), NOTHING);
    }

    #[test]
    fn a_call_of_the_former_owner_counts_as_one_of_them() {
        let unclean = SenderAssignment { unclean: true, ..assignment(&["v0"]) };
        let mut world = World { log: 40, writes: ForeignWrites::new(&unclean, GRACE) };
        world.writes.calling(5);
        world.writes.unknown_outcome();
        world.call(1, 10);
        assert!(world.writes.verdict(10).flush);
    }
}
