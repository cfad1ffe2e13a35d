//! Which collections are a task's: decided when a collection is created, or the task is. A rename changes nothing.
//!
//! What has a mapping is decided. For the others the source's catalog tells what their names were at that time; it
//! forgets that one day, so what was renamed into a filter is recorded. Where the patterns of two tasks meet, the
//! collection is the older task's, also while that one is paused.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use harrier_milvus::catalog::{CatalogError, CatalogSnapshot, NameHistory, ObjectState, SourceCollection};
use harrier_milvus::tso::{self, Timestamp};

use super::Problem;
use super::plan::Known;
use super::ports::Coordination;
use super::round::{Tools, commit};
use super::selection::Selection;
use crate::registry::{CollectionMapping, Command, Task};

/// Histories read at the same time.
const READS_MAX: usize = 16;

/// What was read of collections that are not mapped. It never changes for the times that count.
#[derive(Default)]
pub(super) struct Membership {
    histories: BTreeMap<i64, NameHistory>,
}

/// What follows for one round.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Members {
    of_others: BTreeSet<i64>,
    names: BTreeMap<i64, String>,
    passed_over: BTreeMap<i64, String>,
    /// What is passed over is to be recorded.
    pub(super) is_news: bool,
}

/// A task that goes before this one where both select a collection.
struct Elder {
    selection: Selection,
    created_ms: u64,
    passed_over: BTreeMap<i64, String>,
}

impl Membership {
    /// Decides about everything that has no mapping.
    pub(super) async fn decide(
        &mut self,
        tools: &Tools,
        (task, selection): (&Task, &Selection),
        snapshot: &CatalogSnapshot,
        mappings: &BTreeMap<i64, CollectionMapping>,
    ) -> Result<Members, Problem> {
        let coordination = &*tools.coordination;
        let mapped_by_others = coordination.mapped_by_others(&task.id);
        let elders: Vec<Elder> =
            coordination.elders(&task.id).iter().map(|elder| Elder::of(elder, coordination)).collect();
        let recorded = coordination.passed_over(&task.id);
        let open = || {
            let unmapped = snapshot.collections.values().filter(|source| {
                let is_known = mappings.contains_key(&source.id) || mapped_by_others.contains(&source.id);
                source.state == ObjectState::Created && !source.db_name.is_empty() && !is_known
            });
            unmapped.filter(|source| !recorded.contains_key(&source.id))
        };
        if !selection.is_everything() || !elders.is_empty() {
            self.learn(tools, open().filter(|source| !self.histories.contains_key(&source.id)).collect())
                .await?;
        }
        self.histories.retain(|id, _| snapshot.collections.contains_key(id));
        let mut members = Members { of_others: mapped_by_others.clone(), ..Members::default() };
        members.passed_over = recorded.clone();
        members.passed_over.retain(|id, _| snapshot.is_alive(*id) && !mappings.contains_key(id));
        for source in open() {
            members.add(source, self.histories.get(&source.id), (task, selection), &elders);
        }
        members.of_others.extend(members.passed_over.keys());
        members.is_news = members.passed_over != recorded;
        Ok(members)
    }

    async fn learn(&mut self, tools: &Tools, unknown: Vec<&SourceCollection>) -> Result<(), CatalogError> {
        let read = |source: &SourceCollection| {
            let (db_id, id) = (source.db_id, source.id);
            async move { Ok::<_, CatalogError>((id, tools.source.names_of(db_id, id).await?)) }
        };
        let reads: Vec<_> = unknown.into_iter().map(read).collect();
        let found: Vec<_> = futures::stream::iter(reads).buffer_unordered(READS_MAX).try_collect().await?;
        self.histories.extend(found);
        Ok(())
    }
}

impl Members {
    /// What a plan has to know.
    pub(super) fn known<'a>(&'a self, mappings: &'a BTreeMap<i64, CollectionMapping>) -> Known<'a> {
        Known { mappings, of_others: &self.of_others, names: &self.names }
    }

    /// Makes sure that what is passed over stays that way.
    pub(super) async fn record(&self, coordination: &dyn Coordination, task_id: &str) -> Result<(), Problem> {
        if !self.is_news {
            return Ok(());
        }
        let collections = self.passed_over.clone();
        tracing::info!(task = task_id, ?collections, "renamed into the filter, and none of the task's");
        commit(coordination, Command::PassOver { task_id: task_id.to_owned(), collections }).await
    }

