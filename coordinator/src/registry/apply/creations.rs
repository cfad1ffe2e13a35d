//! `BeginCreations` and `EndCreation`: what is about to be created at a target, until a mapping names it.

use super::super::{CollectionMapping, DropId, PendingCreation, Refusal, Reply, State};

pub(super) fn begin(state: &mut State, creations: &[PendingCreation]) -> Reply {
    for creation in creations {
        if !state.tasks.contains_key(&creation.task_id) {
            return Reply::Refused(Refusal::TaskNotFound(creation.task_id.clone()));
        }
        if !is_mapped(state, creation) {
            state.creations.insert(creation.id(), creation.clone());
        }
    }
    Reply::Done
}

pub(super) fn end(state: &mut State, id: &DropId) -> Reply {
    state.creations.remove(id);
    Reply::Done
}

/// Ends those that a mapping now names: of the collection itself, and of its partitions.
pub(super) fn end_mapped(state: &mut State, mapping: &CollectionMapping) {
    let State { creations, .. } = state;
    creations.retain(|_, creation| {
        let of_it = creation.task_id == mapping.task_id && creation.source_collection_id == mapping.source_id;
        !(of_it && names(mapping, creation))
    });
}

/// Ends those of a task, or of one of its collections.
pub(super) fn forget(state: &mut State, task_id: &str, source_collection_id: Option<i64>) {
    state.creations.retain(|_, creation| {
        creation.task_id != task_id
            || source_collection_id.is_some_and(|id| id != creation.source_collection_id)
    });
}

fn is_mapped(state: &State, creation: &PendingCreation) -> bool {
    let of_task = state.mappings.get(&creation.task_id);
    of_task
        .and_then(|by_collection| by_collection.get(&creation.source_collection_id))
        .is_some_and(|mapping| mapping.dropped || names(mapping, creation))
}

fn names(mapping: &CollectionMapping, creation: &PendingCreation) -> bool {
    creation.partition.as_ref().is_none_or(|partition| mapping.partitions.contains_key(&partition.source_id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::{
        Command, CreatedPartition, DropStage, PartitionMapping, PendingCreation, Refusal, Reply,
    };
    use super::super::fixtures::{Bench, SENDER, TASK, mapping};

    fn creation(partition: Option<i64>) -> PendingCreation {
        let mapping = mapping();
        PendingCreation {
            task_id: TASK.into(),
            source_collection_id: mapping.source_id,
            source_db: mapping.source_db,
            source_name: mapping.source_name,
            target_db: mapping.target_db,
            target_name: mapping.target_name,
            created_ts: mapping.created_ts,
            partition: partition.map(|source_id| CreatedPartition { source_id, name: "p".into() }),
            settled: false,
        }
    }

    fn begin(creations: Vec<PendingCreation>) -> Command {
        Command::BeginCreations { creations }
    }

    #[test]
    fn a_creation_ends_with_its_mapping() {
        let mut bench = Bench::created();
        assert_eq!(bench.apply(begin(vec![creation(None), creation(Some(7))])), Reply::Done);
        assert_eq!(bench.state.creations.len(), 2);
        bench.apply(Command::MapCollection { mapping: Box::new(mapping()) });
        assert_eq!(bench.state.creations.keys().collect::<Vec<_>>(), [&creation(Some(7)).id()]);
        let partition = PartitionMapping {
            source_name: "p".into(),
            target_id: 70,
            target_name: "p".into(),
            dropped: false,
        };
        bench.apply(Command::MapPartitions {
            task_id: TASK.into(),
            source_collection_id: mapping().source_id,
            partitions: [(7, partition)].into(),
        });
        assert!(bench.state.creations.is_empty());
        // Late, it is nothing new.
        bench.apply(begin(vec![creation(None), creation(Some(7))]));
        assert!(bench.state.creations.is_empty());
    }

    #[test]
    fn a_creation_ends_with_its_task_and_with_its_collection() {
        let mut bench = Bench::created();
        bench.apply(Command::MapCollection { mapping: Box::new(mapping()) });
        bench.apply(begin(vec![creation(Some(7))]));
        let source_collection_id = mapping().source_id;
        bench.apply(Command::DropMapping { task_id: TASK.into(), source_collection_id });
        assert!(bench.state.creations.is_empty());
        let other = PendingCreation { source_collection_id: 5, ..creation(None) };
        bench.apply(begin(vec![other.clone()]));
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        assert!(bench.state.creations.is_empty());
        let refused = Reply::Refused(Refusal::TaskNotFound(TASK.into()));
        assert_eq!(bench.apply(begin(vec![other])), refused);
    }

    #[test]
    fn what_was_dropped_before_it_was_mapped_is_dropped_at_the_target() {
        let mut bench = Bench::created();
        bench.apply(begin(vec![creation(None)]));
        let mut gone = mapping();
        gone.dropped = true;
        bench.apply(Command::MapCollection { mapping: Box::new(gone.clone()) });
        assert!(bench.state.creations.is_empty() && bench.state.shards.is_empty());
        let drop = &bench.state.drops[&creation(None).id()];
        assert_eq!((drop.target_collection_id, drop.stage), (gone.target_id, DropStage::Leaving));
        // Its end has to be told on its channel, by a sender that may be the first there.
        assert_eq!(drop.senders.keys().collect::<Vec<_>>(), [SENDER]);
        assert!(drop.has_left(&bench.state.senders));
    }
}
