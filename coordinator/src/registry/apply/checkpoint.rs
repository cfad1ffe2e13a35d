//! `Checkpoint`: what the owners reported. Stale parts are passed over, nothing ever goes back.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    DropStage, Reply, Sender, SenderCheckpoint, ShardFinal, ShardId, ShardPhase, ShardProgress, ShardState,
    State,
};
use super::inputs::ChangedInputs;

pub(super) fn apply(state: &mut State, senders: &[SenderCheckpoint]) -> Reply {
    for report in senders {
        apply_report(state, report);
    }
    Reply::Done
}

fn apply_report(state: &mut State, report: &SenderCheckpoint) {
    let Some(sender) = state.senders.get_mut(&report.sender_id) else { return };
    // After the last word of an epoch nothing more of it counts.
    if report.epoch != sender.epoch || sender.stopped {
        return;
    }
    // Overtaken on its way: a shard's checkpoint and windows would go back to what they were.
    if report.number < sender.report_number {
        return;
    }
    sender.report_number = report.number;
    sender.clock = sender.clock.max(report.clock);
    sender.horizon = sender.horizon.max(report.horizon).max(sender.clock);
    sender.tick = sender.tick.max(report.tick);
    sender.settled_version = sender.settled_version.max(report.settled_version.min(sender.input_version));
    sender.ticked_version = sender.ticked_version.max(report.ticked_version.min(sender.due_version));
    if report.takeover_clock > 0 {
        sender.takeover_clock = report.takeover_clock;
        let first_after_restore = std::mem::take(&mut sender.restored);
        if first_after_restore {
            bound_the_unknown(&mut state.shards, report);
        }
    }
    for progress in &report.shards {
        if let Some(shard) = state.shards.get_mut(&progress.shard_id)
            && shard.sender_id == report.sender_id
            && is_acceptable(sender, shard, report, progress)
        {
            accept(shard, progress);
        }
    }
    if report.stopped {
        stop(state, report);
    }
    take_told_drops(state, report);
}

/// The first owner after a restore began above everything that was ever sent. So every shard that is not told of in
/// the report, whatever its phase, is sent again up to there.
fn bound_the_unknown(shards: &mut BTreeMap<ShardId, ShardState>, report: &SenderCheckpoint) {
    for shard in shards.values_mut().filter(|shard| shard.sender_id == report.sender_id) {
        shard.replay_until = shard.replay_until.max(report.takeover_clock);
    }
}

/// The target's data nodes know of these on this channel.
fn take_told_drops(state: &mut State, report: &SenderCheckpoint) {
    let mut changed = ChangedInputs::default();
    for drop_id in &report.told_drops {
        let Some(drop) = state.drops.get_mut(drop_id) else { continue };
        if drop.stage == DropStage::Telling && drop.senders.remove(&report.sender_id).is_some() {
            changed.note(&report.sender_id);
        }
        if drop.stage == DropStage::Telling && drop.senders.is_empty() {
            state.drops.remove(drop_id);
        }
    }
    changed.bump(state);
}

fn is_acceptable(
    sender: &Sender,
    shard: &ShardState,
    report: &SenderCheckpoint,
    progress: &ShardProgress,
) -> bool {
    // The end of a shard is exact whatever else changed meanwhile, if it is the end of *this* life of the shard.
    let same_life = report.input_version >= shard.active_since;
    let ended = progress.end == ShardFinal::Yes && same_life;
    match shard.phase {
        ShardPhase::Active => report.input_version == sender.input_version || (ended && report.stopped),
        ShardPhase::Stopping => ended,
        ShardPhase::Stopped => false,
    }
}

fn accept(shard: &mut ShardState, progress: &ShardProgress) {
    shard.position.clone_from(&progress.position);
    shard.tick = progress.tick;
    shard.replay_until = progress.replay_until;
    shard.joined = progress.joined;
    shard.windows.clone_from(&progress.windows);
    shard.confirmed = shard.confirmed.max(progress.confirmed);
    if shard.phase == ShardPhase::Stopping {
        shard.phase = ShardPhase::Stopped;
    }
}

