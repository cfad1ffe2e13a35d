//! `SettleCreation`: what the target has of a creation that was broken off with its task is known, and gets its first
//! tick.

use std::collections::BTreeSet;

use super::super::{DropId, Refusal, Reply, State, sender_id};
use super::first_tick;
use super::inputs::ChangedInputs;

pub(super) fn apply(
    state: &mut State,
    account: &str,
    id: &DropId,
    target_id: &str,
    target_pchannels: &BTreeSet<String>,
) -> Reply {
    let task = state.accounts().find(|(known, _)| *known == account).map(|(_, task)| task);
    // A task may have been deleted, and created again under its id with another target.
    if task.is_none_or(|task| task.target_id != target_id) {
        return Reply::Refused(Refusal::Stale);
    }
    let created_ts = if let Some(parting) = state.parting.get_mut(account) {
        let Some(creation) = parting.creations.remove(id) else { return Reply::Refused(Refusal::Stale) };
        creation.created_ts
    } else {
        // It stays until a mapping names it: the source may drop it while the task is paused.
        let Some(creation) = state.creations.get_mut(id).filter(|creation| creation.task_id == account)
        else {
            return Reply::Refused(Refusal::Stale);
        };
        creation.settled = true;
        creation.created_ts
    };
    let mut changed = ChangedInputs::default();
    for pchannel in target_pchannels {
        first_tick::add_sender(state, target_id, pchannel);
        first_tick::owe(state, &sender_id(target_id, pchannel), created_ts, &mut changed);
    }
    changed.bump(state);
    Reply::Done
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, PendingCreation, Refusal, Reply, drop_id, parting_id};
    use super::super::fixtures::{Bench, SENDER, TARGET, TASK, mapping, report};

    fn begun() -> Bench {
        let mut bench = Bench::created();
        let mapping = mapping();
        let creation = PendingCreation {
            task_id: TASK.into(),
            source_collection_id: mapping.source_id,
            source_db: mapping.source_db,
            source_name: mapping.source_name,
            target_db: mapping.target_db,
            target_name: mapping.target_name,
            created_ts: mapping.created_ts,
            partition: None,
            settled: false,
        };
        assert_eq!(bench.apply(Command::BeginCreations { creations: vec![creation] }), Reply::Done);
        assert_eq!(bench.state.unfinished_creations(), [], "the task goes on with it");
        bench
    }

    fn settle(bench: &mut Bench, account: &str) -> Reply {
        bench.apply(Command::SettleCreation {
            account: account.to_owned(),
            id: drop_id(TASK, mapping().source_id, None),
            target_id: TARGET.into(),
            target_pchannels: ["target-dml_3".to_owned()].into(),
        })
    }

    #[test]
    fn of_a_paused_task_it_stays_known_and_gets_its_tick() {
        let mut bench = begun();
        bench.apply(Command::PauseTask { task_id: TASK.into() });
        let unfinished = bench.state.unfinished_creations();
        assert_eq!((unfinished.len(), unfinished[0].account.as_str()), (1, TASK));
        assert_eq!(settle(&mut bench, TASK), Reply::Done);
        assert_eq!(bench.state.unfinished_creations(), []);
        assert_eq!(bench.state.creations.len(), 1, "the source may drop it before the task is resumed");
        assert!(bench.state.senders[SENDER].owes_tick());
        assert_eq!(bench.state.senders[SENDER].due_tick, mapping().created_ts);
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        assert_eq!(bench.state.unfinished_creations(), []);
    }

    #[test]
    fn a_deleted_task_stays_reachable_until_its_collections_have_their_ticks() {
        let mut bench = begun();
        let created_ms = bench.state.tasks[TASK].created_ms;
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        let id = parting_id(TASK, created_ms);
        assert_eq!(bench.state.parting[&id].task.id, TASK);
        // Another task of the same id has nothing to do with it.
        bench.create();
        assert_eq!(bench.state.unfinished_creations().len(), 1);
        assert_eq!(settle(&mut bench, TASK), Reply::Refused(Refusal::Stale));
        assert_eq!(settle(&mut bench, &id), Reply::Done);
        assert!(bench.state.parting.contains_key(&id), "its credentials bring the tick");
        assert_eq!(bench.state.owing_senders().count(), 1);

        bench.assign(Some("worker-1"));
        let due = bench.state.senders[SENDER].due_version;
        bench.checkpoint(report(&bench.state).ticked(due));
        assert!(!bench.state.senders[SENDER].owes_tick() && bench.state.parting.is_empty());
    }

    #[test]
    fn what_is_given_up_is_nobodys_work() {
        let mut bench = begun();
        let created_ms = bench.state.tasks[TASK].created_ms;
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        let id = parting_id(TASK, created_ms);
        settle(&mut bench, &id);
        let forget = Command::ForgetParting { parting_id: id };
        assert_eq!(bench.apply(forget.clone()), Reply::Done);
        assert_eq!(bench.apply(forget), Reply::Refused(Refusal::Stale));
        assert_eq!(bench.state.owing_senders().count(), 0);
        // The next task to that target brings it.
        bench.create();
        assert_eq!(bench.state.owing_senders().count(), 1);
    }
}
