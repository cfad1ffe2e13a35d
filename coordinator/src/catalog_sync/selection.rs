//! Which collections of the source a task is about. Pure.

use globset::{Glob, GlobMatcher};

use crate::registry::{CollectionFilter, TaskSpec};

pub(super) const DEFAULT_DATABASE: &str = "default";

/// The filters of a task, ready to be asked.
pub(super) struct Selection {
    rules: Vec<Rule>,
    exclude: Vec<(Pattern, Pattern)>,
}

struct Rule {
    database: Pattern,
    collection: Pattern,
    filter: CollectionFilter,
}

/// A plain name, or a glob. Names of Milvus hold no `/`, so that a `*` is any text.
enum Pattern {
    /// `*`, as most tasks have it: a glob is compiled, and asked, at some expense.
    Everything,
    Name(String),
    Glob(GlobMatcher),
}

impl Pattern {
    /// What is no valid glob can only be meant as a name.
    fn new(text: &str) -> Self {
        if text == "*" {
            return Self::Everything;
        }
        if !text.contains(['*', '?', '[', '{', '\\']) {
            return Self::Name(text.to_owned());
        }
        Glob::new(text)
            .map_or_else(|_| Self::Name(text.to_owned()), |glob| Self::Glob(glob.compile_matcher()))
    }

    /// A database without a name is the default one.
    fn of_database(text: &str) -> Self {
        Self::new(if text.is_empty() { DEFAULT_DATABASE } else { text })
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Name(own) => own == name,
            Self::Glob(glob) => glob.is_match(name),
        }
    }

    const fn is_name(&self) -> bool {
        matches!(self, Self::Name(_))
    }
}

/// Whether a task's filter selects a collection by its present name. Whether it belongs to the task is decided by the
/// name of another time.
pub fn is_selected(spec: &TaskSpec, database: &str, collection: &str) -> bool {
    Selection::new(spec).filter(database, collection).is_some()
}

impl Selection {
    pub(super) fn new(spec: &TaskSpec) -> Self {
        let of_default = spec.collection_infos.iter().map(|filter| {
            let everywhere = spec.every_database && filter.name == "*";
            (if everywhere { "*" } else { DEFAULT_DATABASE }, filter)
        });
        let by_database = spec
            .db_collections
            .iter()
            .flat_map(|(database, filters)| filters.iter().map(move |filter| (database.as_str(), filter)));
        let rules = of_default.chain(by_database).map(|(database, filter)| Rule {
            database: Pattern::of_database(database),
            collection: Pattern::new(&filter.name),
            filter: filter.clone(),
        });
        let exclude = spec.exclude.iter().map(|text| {
            let (database, collection) = text.split_once('.').unwrap_or((DEFAULT_DATABASE, text));
            (Pattern::of_database(database), Pattern::new(collection))
        });
        Self { rules: rules.collect(), exclude: exclude.collect() }
    }

    /// Whether every collection is selected, whatever its name is.
    pub(super) fn is_everything(&self) -> bool {
        let everything = |rule: &Rule| {
            matches!((&rule.database, &rule.collection), (Pattern::Everything, Pattern::Everything))
        };
        self.exclude.is_empty() && self.rules.iter().any(everything)
    }

    /// Whether collections of a database can be selected, also of one that has none.
    pub(super) fn selects_database(&self, database: &str) -> bool {
        let all_but_none =
            |(db, name): &(Pattern, Pattern)| db.matches(database) && matches!(name, Pattern::Everything);
        self.rules.iter().any(|rule| rule.database.matches(database))
            && !self.exclude.iter().any(all_but_none)
    }

    /// The filter that selects a collection; one that names it comes before a pattern.
    pub(super) fn filter(&self, database: &str, collection: &str) -> Option<&CollectionFilter> {
        if self.exclude.iter().any(|(db, name)| db.matches(database) && name.matches(collection)) {
            return None;
        }
        let matching = || {
            let both = |rule: &&Rule| rule.database.matches(database) && rule.collection.matches(collection);
            self.rules.iter().filter(both)
        };
        let rule = matching().find(|rule| rule.collection.is_name()).or_else(|| matching().next())?;
        Some(&rule.filter)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::BTreeMap;

    use super::super::fixtures::{filter, spec};
    use super::*;
    use proptest::prelude::*;

    fn selected(spec: &TaskSpec, database: &str, collection: &str) -> bool {
        Selection::new(spec).filter(database, collection).is_some()
    }

    #[test]
    fn plain_names_and_patterns_are_of_the_default_database() {
        let spec = spec(&["orders", "log_*"]);
        assert!(selected(&spec, "default", "orders") && selected(&spec, "default", "log_1"));
        assert!(!selected(&spec, "default", "orders2") && !selected(&spec, "sales", "orders"));
    }

    #[test]
    fn a_lone_star_is_every_database_only_where_the_task_says_so() {
        let mut spec = spec(&["*"]);
        assert!(selected(&spec, "default", "a") && !selected(&spec, "sales", "a"));
        spec.every_database = true;
        assert!(selected(&spec, "default", "a") && selected(&spec, "sales", "a"));
        spec.exclude = vec!["sales.tmp_*".into(), "b".into()];
        assert!(!selected(&spec, "sales", "tmp_1") && selected(&spec, "default", "tmp_1"));
        assert!(!selected(&spec, "default", "b") && selected(&spec, "sales", "b"));
    }

    #[test]
    fn databases_may_be_patterns_too() {
        let lists = [("sales_*", vec![filter("*")]), ("", vec![filter("a")])];
        let db_collections = lists.into_iter().map(|(db, filters)| (db.to_owned(), filters)).collect();
        let spec = TaskSpec { db_collections, ..spec(&[]) };
        assert!(selected(&spec, "sales_eu", "x") && selected(&spec, "default", "a"));
        assert!(!selected(&spec, "sales", "x") && !selected(&spec, "default", "x"));
    }

    #[test]
    fn the_filter_that_names_the_collection_comes_first() {
        let mut named = filter("orders");
        named.positions = BTreeMap::from([("v".to_owned(), "p".to_owned())]);
        let mut spec = spec(&["*"]);
        spec.collection_infos.push(named.clone());
        assert_eq!(Selection::new(&spec).filter("default", "orders"), Some(&named));
    }

    proptest! {
        #[test]
        fn any_name_without_special_characters_selects_itself_alone(name in "[a-z_0-9]{1,20}", other in "[a-z_0-9]{1,20}") {
            let spec = spec(&[&name]);
            prop_assert!(selected(&spec, "default", &name));
            prop_assert_eq!(selected(&spec, "default", &other), name == other);
        }

        #[test]
        fn no_pattern_panics(pattern in ".{0,20}", name in ".{0,20}") {
            let _ = selected(&spec(&[&pattern]), "default", &name);
        }
    }
}
