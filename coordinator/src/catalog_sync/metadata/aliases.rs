//! Aliases: each points to the copy of the collection that it points to at the source, once that copy has all that was
//! written when it began to. Pure.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::catalog::CatalogSnapshot;
use harrier_milvus::client::MetadataChange;
use harrier_milvus::tso::Timestamp;

use super::plan::Plan;
use crate::registry::{CollectionMapping, MetadataItem};

/// Database and name at the target.
pub(super) type AliasName = (String, String);

/// What a name leads to at the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// Id of the collection.
    pub(super) target_id: i64,
    /// The collection's own name.
    pub(super) collection: String,
}

/// An alias that the target should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The collection at the source.
    pub(super) source_id: i64,
    /// Its copy.
    pub(super) target_id: i64,
    pub(super) collection: String,
    /// When the alias began to point there.
    pub(super) since: Timestamp,
}

/// One change, and which collection's rows it waits for, up to when (`None`: up to when it was first planned).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AliasStep {
    pub(super) change: MetadataChange,
    pub(super) source_id: i64,
    pub(super) since: Option<Timestamp>,
}

/// The aliases of the collections that the task copies.
pub(super) fn wanted(
    snapshot: &CatalogSnapshot,
    mappings: &BTreeMap<i64, CollectionMapping>,
) -> BTreeMap<AliasName, Wanted> {
    let aliases = snapshot.metadata.aliases.iter();
    let wanted = aliases.filter_map(|((_, alias), of)| {
        let mapping = mappings.get(&of.collection_id).filter(|mapping| !mapping.dropped)?;
        let wanted = Wanted {
            source_id: of.collection_id,
            target_id: mapping.target_id,
            collection: mapping.target_name.clone(),
            since: of.changed_ts,
        };
        Some(((mapping.target_db.clone(), alias.clone()), wanted))
    });
    wanted.collect()
}

/// The names that have to be looked up.
pub(super) fn names(
    wanted: &BTreeMap<AliasName, Wanted>,
    known: &BTreeSet<MetadataItem>,
) -> BTreeSet<AliasName> {
    let known = known.iter().filter_map(|item| match item {
        MetadataItem::Alias { db, alias, .. } => Some((db.clone(), alias.clone())),
        _ => None,
    });
    wanted.keys().cloned().chain(known).collect()
}

/// `found`: what each of the names leads to. Known and forgotten items, and obstacles, go into `plan`.
pub(super) fn plan(
    wanted: &BTreeMap<AliasName, Wanted>,
    known: &BTreeSet<MetadataItem>,
    mappings: &BTreeMap<i64, CollectionMapping>,
    found: &BTreeMap<AliasName, Resolved>,
    plan: &mut Plan,
) -> Vec<AliasStep> {
    let mut steps = Vec::new();
    for (name, wanted) in wanted {
        steps.extend(one(name, wanted, known, found.get(name), plan));
    }
    for item in known {
        let MetadataItem::Alias { db, alias, collection } = item else { continue };
        let name = (db.clone(), alias.clone());
        if wanted.contains_key(&name) {
            continue;
        }
        let copy = mappings.get(collection).map(|mapping| mapping.target_id);
        match found.get(&name) {
            Some(found) if found.collection != *alias && Some(found.target_id) == copy => {
                let change = MetadataChange::DropAlias { db: db.clone(), alias: alias.clone() };
                steps.push(AliasStep { change, source_id: *collection, since: None });
            }
            // It is gone, or somebody at the target has made something else of it.
            _ => drop(plan.forgotten.insert(item.clone())),
        }
    }
    steps
}

