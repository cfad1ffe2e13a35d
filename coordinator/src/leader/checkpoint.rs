//! From what a worker reported to what the group remembers of it. Pure.

use harrier_proto::harrier::v1::{self, SenderPhase, SenderReport, ShardReport};

use super::pending::{PendingReport, Reports};
use crate::registry::{
    DropId, Sender, SenderCheckpoint, ShardFinal, ShardProgress, ShardState, State, UncertainWindow,
};

/// Senders in one entry: bounds its size.
const ENTRY_SENDERS_MAX: usize = 512;

/// What of a batch is news to the registry, as the contents of the entries that it takes.
pub(crate) fn entries(state: &State, batch: &Reports) -> Vec<Vec<SenderCheckpoint>> {
    let reports = batch.values().flatten();
    let news: Vec<_> = reports.filter_map(|pending| sender_checkpoint(state, pending)).collect();
    news.chunks(ENTRY_SENDERS_MAX).map(<[_]>::to_vec).collect()
}

/// `None` if the report is of a former assignment, or says what is known.
fn sender_checkpoint(state: &State, pending: &PendingReport) -> Option<SenderCheckpoint> {
    let report = &pending.report;
    let sender = state.senders.get(&report.sender_id)?;
    let speaker = Some(&pending.worker_id);
    let is_owner =
        sender.owner.as_ref() == speaker || (sender.owner.is_none() && sender.last_owner.as_ref() == speaker);
    if !is_owner || sender.epoch != report.epoch || sender.stopped {
        return None;
    }
    let news = report.shards.iter().filter_map(|shard| shard_progress(state, report, shard));
    let checkpoint = SenderCheckpoint {
        sender_id: report.sender_id.clone(),
        epoch: report.epoch,
        input_version: report.input_version,
        clock: report.clock,
        horizon: report.wanted_horizon,
        takeover_clock: report.takeover_clock,
        tick: report.tick,
        stopped: report.phase() == SenderPhase::Stopped,
        shards: news.collect(),
        settled_version: report.settled_version,
        told_drops: told_drops(state, report),
        ticked_version: report.ticked_version,
        number: report.number,
    };
    is_news(sender, &checkpoint).then_some(checkpoint)
}

fn is_news(sender: &Sender, checkpoint: &SenderCheckpoint) -> bool {
    checkpoint.stopped
        || checkpoint.clock > sender.clock
        || checkpoint.horizon > sender.horizon
        || checkpoint.tick > sender.tick
        || (checkpoint.takeover_clock > 0 && checkpoint.takeover_clock != sender.takeover_clock)
        || checkpoint.settled_version > sender.settled_version
        || (sender.owes_tick() && checkpoint.ticked_version > sender.ticked_version)
        || !checkpoint.shards.is_empty()
        || !checkpoint.told_drops.is_empty()
}

/// Those that the group does not know to be told yet.
fn told_drops(state: &State, report: &SenderReport) -> Vec<DropId> {
    let awaited = |drop_id: &&DropId| {
        state.drops.get(*drop_id).is_some_and(|drop| drop.senders.contains_key(&report.sender_id))
    };
    report.told_drops.iter().filter(awaited).cloned().collect()
}

fn shard_progress(state: &State, report: &SenderReport, told: &ShardReport) -> Option<ShardProgress> {
    let shard = state.shards.get(&told.shard_id)?;
    let checkpoint = told.checkpoint.as_ref()?;
    let progress = ShardProgress {
        shard_id: told.shard_id.clone(),
        position: checkpoint.position.to_vec(),
        tick: checkpoint.tick,
        replay_until: checkpoint.replay_until,
        joined: checkpoint.joined,
        windows: checkpoint.windows.iter().map(uncertain_window).collect(),
        confirmed: told.confirmed,
        end: if told.r#final { ShardFinal::Yes } else { ShardFinal::No },
    };
    let is_sender = shard.sender_id == report.sender_id;
    (is_sender && (told.r#final || differs(shard, &progress))).then_some(progress)
}

fn uncertain_window(told: &v1::UncertainWindow) -> UncertainWindow {
    UncertainWindow {
        position: told.position.to_vec(),
        tick: told.tick,
        left_ms: told.left_ms,
        returns: told.returns,
    }
}

fn differs(shard: &ShardState, progress: &ShardProgress) -> bool {
    shard.position != progress.position
        || shard.tick != progress.tick
        || shard.replay_until != progress.replay_until
        || shard.joined != progress.joined
        || shard.windows != progress.windows
        || shard.confirmed < progress.confirmed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::BTreeMap;

    use harrier_proto::harrier::v1::ShardCheckpoint;

    use super::super::fixtures;
    use super::*;
    use crate::registry::Command;

    const SENDER: &str = fixtures::SENDER;
    const SHARD: &str = fixtures::SHARD;

    fn report(state: &State, phase: SenderPhase) -> SenderReport {
        let sender = &state.senders[SENDER];
        SenderReport {
            sender_id: SENDER.to_owned(),
            epoch: sender.epoch,
            input_version: sender.input_version,
            phase: phase.into(),
            clock: 50,
            wanted_horizon: 500,
            takeover_clock: 10,
            tick: 45,
            shards: vec![ShardReport {
                shard_id: SHARD.to_owned(),
                checkpoint: Some(ShardCheckpoint {
                    position: b"p7".to_vec().into(),
                    tick: 40,
                    replay_until: 0,
                    joined: true,
                    windows: Vec::new(),
                }),
                confirmed: 40,
                ..ShardReport::default()
            }],
            ..SenderReport::default()
        }
    }

    fn batch(worker_id: &str, report: SenderReport) -> Reports {
        let pending = PendingReport { worker_id: worker_id.to_owned(), report };
        BTreeMap::from([(SENDER.to_owned(), vec![pending])])
    }

    fn commit(state: &mut State, senders: Vec<SenderCheckpoint>) {
        fixtures::commit(state, Command::Checkpoint { senders });
    }

    #[test]
    fn what_is_known_is_not_committed_again() {
        let mut state = fixtures::running("w");
        let batch = batch("w", report(&state, SenderPhase::Running));
        let mut news = entries(&state, &batch);
        assert_eq!(news.len(), 1);
        commit(&mut state, news.remove(0));
        assert_eq!(state.senders[SENDER].horizon, 500);
        assert_eq!(state.shards[SHARD].confirmed, 40);
        assert!(entries(&state, &batch).is_empty());
    }

    #[test]
    fn only_the_owner_is_heard() {
        let state = fixtures::running("w");
        let report = report(&state, SenderPhase::Running);
        assert!(entries(&state, &batch("another", report.clone())).is_empty());
        assert!(entries(&state, &batch("w", SenderReport { epoch: 99, ..report })).is_empty());
    }

    #[test]
    fn the_last_word_is_heard_after_the_sender_was_taken_away() {
        let mut state = fixtures::running("w");
        state.senders.get_mut(SENDER).unwrap().owner = None;
        let batch = batch("w", report(&state, SenderPhase::Stopped));
        let mut news = entries(&state, &batch);
        commit(&mut state, news.remove(0));
        assert!(state.senders[SENDER].stopped);
        assert!(entries(&state, &batch).is_empty(), "the epoch is closed");
    }
}
