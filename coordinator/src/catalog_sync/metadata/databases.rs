//! Databases: those that the task selects are there also while they are empty, and go when the source's go. Pure.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::catalog::{CatalogSnapshot, ObjectState};
use harrier_milvus::client::MetadataChange;

use super::super::names::target_name;
use super::super::selection::{DEFAULT_DATABASE, Selection};
use super::plan::Plan;
use crate::registry::task::NameMapping;
use crate::registry::{CollectionMapping, MetadataItem};

/// The databases that the target should have: id at the source -> name at the target.
pub(super) fn wanted(
    snapshot: &CatalogSnapshot,
    selection: &Selection,
    mapping: &[NameMapping],
) -> BTreeMap<i64, String> {
    let there = snapshot.databases.values().filter(|database| database.state == ObjectState::Created);
    let selected = there.filter(|database| selection.selects_database(&database.name));
    let named = selected.map(|database| (database.id, target_name(mapping, &database.name, "").db));
    named.filter(|(_, db)| db != DEFAULT_DATABASE).collect()
}

/// What the target and the registry show.
pub(super) struct Shown<'a> {
    pub(super) known: &'a BTreeSet<MetadataItem>,
    /// Databases of the target.
    pub(super) databases: &'a [String],
    /// The source has these in whatever state: what is not selected any more is not dropped.
    pub(super) source_ids: &'a BTreeSet<i64>,
    pub(super) mappings: &'a BTreeMap<i64, CollectionMapping>,
    /// Databases of the target in which something is still to be dropped or may still be created.
    pub(super) busy: &'a BTreeSet<String>,
}

/// Answers the databases that are to be dropped if nothing is in them, each with the item that knows it.
pub(super) fn plan(
    wanted: &BTreeMap<i64, String>,
    shown: &Shown<'_>,
    plan: &mut Plan,
) -> Vec<(MetadataItem, String)> {
    for (id, db) in wanted {
        let item = MetadataItem::Database { id: *id, db: db.clone() };
        if !shown.known.contains(&item) {
            plan.known.insert(item);
        }
        if !shown.databases.contains(db) {
            plan.now(MetadataChange::CreateDatabase { db: db.clone() });
        }
    }
    let mut drops = Vec::new();
    for item in shown.known {
        let MetadataItem::Database { id, db } = item else { continue };
        if shown.source_ids.contains(id) {
            continue;
        }
        let is_wanted = wanted.values().any(|name| name == db);
        if is_wanted || !shown.databases.contains(db) {
            plan.forgotten.insert(item.clone());
        } else if !is_used(db, shown) {
            drops.push((item.clone(), db.clone()));
        }
    }
    drops
}

fn is_used(db: &str, shown: &Shown<'_>) -> bool {
    let mut living = shown.mappings.values().filter(|mapping| !mapping.dropped);
    shown.busy.contains(db) || living.any(|mapping| mapping.target_db == db)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use harrier_milvus::catalog::SourceDatabase;

    use super::super::super::fixtures::{mapping_of, snapshot_of, source_collection, spec};
    use super::*;

    fn known(id: i64, db: &str) -> MetadataItem {
        MetadataItem::Database { id, db: db.into() }
    }

    fn planned(
        wanted: &[(i64, &str)],
        items: &[MetadataItem],
        there: &[&str],
        mapped_in: Option<&str>,
    ) -> (Vec<String>, Plan) {
        let databases: Vec<String> = there.iter().map(|db| (*db).to_owned()).collect();
        let mut mapping = mapping_of(&source_collection(1, "a", 1));
        mapping.target_db = mapped_in.unwrap_or_default().to_owned();
        let wanted: BTreeMap<i64, String> = wanted.iter().map(|(id, db)| (*id, (*db).to_owned())).collect();
        let shown = Shown {
            known: &items.iter().cloned().collect(),
            databases: &databases,
            source_ids: &wanted.keys().copied().collect(),
            mappings: &mapped_in.map(|_| (1, mapping)).into_iter().collect(),
            busy: &BTreeSet::new(),
        };
        let mut made = Plan::default();
        let drops = plan(&wanted, &shown, &mut made);
        (drops.into_iter().map(|(_, db)| db).collect(), made)
    }

    #[test]
    fn selected_databases_are_wanted_under_their_names_at_the_target() {
        let mut snapshot = snapshot_of([]);
        for (id, name) in [(5, "sales"), (6, "other")] {
            let database =
                SourceDatabase { id, name: name.into(), state: ObjectState::Created, properties: Vec::new() };
            snapshot.databases.insert(id, database);
        }
        let mut spec = spec(&[]);
        spec.db_collections.insert("sal*".into(), vec![super::super::super::fixtures::filter("*")]);
        let names = [NameMapping {
            source_db: "sales".into(),
            target_db: "copy".into(),
            collections: BTreeMap::new(),
        }];
        let found = wanted(&snapshot, &Selection::new(&spec), &names);
        assert_eq!(found, BTreeMap::from([(5, "copy".to_owned())]));
    }

    #[test]
    fn a_database_is_made_once_and_known() {
        let (drops, plan) = planned(&[(5, "sales")], &[], &["default"], None);
        assert!(drops.is_empty());
        assert_eq!(plan.known, [known(5, "sales")].into());
        assert_eq!(plan.steps[0].change, MetadataChange::CreateDatabase { db: "sales".into() });
        let (drops, plan) = planned(&[(5, "sales")], &[known(5, "sales")], &["default", "sales"], None);
        assert_eq!((drops.len(), plan), (0, Plan::default()));
    }

    #[test]
    fn only_a_database_that_the_task_knows_is_dropped_and_not_before_its_collections() {
        let (drops, _) = planned(&[], &[], &["sales"], None);
        assert!(drops.is_empty(), "nobody saw it at the source");
        let (drops, _) = planned(&[], &[known(5, "sales")], &["sales"], Some("sales"));
        assert!(drops.is_empty(), "a collection of it is still there");
        let (drops, _) = planned(&[], &[known(5, "sales")], &["sales"], Some("other"));
        assert_eq!(drops, ["sales"]);
        let (drops, plan) = planned(&[], &[known(5, "sales")], &[], None);
        assert_eq!((drops.len(), plan.forgotten), (0, [known(5, "sales")].into()));
    }

    #[test]
    fn a_database_that_was_made_anew_under_its_name_stays() {
        let (drops, plan) = planned(&[(7, "sales")], &[known(5, "sales")], &["sales"], None);
        assert!(drops.is_empty());
        assert_eq!((plan.known, plan.forgotten), ([known(7, "sales")].into(), [known(5, "sales")].into()));
    }
}