fn one(
    (db, alias): &AliasName,
    wanted: &Wanted,
    known: &BTreeSet<MetadataItem>,
    found: Option<&Resolved>,
    plan: &mut Plan,
) -> Option<AliasStep> {
    let item = |collection| MetadataItem::Alias { db: db.clone(), alias: alias.clone(), collection };
    let of_name = known.iter().filter(
        |item| matches!(item, MetadataItem::Alias { db: own, alias: name, .. } if own == db && name == alias),
    );
    let of_name: Vec<&MetadataItem> = of_name.collect();
    let note = |plan: &mut Plan| {
        let new = item(wanted.source_id);
        plan.forgotten.extend(of_name.iter().filter(|item| ***item != new).map(|item| (*item).clone()));
        if !known.contains(&new) {
            plan.known.insert(new);
        }
    };
    let (db, alias, collection) = (db.clone(), alias.clone(), wanted.collection.clone());
    let (source_id, since) = (wanted.source_id, Some(wanted.since));
    let change = match found {
        None => MetadataChange::CreateAlias { db, collection, alias },
        Some(found) if found.collection == alias => {
            let change = MetadataChange::CreateAlias { db, collection, alias };
            plan.obstacle(&change, "a collection has that name at the target: rename or drop it there");
            return None;
        }
        Some(found) if found.target_id == wanted.target_id => {
            note(plan);
            return None;
        }
        Some(_) if !of_name.is_empty() => MetadataChange::AlterAlias { db, collection, alias },
        Some(found) => {
            let change = MetadataChange::AlterAlias { db, collection, alias };
            plan.obstacle(
                &change,
                format!(
                    "at the target it is an alias of {} already, which nobody gave it from here; it is left as it is: drop it \
                     there, and it is made as at the source",
                    found.collection
                ),
            );
            return None;
        }
    };
    note(plan);
    Some(AliasStep { change, source_id, since })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use harrier_milvus::catalog::SourceAlias;

    use super::super::super::fixtures::{mapping_of, snapshot_of, source_collection};
    use super::*;

    struct Bench {
        snapshot: CatalogSnapshot,
        mappings: BTreeMap<i64, CollectionMapping>,
        known: BTreeSet<MetadataItem>,
        found: BTreeMap<AliasName, Resolved>,
    }

    fn name() -> AliasName {
        ("default".to_owned(), "best".to_owned())
    }

    fn known_to(collection: i64) -> MetadataItem {
        MetadataItem::Alias { db: "default".into(), alias: "best".into(), collection }
    }

    impl Bench {
        fn new(points_to: Option<i64>) -> Self {
            let collections = [source_collection(1, "a", 1), source_collection(2, "b", 1)];
            let mappings = collections.iter().map(|source| (source.id, mapping_of(source))).collect();
            let mut snapshot = snapshot_of(collections);
            if let Some(collection_id) = points_to {
                let alias = SourceAlias { collection_id, changed_ts: 500 };
                snapshot.metadata.aliases.insert((1, "best".into()), alias);
            }
            Self { snapshot, mappings, known: BTreeSet::new(), found: BTreeMap::new() }
        }

        fn knows(mut self, collection: i64) -> Self {
            self.known.insert(known_to(collection));
            self
        }

        /// At the target it is an alias of this collection's copy.
        fn leads_to(mut self, id: i64) -> Self {
            let collection = if id == 1 { "a" } else { "b" }.to_owned();
            self.found.insert(name(), Resolved { target_id: id * 1_000, collection });
            self
        }

        fn plan(&self) -> (Vec<AliasStep>, Plan) {
            let wanted = wanted(&self.snapshot, &self.mappings);
            let mut made = Plan::default();
            let steps = plan(&wanted, &self.known, &self.mappings, &self.found, &mut made);
            (steps, made)
        }
    }

    #[test]
    fn a_new_alias_waits_for_its_collection_and_is_known_before() {
        let (steps, plan) = Bench::new(Some(2)).plan();
        assert_eq!((steps.len(), steps[0].source_id, steps[0].since), (1, 2, Some(500)));
        assert_eq!(steps[0].change.name(), "CreateAlias");
        assert_eq!(plan.known, [known_to(2)].into());
    }

    #[test]
    fn an_alias_that_is_there_is_found_equal() {
        let (steps, plan) = Bench::new(Some(2)).leads_to(2).plan();
        assert_eq!((steps.len(), plan.known), (0, [known_to(2)].into()));
        let (steps, plan) = Bench::new(Some(2)).knows(2).leads_to(2).plan();
        assert_eq!((steps.len(), plan), (0, Plan::default()));
    }

    #[test]
    fn an_alias_that_moves_is_altered_also_by_the_leader_after_the_one_that_noted_it() {
        let (steps, plan) = Bench::new(Some(2)).knows(1).leads_to(1).plan();
        assert_eq!((steps[0].change.name(), steps[0].source_id), ("AlterAlias", 2));
        assert_eq!((plan.known, plan.forgotten), ([known_to(2)].into(), [known_to(1)].into()));
        let (steps, _) = Bench::new(Some(2)).knows(2).leads_to(1).plan();
        assert_eq!(steps[0].change.name(), "AlterAlias");
    }

    #[test]
    fn what_somebody_made_of_the_name_at_the_target_is_told_and_left() {
        let (steps, plan) = Bench::new(Some(2)).leads_to(1).plan();
        assert!(steps.is_empty() && plan.known.is_empty());
        assert!(plan.obstacles[0].reason.contains("an alias of a already"), "{plan:?}");
        let mut taken = Bench::new(Some(2));
        taken.found.insert(name(), Resolved { target_id: 7, collection: "best".into() });
        let (steps, plan) = taken.plan();
        assert!(steps.is_empty() && plan.obstacles[0].reason.contains("a collection has that name"));
    }

    #[test]
    fn only_an_alias_that_the_task_knows_is_dropped_and_only_where_it_still_is_what_the_task_made() {
        let (steps, _) = Bench::new(None).leads_to(1).plan();
        assert!(steps.is_empty());
        let (steps, _) = Bench::new(None).knows(1).leads_to(1).plan();
        assert_eq!((steps[0].change.name(), steps[0].since), ("DropAlias", None));
        let (steps, plan) = Bench::new(None).knows(1).leads_to(2).plan();
        assert_eq!((steps.len(), plan.forgotten), (0, [known_to(1)].into()));
        let (steps, plan) = Bench::new(None).knows(1).plan();
        assert_eq!((steps.len(), plan.forgotten), (0, [known_to(1)].into()));
    }

    #[test]
    fn an_alias_of_a_collection_that_the_task_does_not_copy_is_not_wanted() {
        let mut bench = Bench::new(Some(2)).knows(2).leads_to(2);
        bench.mappings.get_mut(&2).unwrap().dropped = true;
        let (steps, _) = bench.plan();
        assert_eq!(steps[0].change.name(), "DropAlias");
    }
}
