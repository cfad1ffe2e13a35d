//! What is to be done for a task: its filters and the source's catalog against what is mapped. Pure.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::catalog::{CatalogSnapshot, ObjectState, SourceCollection};

use super::Problem;
use super::names::{TargetName, target_name};
use super::selection::Selection;
use crate::registry::{CollectionMapping, TaskSpec};

/// What is to be done.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan<'a> {
    /// Mapped collections that are gone from the source.
    pub(super) gone: Vec<i64>,
    /// Mapped partitions that are gone from the source, of collections that are there: source collection, and ids.
    pub(super) gone_partitions: Vec<(i64, BTreeSet<i64>)>,
    /// Mapped collections that have another name now.
    pub(super) renamed: Vec<Renamed<'a>>,
    /// Collections without a mapping, oldest first.
    pub(super) collections: Vec<Wanted<'a>>,
    /// New partitions of mapped collections: source collection, and partition ids.
    pub(super) partitions: Vec<(&'a SourceCollection, Vec<i64>)>,
    /// What cannot be done.
    pub(super) problems: Vec<Problem>,
}

/// A collection that needs a counterpart.
#[derive(Debug, PartialEq)]
pub(super) struct Wanted<'a> {
    pub(super) source: &'a SourceCollection,
    pub(super) name: TargetName,
    /// Start positions by vchannel, from the filter.
    pub(super) positions: BTreeMap<String, String>,
}

/// A mapped collection that got another name at the source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Renamed<'a> {
    pub(super) source: &'a SourceCollection,
    /// Under its old names.
    pub(super) mapping: CollectionMapping,
    /// Its new name at the target.
    pub(super) target_name: String,
}

/// What the registry knows of the source's collections.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// The task's own mappings, by source collection, also dropped ones.
    pub(super) mappings: &'a BTreeMap<i64, CollectionMapping>,
    /// What is none of the task's: other tasks copy it to the same target, or will; or it was decided before.
    pub(super) of_others: &'a BTreeSet<i64>,
    /// The names that decide whether collections are selected, where these are not the present ones.
    pub(super) names: &'a BTreeMap<i64, String>,
}

impl Plan<'_> {
    /// Whether anything has to be done at the target or in the registry.
    pub(super) fn is_empty(&self) -> bool {
        self.gone.is_empty()
            && self.gone_partitions.is_empty()
            && self.renamed.is_empty()
            && self.collections.is_empty()
            && self.partitions.is_empty()
    }
}

pub(super) fn plan<'a>(
    spec: &TaskSpec,
    selection: &Selection,
    snapshot: &'a CatalogSnapshot,
    known: Known<'_>,
) -> Plan<'a> {
    let mut plan = Plan::default();
    let mappings = known.mappings;
    for (id, mapping) in mappings.iter().filter(|(_, mapping)| !mapping.dropped) {
        if !snapshot.is_alive(*id) {
            plan.gone.push(*id);
        } else if let Some(source) = snapshot.collections.get(id) {
            let gone = gone_partitions(source, mapping);
            if !gone.is_empty() {
                plan.gone_partitions.push((*id, gone));
            }
            let new = new_partitions(source, mapping);
            if !new.is_empty() {
                plan.partitions.push((source, new));
            }
            match renamed(spec, source, mapping) {
                Ok(renamed) => plan.renamed.extend(renamed),
                Err(problem) => plan.problems.push(problem),
            }
        }
    }
    for source in snapshot.collections.values() {
        // What another task copies stays with that one, whatever its name is now.
        let is_known = mappings.contains_key(&source.id) || known.of_others.contains(&source.id);
        let is_new = source.state == ObjectState::Created && !is_known;
        if !is_new || !database_is_there(snapshot, source) {
            continue;
        }
        let name = known.names.get(&source.id).unwrap_or(&source.name);
        if let Some(filter) = selection.filter(&source.db_name, name) {
            plan.collections.push(Wanted {
                source,
                name: target_name(&spec.name_mapping, &source.db_name, &source.name),
                positions: filter.positions.clone(),
            });
        }
    }
    for (id, reason) in snapshot.unreadable.iter().filter(|(id, _)| !mappings.contains_key(id)) {
        plan.problems.push(Problem::bug(format!("collection {id} of the source cannot be read: {reason}")));
    }
    plan.collections.sort_by_key(|wanted| (wanted.source.created_ts, wanted.source.id));
    refuse_shared_names(&mut plan);
    plan
}