/// The owner's last word: its clock is exact, and it no longer owns the sender (it would not start it again under
/// an epoch that it has closed).
fn stop(state: &mut State, report: &SenderCheckpoint) {
    let Some(sender) = state.senders.get_mut(&report.sender_id) else { return };
    sender.stopped = true;
    sender.owner = None;
    // An owner tells the clock at which it begins. One that never began has not computed the uncertain bound, and
    // has sent nothing (of owners that all began at 0 that cannot be told).
    let began = report.takeover_clock > 0;
    if began {
        sender.unclean = false;
    }
    let may_have_sent = began || sender.takeover_clock == 0;
    let horizon = sender.horizon;
    let ended: BTreeSet<&str> = report
        .shards
        .iter()
        .filter(|progress| progress.end == ShardFinal::Yes)
        .map(|progress| progress.shard_id.as_str())
        .collect();
    for (shard_id, shard) in &mut state.shards {
        if shard.sender_id != report.sender_id {
            continue;
        }
        let was_input = shard.active_since <= report.input_version;
        match shard.phase {
            // Its end was not told, or was that of an earlier life; nobody is left who could say more.
            ShardPhase::Stopping => shard.phase = ShardPhase::Stopped,
            // An input of which the owner did not say where it ended.
            ShardPhase::Active if may_have_sent && was_input && !ended.contains(shard_id.as_str()) => {}
            _ => continue,
        }
        // What may have been sent of it lies at or below the horizon.
        shard.replay_until = shard.replay_until.max(horizon);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, ShardPhase};
    use super::super::fixtures::{Bench, SENDER, SHARD, TASK, mapping, report};

    #[test]
    fn nothing_goes_back() {
        let mut bench = Bench::running("worker-1");
        let first = report(&bench.state).clock(50).horizon(500).tick(45).shard_at(b"p2", 40).confirmed(40);
        bench.checkpoint(first);
        bench.checkpoint(
            report(&bench.state).clock(30).horizon(300).tick(25).shard_at(b"p3", 41).confirmed(20),
        );
        let sender = &bench.state.senders[SENDER];
        assert_eq!((sender.clock, sender.horizon, sender.tick), (50, 500, 45));
        assert_eq!((bench.shard().position.as_slice(), bench.shard().confirmed), (b"p3".as_slice(), 40));
    }

    #[test]
    fn the_horizon_is_never_below_the_clock() {
        let mut bench = Bench::running("worker-1");
        bench.checkpoint(report(&bench.state).clock(700).horizon(500));
        assert_eq!(bench.state.senders[SENDER].horizon, 700);
    }

    #[test]
    fn another_epoch_is_passed_over() {
        let mut bench = Bench::running("worker-1");
        let old = report(&bench.state).clock(50).shard_at(b"p2", 40);
        bench.assign(Some("worker-2"));
        let before = bench.state.clone();
        bench.checkpoint(old);
        assert_eq!((bench.state.senders, bench.state.shards), (before.senders, before.shards));
    }

    /// A heartbeat that was delayed came to a new leader before any newer one, and the windows were forgotten.
    #[test]
    fn a_report_that_was_overtaken_by_a_newer_one_says_nothing() {
        let mut bench = Bench::running("worker-1");
        let older = report(&bench.state).clock(50).shard_at(b"p2", 40).number(7);
        bench.checkpoint(report(&bench.state).clock(60).shard_at(b"p3", 50).number(8));
        let before = bench.state.clone();
        bench.checkpoint(older);
        assert_eq!(
            (bench.state.senders.clone(), bench.state.shards.clone()),
            (before.senders, before.shards)
        );
        // The next owner counts anew.
        bench.assign(None);
        bench.assign(Some("worker-2"));
        bench.checkpoint(report(&bench.state).clock(70).shard_at(b"p4", 60).number(1));
        assert_eq!(bench.shard().position, b"p4");
    }

    #[test]
    fn an_older_input_version_moves_the_clock_but_no_shard() {
        let mut bench = Bench::running("worker-1");
        let old = report(&bench.state).clock(50).horizon(500).shard_at(b"p2", 40);
        bench.add_second_collection();
        bench.checkpoint(old);
        assert_eq!(bench.state.senders[SENDER].clock, 50);
        assert_eq!(bench.shard().position, mapping().shards[0].start_position);
    }

    #[test]
    fn the_last_word_of_a_sender_counts_also_after_its_inputs_changed() {
        let mut bench = Bench::running("worker-1");
        let last = report(&bench.state).stopped().clock(50).takeover(1).shard_end(b"p2", 40, 3);
        let second = bench.add_second_collection();
        bench.assign(None);
        bench.checkpoint(last);
        assert_eq!((bench.shard().position.as_slice(), bench.shard().replay_until), (b"p2".as_slice(), 3));
        assert_eq!(bench.shard().phase, ShardPhase::Active);
        // Never an input of that owner.
        assert_eq!(bench.state.shards[&second].replay_until, 0);
    }

    #[test]
    fn a_goodbye_without_an_end_leaves_the_shard_uncertain() {
        let mut bench = Bench::running("worker-1");
        bench.checkpoint(report(&bench.state).clock(50).horizon(500).takeover(1).shard_at(b"p2", 40));
        bench.checkpoint(report(&bench.state).stopped().clock(60).takeover(1));
        assert_eq!(bench.shard().replay_until, 500);
    }

    #[test]
    fn an_owner_that_never_began_leaves_everything_as_it_was() {
        let mut bench = Bench::running("worker-1");
        bench.checkpoint(report(&bench.state).clock(50).horizon(500).takeover(1).shard_at(b"p2", 40));
        bench.checkpoint(report(&bench.state).stopped().clock(60).takeover(1).shard_end(b"p3", 55, 0));
        bench.assign(Some("worker-2"));
        bench.checkpoint(report(&bench.state).stopped());
        assert_eq!((bench.shard().position.as_slice(), bench.shard().replay_until), (b"p3".as_slice(), 0));
    }

    #[test]
    fn after_the_last_word_the_epoch_is_closed() {
        let mut bench = Bench::running("worker-1");
        bench.checkpoint(report(&bench.state).stopped().clock(60).takeover(1).shard_end(b"p2", 40, 0));
        let sender = &bench.state.senders[SENDER];
        assert_eq!((sender.owner.as_deref(), sender.last_owner.as_deref()), (None, Some("worker-1")));
        bench.checkpoint(report(&bench.state).clock(90).shard_at(b"p7", 80));
        assert_eq!(bench.state.senders[SENDER].clock, 60);
        assert_eq!(bench.state.shards[SHARD].position, b"p2");
    }

    #[test]
    fn a_last_word_ends_a_pause_even_when_it_says_nothing_of_the_shard() {
        let mut bench = Bench::running("worker-1");
        bench.checkpoint(report(&bench.state).clock(50).horizon(500).takeover(1).shard_at(b"p2", 40));
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        bench.checkpoint(report(&bench.state).stopped().clock(60).takeover(1));
        assert_eq!((bench.shard().phase, bench.shard().replay_until), (ShardPhase::Stopped, 500));
    }
}
