//! Names at the target. Pure.

use super::selection::DEFAULT_DATABASE;
use crate::registry::task::NameMapping;

/// Where a collection goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TargetName {
    pub(super) db: String,
    pub(super) collection: String,
}

impl std::fmt::Display for TargetName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.db, self.collection)
    }
}

/// The name at the target: a collection that is listed for its database gets the listed name, any other one keeps its
/// own; both go to the target database of the (first) entry.
pub(super) fn target_name(mappings: &[NameMapping], db: &str, collection: &str) -> TargetName {
    let of_database = || mappings.iter().filter(|mapping| or_default(&mapping.source_db) == db);
    let listing = of_database().find(|mapping| mapping.collections.contains_key(collection));
    let Some(mapping) = listing.or_else(|| of_database().next()) else {
        return TargetName { db: db.to_owned(), collection: collection.to_owned() };
    };
    let target_db = if mapping.target_db.is_empty() { db } else { &mapping.target_db };
    let name = mapping.collections.get(collection).filter(|name| !name.is_empty());
    TargetName { db: target_db.to_owned(), collection: name.map_or(collection, String::as_str).to_owned() }
}

fn or_default(db: &str) -> &str {
    if db.is_empty() { DEFAULT_DATABASE } else { db }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(source_db: &str, target_db: &str, names: &[(&str, &str)]) -> NameMapping {
        NameMapping {
            source_db: source_db.into(),
            target_db: target_db.into(),
            collections: names.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect(),
        }
    }

    #[test]
    fn listed_names_change_and_others_stay() {
        let mappings = [mapping("", "copy", &[("a", "b")]), mapping("sales", "", &[("x", "y")])];
        for (db, collection, expected) in [
            ("default", "a", "copy.b"),
            ("default", "c", "copy.c"),
            ("sales", "x", "sales.y"),
            ("sales", "z", "sales.z"),
            ("other", "a", "other.a"),
        ] {
            assert_eq!(target_name(&mappings, db, collection).to_string(), expected);
        }
    }

    #[test]
    fn the_entry_that_lists_a_collection_comes_first() {
        let mappings = [mapping("default", "one", &[]), mapping("default", "two", &[("a", "a")])];
        assert_eq!(target_name(&mappings, "default", "a").to_string(), "two.a");
        assert_eq!(target_name(&mappings, "default", "b").to_string(), "one.b");
    }
}
