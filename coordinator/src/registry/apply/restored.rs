//! What commands make of a registry that began again from a backup.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::super::{Command, Restored, ShardPhase, restored};
use super::fixtures::{Bench, SENDER, TASK, report};

const FORMER: &str = "worker-1";

/// A sender that ran, as a backup of that moment brings it back.
fn bench() -> Bench {
    let mut bench = Bench::running(FORMER);
    bench.checkpoint(report(&bench.state).clock(50).horizon(500).takeover(10).shard_at(b"p2", 40));
    bench
}

fn restore(bench: &mut Bench) {
    let origin = Restored { cluster_id: "old".to_owned(), backup_ms: 1, restored_ms: 2 };
    bench.state = restored(std::mem::take(&mut bench.state), origin);
}

#[test]
fn owners_of_before_are_nobody_and_epochs_are_above_all_of_theirs() {
    let mut bench = bench();
    let late = report(&bench.state).clock(90).horizon(900).takeover(20).shard_at(b"p9", 80);
    let epoch_before = bench.state.senders[SENDER].epoch;
    restore(&mut bench);
    let sender = &bench.state.senders[SENDER];
    assert_eq!((sender.owner.as_deref(), sender.stopped, sender.unclean), (None, false, true));
    assert_ne!(sender.last_owner.as_deref(), Some(FORMER), "it may be alive, and must not be waited for");
    bench.assign(Some("worker-2"));
    let sender = &bench.state.senders[SENDER];
    assert!(sender.epoch > epoch_before + 1_000_000_000 && sender.unclean && sender.restored);
    let before = bench.state.clone();
    bench.checkpoint(late);
    assert_eq!(bench.state.senders, before.senders, "a former owner's word counts no more");
    assert_eq!(bench.state.shards, before.shards);
}

#[test]
fn the_first_owner_bounds_what_nobody_knew_for_every_shard() {
    let mut bench = bench();
    let second = bench.add_second_collection();
    restore(&mut bench);
    bench.assign(Some("worker-2"));
    // It never began: nothing is known yet.
    bench.checkpoint(report(&bench.state).stopped());
    assert!(bench.state.senders[SENDER].restored);
    bench.assign(Some("worker-3"));
    assert!(bench.state.senders[SENDER].unclean);
    // It begins at 7000, above the old horizon, and tells of one shard only.
    bench.checkpoint(report(&bench.state).clock(7_000).horizon(8_000).takeover(7_000).shard_at(b"p3", 41));
    let sender = &bench.state.senders[SENDER];
    assert_eq!((sender.restored, sender.clock, sender.horizon), (false, 7_000, 8_000));
    assert_eq!(bench.state.shards[&second].replay_until, 7_000);
    // What the owner says of its shard counts.
    assert_eq!((bench.shard().position.as_slice(), bench.shard().replay_until), (b"p3".as_slice(), 0));
    bench.state.shards.get_mut(&second).unwrap().replay_until = 0;
    bench.checkpoint(report(&bench.state).clock(7_100).takeover(7_000));
    assert_eq!(bench.state.shards[&second].replay_until, 0, "only the first word does it");
}

#[test]
fn a_task_that_was_paused_is_sent_again_too_when_it_is_resumed() {
    let mut bench = bench();
    bench.apply(Command::PauseTask { task_id: TASK.into() });
    restore(&mut bench);
    bench.assign(Some("worker-2"));
    assert_eq!(bench.shard().phase, ShardPhase::Stopped, "nobody is left who could say where it stopped");
    bench.checkpoint(report(&bench.state).clock(7_000).horizon(8_000).takeover(7_000));
    bench.apply(Command::ResumeTask { task_id: TASK.into() });
    assert_eq!((bench.shard().phase, bench.shard().replay_until), (ShardPhase::Active, 7_000));
}

#[test]
fn senders_that_are_made_later_begin_without_trust_as_well() {
    let mut bench = bench();
    restore(&mut bench);
    super::first_tick::add_sender(&mut bench.state, "another", "pchannel");
    let sender = &bench.state.senders["another/pchannel"];
    assert!(sender.restored && sender.unclean && !sender.stopped);
    let mut fresh = bench;
    fresh.state.restored = None;
    super::first_tick::add_sender(&mut fresh.state, "third", "pchannel");
    let sender = &fresh.state.senders["third/pchannel"];
    assert!(!sender.restored && !sender.unclean && sender.stopped);
}