    fn add(
        &mut self,
        source: &SourceCollection,
        history: Option<&NameHistory>,
        (task, selection): (&Task, &Selection),
        elders: &[Elder],
    ) {
        let is_selected =
            |selection: &Selection, name: &str| selection.filter(&source.db_name, name).is_some();
        let is_an_elders = |elder: &Elder| {
            !elder.passed_over.contains_key(&source.id)
                && is_selected(&elder.selection, deciding_name(source, history, elder.created_ms))
        };
        if elders.iter().any(is_an_elders) {
            self.of_others.insert(source.id);
            return;
        }
        let name = deciding_name(source, history, task.created_ms);
        if name == source.name {
            return;
        }
        if is_selected(selection, name) {
            self.names.insert(source.id, name.to_owned());
        } else if is_selected(selection, &source.name) {
            self.passed_over.insert(source.id, format!("{}.{}", source.db_name, source.name));
        } else {
            self.names.insert(source.id, name.to_owned());
        }
    }
}

impl Elder {
    fn of(task: &Task, coordination: &dyn Coordination) -> Self {
        Self {
            selection: Selection::new(&task.spec),
            created_ms: task.created_ms,
            passed_over: coordination.passed_over(&task.id),
        }
    }
}

/// The name of a collection when it, or the task, was created, whichever was later.
fn deciding_name<'a>(
    source: &'a SourceCollection,
    history: Option<&'a NameHistory>,
    task_created_ms: u64,
) -> &'a str {
    let decided: Timestamp = source.created_ts.max(tso::compose(task_created_ms, 0));
    history.and_then(|history| history.at(decided)).unwrap_or(&source.name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::fixtures::{source_collection, spec, task};
    use super::*;

    const CREATED_MS: u64 = 1_000;

    fn at(ms: u64) -> Timestamp {
        tso::compose(ms, 0)
    }

    /// A collection that was created at a time, with its names from times on.
    fn collection(created_ms: u64, names: &[(u64, &str)]) -> (SourceCollection, NameHistory) {
        let mut source = source_collection(7, names.last().unwrap().1, 1);
        source.created_ts = at(created_ms);
        let mut history = NameHistory::default();
        for (ms, name) in names {
            history.insert(at(*ms), name);
        }
        (source, history)
    }

    fn decided(
        filter: &str,
        (source, history): &(SourceCollection, NameHistory),
        elders: &[Elder],
    ) -> Members {
        let mut task = task(spec(&[filter]));
        task.created_ms = CREATED_MS;
        let selection = Selection::new(&task.spec);
        let mut members = Members::default();
        members.add(source, Some(history), (&task, &selection), elders);
        members
    }

    #[test]
    fn the_name_at_creation_decides_for_what_comes_after_the_task() {
        let renamed_in = collection(2_000, &[(2_000, "draft"), (2_001, "orders_1")]);
        let members = decided("orders_*", &renamed_in, &[]);
        assert_eq!(members.passed_over, BTreeMap::from([(7, "default.orders_1".to_owned())]));

        let renamed_out = collection(2_000, &[(2_000, "orders_1"), (2_001, "archive")]);
        let members = decided("orders_*", &renamed_out, &[]);
        assert_eq!(members.names, BTreeMap::from([(7, "orders_1".to_owned())]));
        assert!(members.passed_over.is_empty());
    }

    #[test]
    fn the_name_when_the_task_was_created_decides_for_what_was_there_before() {
        let renamed_before = collection(10, &[(10, "draft"), (900, "orders_1")]);
        assert_eq!(decided("orders_*", &renamed_before, &[]), Members::default());
        let renamed_after = collection(10, &[(10, "draft"), (1_100, "orders_1")]);
        assert_eq!(decided("orders_*", &renamed_after, &[]).passed_over.len(), 1);
    }

    #[test]
    fn an_elder_has_what_both_select_by_the_name_that_decides_for_the_elder() {
        let elder = |created_ms, names: &[&str]| Elder {
            selection: Selection::new(&spec(names)),
            created_ms,
            passed_over: BTreeMap::new(),
        };
        let both = collection(2_000, &[(2_000, "orders_old")]);
        assert_eq!(decided("*_old", &both, &[elder(500, &["orders_*"])]).of_others, [7].into());
        assert_eq!(decided("*_old", &both, &[elder(500, &["users_*"])]), Members::default());
        // Renamed into the elder's filter between the two creations: it never was the elder's.
        let between = collection(10, &[(10, "draft_old"), (700, "orders_old")]);
        assert_eq!(decided("*_old", &between, &[elder(500, &["orders_*"])]), Members::default());
        assert_eq!(decided("*_old", &between, &[elder(800, &["orders_*"])]).of_others, [7].into());
    }

    #[test]
    fn without_a_history_the_present_name_decides() {
        let (source, _) = collection(2_000, &[(2_000, "orders_1")]);
        let members = decided("orders_*", &(source, NameHistory::default()), &[]);
        assert_eq!(members, Members::default());
    }
}