fn renamed<'a>(
    spec: &TaskSpec,
    source: &'a SourceCollection,
    mapping: &CollectionMapping,
) -> Result<Option<Renamed<'a>>, Problem> {
    if source.db_name.is_empty() {
        return Ok(None);
    }
    let TargetName { db, collection } = target_name(&spec.name_mapping, &source.db_name, &source.name);
    if db != mapping.target_db {
        return Err(Problem::operator(format!(
            "collection {}.{} was moved to database {} at the source; its copy stays {}.{}",
            mapping.source_db, mapping.source_name, source.db_name, mapping.target_db, mapping.target_name
        )));
    }
    let same = source.name == mapping.source_name && collection == mapping.target_name;
    Ok((!same).then(|| Renamed { source, mapping: mapping.clone(), target_name: collection }))
}

/// A database that is being dropped takes its collections along.
fn database_is_there(snapshot: &CatalogSnapshot, source: &SourceCollection) -> bool {
    snapshot.databases.get(&source.db_id).is_some_and(|database| !database.state.is_gone())
}

fn gone_partitions(source: &SourceCollection, mapping: &CollectionMapping) -> BTreeSet<i64> {
    let mapped = mapping.partitions.iter().filter(|(_, partition)| !partition.dropped);
    let is_there = |id: &i64| source.partitions.get(id).is_some_and(|partition| !partition.state.is_gone());
    mapped.map(|(id, _)| *id).filter(|id| !is_there(id)).collect()
}

fn new_partitions(source: &SourceCollection, mapping: &CollectionMapping) -> Vec<i64> {
    let living = source.partitions.values().filter(|partition| partition.state == ObjectState::Created);
    living.map(|partition| partition.id).filter(|id| !mapping.partitions.contains_key(id)).collect()
}

