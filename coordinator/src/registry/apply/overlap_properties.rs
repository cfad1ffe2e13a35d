//! No two tasks pass that could write the same collection.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::super::task::NameMapping;
use super::super::super::{CollectionFilter, TaskSpec};
use super::super::fixtures::{filter, matches, spec};
use super::overlap;

const DATABASES: [&str; 3] = ["default", "x", "y"];
const NAMES: [&str; 4] = ["a", "b", "ab", "ba"];

fn filters() -> impl Strategy<Value = Vec<CollectionFilter>> {
    let names = proptest::sample::select(&["a", "b", "ab", "*", "a*", "?b", "*a"]);
    proptest::collection::vec(names.prop_map(filter), 1..3)
}

fn name_mapping() -> impl Strategy<Value = NameMapping> {
    let database = || proptest::sample::select(&DATABASES);
    let target = proptest::sample::select(&["", "x", "z"]);
    let name = || proptest::sample::select(&NAMES).prop_map(str::to_owned);
    let to = proptest::sample::select(&["", "a", "b", "c"]).prop_map(str::to_owned);
    (database(), target, proptest::collection::btree_map(name(), to, 0..2)).prop_map(
        |(source_db, target_db, collections)| NameMapping {
            source_db: source_db.into(),
            target_db: target_db.into(),
            collections,
        },
    )
}

fn task_spec() -> impl Strategy<Value = TaskSpec> {
    let database = proptest::sample::select(&["default", "x", "*"]).prop_map(str::to_owned);
    let by_database = proptest::collection::btree_map(database, filters(), 1..2);
    let lists = prop_oneof![
        (filters(), any::<bool>()).prop_map(|(list, everywhere)| (list, BTreeMap::new(), everywhere)),
        by_database.prop_map(|lists| (Vec::new(), lists, false)),
    ];
    let exclude = proptest::sample::select(&["default.a", "*.b", "x.*", "*.a*", "default.?b"]);
    let exclude = proptest::collection::vec(exclude.prop_map(str::to_owned), 0..2);
    (lists, exclude, proptest::collection::vec(name_mapping(), 0..3)).prop_map(
        |((collection_infos, db_collections, every_database), exclude, name_mapping)| TaskSpec {
            collection_infos,
            db_collections,
            every_database,
            exclude,
            name_mapping,
            ..spec(&[])
        },
    )
}

fn selects(spec: &TaskSpec, database: &str, name: &str) -> bool {
    let listed = |list: &[CollectionFilter]| list.iter().any(|filter| matches(&filter.name, name));
    let every = spec.every_database && spec.collection_infos.iter().any(|filter| filter.name == "*");
    let selected = every
        || (database == "default" && listed(&spec.collection_infos))
        || spec.db_collections.iter().any(|(pattern, list)| matches(pattern, database) && listed(list));
    let excluded = spec.exclude.iter().any(|exclude| {
        let (db, collection) = exclude.split_once('.').unwrap();
        matches(db, database) && matches(collection, name)
    });
    selected && !excluded
}

/// Where it goes, whether the first entry of a database counts, the last, or the first that lists the name.
fn targets(spec: &TaskSpec, database: &str, name: &str) -> Vec<(String, String)> {
    let entries: Vec<_> = spec.name_mapping.iter().filter(|entry| entry.source_db == database).collect();
    let through = |entry: &&NameMapping| {
        let target_db = if entry.target_db.is_empty() { database } else { &entry.target_db };
        let target_name =
            entry.collections.get(name).filter(|to| !to.is_empty()).map_or(name, String::as_str);
        (target_db.to_owned(), target_name.to_owned())
    };
    let listing = entries.iter().find(|entry| entry.collections.contains_key(name));
    match (entries.first(), entries.last()) {
        (Some(first), Some(last)) => [first, last].into_iter().chain(listing).map(through).collect(),
        _ => vec![(database.to_owned(), name.to_owned())],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_collection_is_written_twice(left in task_spec(), right in task_spec()) {
        let everything = || DATABASES.iter().flat_map(|database| NAMES.iter().map(move |name| (*database, *name)));
        let of = |spec: &TaskSpec| -> Vec<(&str, &str)> {
            everything().filter(|(database, name)| selects(spec, database, name)).collect()
        };
        let (from_left, from_right) = (of(&left), of(&right));
        let meet_at_source = from_left.iter().any(|one| from_right.contains(one));
        let to_left: Vec<_> = from_left.iter().flat_map(|(db, name)| targets(&left, db, name)).collect();
        let to_right: Vec<_> = from_right.iter().flat_map(|(db, name)| targets(&right, db, name)).collect();
        let meet_at_target = to_left.iter().any(|one| to_right.contains(one));
        if meet_at_source || meet_at_target {
            prop_assert!(overlap(&left, &right).is_some());
            prop_assert!(overlap(&right, &left).is_some());
        }
    }
}
