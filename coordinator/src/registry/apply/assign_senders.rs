//! `AssignSenders`: new owners, each under a new epoch; or an owner is taken away and its last word awaited.

use std::collections::BTreeSet;

use super::super::{Assign, Refusal, Reply, ShardPhase, State};

pub(super) fn apply(state: &mut State, assignments: &[Assign]) -> Reply {
    // All or nothing: a plan is made of one view of the state, and is made again when that view was old.
    let mut seen = BTreeSet::new();
    let up_to_date = assignments.iter().all(|assign| {
        let sender = state.senders.get(&assign.sender_id);
        seen.insert(&assign.sender_id) && sender.is_some_and(|sender| sender.epoch == assign.expected_epoch)
    });
    if !up_to_date {
        return Reply::Refused(Refusal::Stale);
    }
    for assign in assignments {
        match &assign.owner {
            Some(owner) => give(state, &assign.sender_id, owner),
            None => take_away(state, &assign.sender_id),
        }
    }
    Reply::Done
}

fn give(state: &mut State, sender_id: &str, owner: &str) {
    let Some(sender) = state.senders.get_mut(sender_id) else { return };
    state.last_epoch += 1;
    sender.epoch = state.last_epoch;
    sender.report_number = 0;
    sender.owner = Some(owner.to_owned());
    sender.last_owner = Some(owner.to_owned());
    let former_said_goodbye = sender.stopped;
    // An uncertainty that the former owner never got to resolve stays (see the stop in `checkpoint`).
    sender.unclean |= !former_said_goodbye;
    sender.stopped = false;
    let horizon = sender.horizon;
    if former_said_goodbye {
        return;
    }
    // Final words of the former epoch are no longer accepted. Whatever was sent lies at or below the horizon.
    let waiting = state
        .shards
        .values_mut()
        .filter(|shard| shard.sender_id == sender_id && shard.phase == ShardPhase::Stopping);
    for shard in waiting {
        shard.phase = ShardPhase::Stopped;
        shard.replay_until = shard.replay_until.max(horizon);
    }
}

/// The epoch stays: the owner's final report comes under it.
fn take_away(state: &mut State, sender_id: &str) {
    if let Some(sender) = state.senders.get_mut(sender_id) {
        sender.owner = None;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Assign, Command, Refusal, Reply, ShardPhase};
    use super::super::fixtures::{Bench, SENDER, TASK, end_report, report};

    #[test]
    fn a_planned_move_is_clean() {
        let mut bench = Bench::running("worker-1");
        let sender = &bench.state.senders[SENDER];
        assert_eq!((sender.epoch, sender.unclean, sender.stopped), (1, false, false));
        bench.checkpoint(report(&bench.state).clock(50).horizon(500).takeover(10));

        bench.assign(None);
        let sender = &bench.state.senders[SENDER];
        assert_eq!((sender.owner.as_deref(), sender.last_owner.as_deref()), (None, Some("worker-1")));
        assert_eq!((sender.epoch, sender.stopped), (1, false));

        bench.checkpoint(report(&bench.state).stopped().clock(60).takeover(10).shard_end(b"p9", 55, 0));
        assert!(bench.state.senders[SENDER].stopped);
        bench.assign(Some("worker-2"));
        let sender = &bench.state.senders[SENDER];
        assert_eq!((sender.owner.as_deref(), sender.epoch, sender.unclean), (Some("worker-2"), 2, false));
        assert_eq!((sender.clock, sender.takeover_clock), (60, 10));
        assert_eq!((bench.shard().position.as_slice(), bench.shard().replay_until), (b"p9".as_slice(), 0));
    }

    #[test]
    fn replacing_a_dead_owner_is_unclean_until_somebody_resolved_it() {
        let mut bench = Bench::running("worker-1");
        bench.checkpoint(report(&bench.state).clock(50).horizon(500).takeover(10));
        bench.assign(Some("worker-2"));
        assert!(bench.state.senders[SENDER].unclean);
        assert_eq!(bench.state.senders[SENDER].takeover_clock, 10);

        // The second owner leaves before it began: nothing was resolved.
        bench.checkpoint(report(&bench.state).stopped());
        bench.assign(Some("worker-3"));
        assert!(bench.state.senders[SENDER].unclean);

        // The third one began (it tells its clock) and leaves in order.
        bench.checkpoint(report(&bench.state).stopped().clock(600).takeover(500).shard_end(b"p1", 5, 500));
        bench.assign(Some("worker-4"));
        assert!(!bench.state.senders[SENDER].unclean);
        assert_eq!(bench.shard().replay_until, 500);
    }

    #[test]
    fn a_final_word_that_never_came_leaves_the_horizon_behind() {
        let mut bench = Bench::running("worker-1");
        let report_before_pause = report(&bench.state).clock(50).horizon(500);
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        bench.checkpoint(report_before_pause);
        let late = end_report(&bench.state, b"late", 60, 0);
        bench.assign(Some("worker-2"));
        assert_eq!((bench.shard().phase, bench.shard().replay_until), (ShardPhase::Stopped, 500));

        bench.checkpoint(late);
        assert_eq!(bench.shard().replay_until, 500);
        assert_ne!(bench.shard().position, b"late");
    }

    #[test]
    fn a_stale_plan_changes_nothing() {
        let mut bench = Bench::running("worker-1");
        let before = bench.state.senders.clone();
        let assign = |epoch, sender: &str| Assign {
            sender_id: sender.into(),
            expected_epoch: epoch,
            owner: Some("worker-2".into()),
        };
        for assignments in [
            vec![assign(0, SENDER)],
            vec![assign(1, SENDER), assign(1, "nobody")],
            vec![assign(1, SENDER), assign(1, SENDER)],
        ] {
            let reply = bench.apply(Command::AssignSenders { assignments });
            assert_eq!(reply, Reply::Refused(Refusal::Stale));
            assert_eq!(bench.state.senders, before);
        }
    }
}