/// Two collections into one would mix their rows: the older one has the name.
fn refuse_shared_names(plan: &mut Plan<'_>) {
    let mut holders: BTreeMap<TargetName, String> = BTreeMap::new();
    let problems = &mut plan.problems;
    plan.collections.retain(|wanted| {
        let own = format!("{}.{}", wanted.source.db_name, wanted.source.name);
        let Some(holder) = holders.get(&wanted.name) else {
            holders.insert(wanted.name.clone(), own);
            return true;
        };
        let name = &wanted.name;
        problems.push(
            Problem::operator(format!(
            "collections {holder} and {own} of the source would both be {name} at the target: change name_mapping, or \
             exclude one of them"
        ))
        .about(wanted.source));
        false
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::super::fixtures::{mapping_of, partition, snapshot_of, source_collection, spec};
    use super::*;
    use crate::registry::task::NameMapping;
    use proptest::prelude::*;

    fn planned<'a>(
        spec: &TaskSpec,
        snapshot: &'a CatalogSnapshot,
        mappings: &[CollectionMapping],
    ) -> Plan<'a> {
        let mappings = mappings.iter().map(|mapping| (mapping.source_id, mapping.clone())).collect();
        plan(
            spec,
            &Selection::new(spec),
            snapshot,
            Known { mappings: &mappings, of_others: &[77].into(), names: &[(5, "orders".to_owned())].into() },
        )
    }

    #[test]
    fn new_collections_are_wanted_and_gone_ones_leave() {
        let kept = source_collection(1, "kept", 1);
        let mut dropping = source_collection(2, "dropping", 1);
        dropping.state = ObjectState::Dropping;
        let mut creating = source_collection(3, "creating", 1);
        creating.state = ObjectState::Creating;
        let mappings =
            [mapping_of(&kept), mapping_of(&dropping), mapping_of(&source_collection(9, "vanished", 1))];
        let snapshot = snapshot_of([kept, dropping, creating, source_collection(4, "new", 1)]);
        let spec = spec(&["*"]);
        let plan = planned(&spec, &snapshot, &mappings);
        assert_eq!(plan.gone, [2, 9]);
        assert_eq!(plan.collections.iter().map(|wanted| wanted.source.id).collect::<Vec<_>>(), [4]);
        assert!(plan.partitions.is_empty());
    }

    #[test]
    fn a_mapped_collection_keeps_its_mapping_when_it_is_renamed_and_a_dropped_one_stays_dropped() {
        let mut renamed = source_collection(1, "orders", 1);
        let mut dropped = mapping_of(&source_collection(2, "orders", 1));
        dropped.dropped = true;
        let mappings = [mapping_of(&renamed), dropped];
        renamed.name = "unselected".into();
        let snapshot = snapshot_of([renamed, source_collection(2, "orders", 1)]);
        let spec = spec(&["orders"]);
        let plan = planned(&spec, &snapshot, &mappings);
        let names: Vec<(i64, &str)> =
            plan.renamed.iter().map(|one| (one.source.id, one.target_name.as_str())).collect();
        assert_eq!(names, [(1, "unselected")]);
        assert!(Plan { renamed: Vec::new(), ..plan }.is_empty());
    }

    #[test]
    fn a_collection_of_another_task_stays_with_it_whatever_its_name_is_now() {
        let snapshot =
            snapshot_of([source_collection(77, "orders", 1), source_collection(78, "orders_2", 1)]);
        let spec = spec(&["*"]);
        let plan = planned(&spec, &snapshot, &[]);
        assert_eq!(plan.collections.iter().map(|wanted| wanted.source.id).collect::<Vec<_>>(), [78]);
    }

    #[test]
    fn the_name_that_decides_need_not_be_the_present_one() {
        let snapshot = snapshot_of([source_collection(5, "archived", 1), source_collection(6, "other", 1)]);
        let spec = spec(&["orders"]);
        let plan = planned(&spec, &snapshot, &[]);
        let wanted: Vec<String> = plan.collections.iter().map(|wanted| wanted.name.to_string()).collect();
        assert_eq!(wanted, ["default.archived"]);
    }

    #[test]
    fn a_collection_that_moves_to_another_database_is_no_rename() {
        let moved = source_collection(1, "orders", 1);
        let mut mapping = mapping_of(&moved);
        mapping.target_db = "elsewhere".into();
        let snapshot = snapshot_of([moved]);
        let spec = spec(&["*"]);
        let plan = planned(&spec, &snapshot, &[mapping]);
        assert!(plan.is_empty() && plan.problems[0].message.contains("was moved to database"));
    }

    #[test]
    fn new_partitions_of_mapped_collections_are_found() {
        let mut source = source_collection(1, "a", 1);
        let mappings = [mapping_of(&source)];
        source.partitions.insert(50, partition(50, "p", ObjectState::Created));
        source.partitions.insert(51, partition(51, "q", ObjectState::Creating));
        source.partitions.insert(52, partition(52, "r", ObjectState::Dropping));
        let snapshot = snapshot_of([source]);
        let spec = spec(&["*"]);
        let plan = planned(&spec, &snapshot, &mappings);
        assert_eq!(plan.partitions[0].1, [50]);
    }

    #[test]
    fn what_cannot_be_read_is_neither_gone_nor_new() {
        let mapped = source_collection(1, "a", 1);
        let mappings = [mapping_of(&mapped)];
        let mut snapshot = snapshot_of([]);
        snapshot.unreadable.insert(1, "odd".into());
        snapshot.unreadable.insert(2, "odd".into());
        let plan = planned(&spec(&["*"]), &snapshot, &mappings);
        assert!(plan.is_empty());
        assert_eq!(plan.problems.len(), 1);
    }

    #[test]
    fn two_collections_do_not_get_one_name() {
        let mut spec = spec(&["*"]);
        let collections = [("b".to_owned(), "a".to_owned())].into();
        spec.name_mapping.push(NameMapping {
            source_db: "default".into(),
            target_db: String::new(),
            collections,
        });
        let snapshot = snapshot_of([source_collection(1, "a", 1), source_collection(2, "b", 1)]);
        let plan = planned(&spec, &snapshot, &[]);
        assert_eq!(plan.collections.len(), 1);
        let message = &plan.problems[0].message;
        assert!(message.contains("default.a and default.b") && message.contains("name_mapping"), "{message}");
    }

    proptest! {
        #[test]
        fn after_doing_it_nothing_is_left_to_do(ids in proptest::collection::btree_set(1..40_i64, 0..20),
                                                mapped in proptest::collection::btree_set(1..40_i64, 0..20)) {
            let snapshot = snapshot_of(ids.iter().map(|id| source_collection(*id, &format!("c{id}"), 1)));
            let mut mappings: Vec<_> =
                mapped.iter().map(|id| mapping_of(&source_collection(*id, &format!("c{id}"), 1))).collect();
            let spec = spec(&["*"]);
            let plan = planned(&spec, &snapshot, &mappings);
            for mapping in &mut mappings {
                mapping.dropped |= plan.gone.contains(&mapping.source_id);
            }
            mappings.extend(plan.collections.iter().map(|wanted| mapping_of(wanted.source)));
            prop_assert!(planned(&spec, &snapshot, &mappings).is_empty());
        }
    }
}
