//! `NoteMetadata`: what a task is about to bring to its target, found there, or no longer has there.

use std::collections::BTreeSet;

use super::super::{MetadataItem, Refusal, Reply, State};

pub(super) fn apply(
    state: &mut State,
    task_id: &str,
    known: &BTreeSet<MetadataItem>,
    forgotten: &BTreeSet<MetadataItem>,
) -> Reply {
    if !state.tasks.contains_key(task_id) {
        return Reply::Refused(Refusal::TaskNotFound(task_id.to_owned()));
    }
    let mappings = state.mappings.get(task_id);
    let living =
        |id: i64| mappings.is_some_and(|mappings| mappings.get(&id).is_some_and(|mapping| !mapping.dropped));
    let kept = known.iter().filter(|item| item.part_of().is_none_or(living));
    let kept: BTreeSet<MetadataItem> = kept.cloned().collect();
    let items = state.metadata.entry(task_id.to_owned()).or_default();
    items.retain(|item| !forgotten.contains(item));
    items.extend(kept);
    if items.is_empty() {
        state.metadata.remove(task_id);
    }
    Reply::Done
}

/// A collection is gone, and what it had with it.
pub(super) fn forget_collection(state: &mut State, task_id: &str, source_collection_id: i64) {
    if let Some(items) = state.metadata.get_mut(task_id) {
        items.retain(|item| item.part_of() != Some(source_collection_id));
        if items.is_empty() {
            state.metadata.remove(task_id);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::super::Command;
    use super::super::fixtures::{Bench, TASK, mapping};
    use super::*;

    fn note(known: &[MetadataItem], forgotten: &[MetadataItem]) -> Command {
        Command::NoteMetadata {
            task_id: TASK.into(),
            known: known.iter().cloned().collect(),
            forgotten: forgotten.iter().cloned().collect(),
        }
    }

    fn index(id: i64) -> MetadataItem {
        MetadataItem::Index { collection: mapping().source_id, name: "fast".into(), id }
    }

    fn alias() -> MetadataItem {
        let collection = mapping().source_id;
        MetadataItem::Alias { db: "default".into(), alias: "best".into(), collection }
    }

    #[test]
    fn items_come_and_go() {
        let mut bench = Bench::mapped();
        assert_eq!(bench.apply(note(&[index(1), alias()], &[])), Reply::Done);
        bench.apply(note(&[index(2)], &[index(1)]));
        assert_eq!(bench.state.metadata[TASK], [index(2), alias()].into());
        bench.apply(note(&[], &[index(2), alias()]));
        assert!(bench.state.metadata.is_empty());
    }

    #[test]
    fn what_a_collection_had_goes_with_it_and_comes_no_more_but_its_alias_is_still_to_be_dropped() {
        let mut bench = Bench::mapped();
        bench.apply(note(&[index(1), alias()], &[]));
        bench.apply(Command::DropMapping { task_id: TASK.into(), source_collection_id: mapping().source_id });
        assert_eq!(bench.state.metadata[TASK], [alias()].into());
        bench.apply(note(&[index(3)], &[]));
        assert_eq!(bench.state.metadata[TASK], [alias()].into());
    }

    #[test]
    fn nothing_is_left_of_a_deleted_task() {
        let mut bench = Bench::mapped();
        bench.apply(note(&[alias()], &[]));
        bench.apply(Command::DeleteTask { task_id: TASK.into() });
        assert!(bench.state.metadata.is_empty());
        assert_eq!(bench.apply(note(&[alias()], &[])), Reply::Refused(Refusal::TaskNotFound(TASK.into())));
    }
}
