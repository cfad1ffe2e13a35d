//! `DropMapping`: the collection is gone from the source; its shards leave their senders.

use super::super::{Refusal, Reply, ShardId, State};
use super::inputs::{ChangedInputs, remove, shards_of_mapping};

pub(super) fn apply(state: &mut State, task_id: &str, source_collection_id: i64) -> Reply {
    if !state.tasks.contains_key(task_id) {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    }
    let mapping = state
        .mappings
        .get_mut(task_id)
        .and_then(|by_collection| by_collection.get_mut(&source_collection_id));
    let Some(mapping) = mapping else { return Reply::Refused(Refusal::Stale) };
    // Kept, so that a listing that is a little old does not map the collection once more.
    mapping.dropped = true;
    let shard_ids: Vec<ShardId> = shards_of_mapping(mapping).collect();

    let mut changed = ChangedInputs::default();
    for shard_id in shard_ids {
        remove(state, &shard_id, &mut changed);
    }
    changed.bump(state);
    Reply::Done
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{Command, Refusal, Reply};
    use super::super::fixtures::{Bench, SENDER, TASK, mapping};

    #[test]
    fn the_shards_go_once() {
        let mut bench = Bench::mapped();
        let dropped =
            Command::DropMapping { task_id: TASK.into(), source_collection_id: mapping().source_id };
        assert_eq!(bench.apply(dropped.clone()), Reply::Done);
        assert!(bench.state.shards.is_empty());
        assert!(bench.state.mappings[TASK][&mapping().source_id].dropped);
        assert_eq!(bench.state.senders[SENDER].input_version, 2);
        assert_eq!(bench.apply(dropped), Reply::Done);
        assert_eq!(bench.state.senders[SENDER].input_version, 2);

        let unknown = Command::DropMapping { task_id: TASK.into(), source_collection_id: 1 };
        assert_eq!(bench.apply(unknown), Reply::Refused(Refusal::Stale));
    }
}
