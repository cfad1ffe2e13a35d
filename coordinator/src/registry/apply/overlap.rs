//! Whether two tasks of one target may write the same collection. Two tasks that do would double its rows.
//!
//! Compares patterns, not catalogs, because collections may be created later. Conservative: it may refuse two tasks
//! that would never meet, and never lets two pass that could.

use std::collections::BTreeSet;
use std::fmt;

use super::super::TaskSpec;
use super::glob::{covers, intersect, is_literal};

const DEFAULT_DATABASE: &str = "default";

/// What one entry of a filter selects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Selection {
    database: String,
    collection: String,
}

impl Selection {
    fn new(database: &str, collection: &str) -> Self {
        let database = if database.is_empty() { DEFAULT_DATABASE } else { database };
        Self { database: database.to_owned(), collection: collection.to_owned() }
    }

    fn is_literal(&self) -> bool {
        is_literal(&self.database) && is_literal(&self.collection)
    }

    fn intersects(&self, other: &Self) -> bool {
        intersect(&self.database, &other.database) && intersect(&self.collection, &other.collection)
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.database, self.collection)
    }
}

/// From where to where, as patterns.
struct Route {
    source: Selection,
    target: Selection,
}

impl Route {
    fn keeps_its_name(&self) -> bool {
        self.source == self.target
    }
}

/// What both tasks would write, in words; `None` when they cannot meet.
pub(super) fn overlap(left: &TaskSpec, right: &TaskSpec) -> Option<String> {
    users_of_both(left, right)
        .or_else(|| same_source(left, right, |_, _| true))
        .or_else(|| same_target(left, right))
}

/// What refuses a new task beside an older one that goes before it where their patterns meet: a collection that one of
/// them names, a pattern of which the older one leaves nothing, or one name at the target for two collections.
pub(super) fn conflict(new: &TaskSpec, older: &TaskSpec) -> Option<String> {
    let leaves_nothing = |one: &Selection, other: &Selection| {
        let covered = covers(&other.database, &one.database) && covers(&other.collection, &one.collection);
        covered && !excludes_some(older, one)
    };
    let refused = |one: &Selection, other: &Selection| {
        one.is_literal() || other.is_literal() || leaves_nothing(one, other)
    };
    users_of_both(new, older).or_else(|| same_source(new, older, refused)).or_else(|| same_target(new, older))
}

fn users_of_both(left: &TaskSpec, right: &TaskSpec) -> Option<String> {
    let both = left.enable_user_role && right.enable_user_role;
    both.then(|| "users and roles (extra_info.enable_user_role)".to_owned())
}

/// Whether anything that is selected may be left out.
fn excludes_some(spec: &TaskSpec, selection: &Selection) -> bool {
    spec.exclude.iter().any(|exclude| {
        let (database, collection) = exclude.split_once('.').unwrap_or((DEFAULT_DATABASE, exclude));
        intersect(database, &selection.database) && intersect(collection, &selection.collection)
    })
}

/// The first of the entries that meet and that `counts`.
fn same_source(
    left: &TaskSpec,
    right: &TaskSpec,
    counts: impl Fn(&Selection, &Selection) -> bool,
) -> Option<String> {
    let (left_selections, right_selections) = (selections(left), selections(right));
    let right_names: BTreeSet<&Selection> = right_selections.iter().filter(|s| s.is_literal()).collect();
    let right_patterns: Vec<&Selection> = right_selections.iter().filter(|s| !s.is_literal()).collect();
    for one in &left_selections {
        // Long lists of plain names meet by look-up; only patterns are tried one by one.
        let candidates: Vec<&Selection> = if one.is_literal() {
            right_names.get(one).into_iter().chain(right_patterns.iter()).copied().collect()
        } else {
            right_selections.iter().collect()
        };
        for other in candidates {
            if one.intersects(other)
                && counts(one, other)
                && ![left, right].into_iter().any(|spec| excludes(spec, one) || excludes(spec, other))
            {
                return Some(describe(one, other));
            }
        }
    }
    None
}

fn same_target(left: &TaskSpec, right: &TaskSpec) -> Option<String> {
    if left.name_mapping.is_empty() && right.name_mapping.is_empty() {
        return None;
    }
    let right_routes = routes(right);
    for one in routes(left) {
        for other in &right_routes {
            // Where both keep their names, `same_source` has the answer.
            let renamed = !(one.keeps_its_name() && other.keeps_its_name());
            if renamed
                && one.target.intersects(&other.target)
                && !left_out(left, &one, &other.target)
                && !left_out(right, other, &one.target)
            {
                return Some(format!("{} at the target", describe(&one.target, &other.target)));
            }
        }
    }
    None
}

/// Whether the route surely never leads to `target`.
fn left_out(spec: &TaskSpec, route: &Route, target: &Selection) -> bool {
    excludes(spec, &route.source) || (route.keeps_its_name() && excludes(spec, target))
}

fn excludes(spec: &TaskSpec, selection: &Selection) -> bool {
    spec.exclude.iter().any(|exclude| {
        let (database, collection) = exclude.split_once('.').unwrap_or((DEFAULT_DATABASE, exclude));
        covers(database, &selection.database) && covers(collection, &selection.collection)
    })
}

fn selections(spec: &TaskSpec) -> Vec<Selection> {
    let of_default = spec.collection_infos.iter().map(|filter| {
        let everywhere = spec.every_database && filter.name == "*";
        Selection::new(if everywhere { "*" } else { DEFAULT_DATABASE }, &filter.name)
    });
    let by_database = spec
        .db_collections
        .iter()
        .flat_map(|(database, filters)| filters.iter().map(|filter| Selection::new(database, &filter.name)));
    of_default.chain(by_database).collect()
}

fn routes(spec: &TaskSpec) -> Vec<Route> {
    let mut routes = Vec::new();
    for source in selections(spec) {
        // A database may be listed more than once; it keeps its names if any of the entries lets it.
        let mut renamed = None;
        for mapping in &spec.name_mapping {
            let source_db = Selection::new(&mapping.source_db, "").database;
            let target_db = if mapping.target_db.is_empty() { &source_db } else { &mapping.target_db };
            if !intersect(&source.database, &source_db) {
                continue;
            }
            let mut listed = false;
            for (from, to) in
                mapping.collections.iter().filter(|(from, _)| intersect(&source.collection, from))
            {
                listed |= *from == source.collection && is_literal(from);
                let to = if to.is_empty() { from } else { to };
                routes.push(Route {
                    source: Selection::new(&source_db, from),
                    target: Selection::new(target_db, to),
                });
            }
            if *target_db != source_db && !listed {
                routes.push(Route {
                    source: Selection::new(&source_db, &source.collection),
                    target: Selection::new(target_db, &source.collection),
                });
            }
            if source.database == source_db {
                renamed = Some(renamed.unwrap_or(true) && (listed || *target_db != source_db));
            }
        }
        if renamed != Some(true) {
            routes.push(Route { target: source.clone(), source });
        }
    }
    routes
}

fn describe(one: &Selection, other: &Selection) -> String {
    match (one.is_literal(), other.is_literal()) {
        _ if one == other => one.to_string(),
        (true, _) => one.to_string(),
        (_, true) => other.to_string(),
        _ => format!("{one} and {other}"),
    }
}

#[cfg(test)]
#[path = "overlap_properties.rs"]
mod properties;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::collections::BTreeMap;

    use super::super::super::task::NameMapping;
    use super::super::fixtures::{filter, spec};
    use super::*;

    fn in_database(database: &str, names: &[&str]) -> TaskSpec {
        let filters = names.iter().map(|name| filter(name)).collect();
        TaskSpec { db_collections: BTreeMap::from([(database.to_owned(), filters)]), ..spec(&[]) }
    }

    fn everything() -> TaskSpec {
        TaskSpec { every_database: true, ..spec(&["*"]) }
    }

    fn renamed(mut spec: TaskSpec, source_db: &str, target_db: &str, names: &[(&str, &str)]) -> TaskSpec {
        spec.name_mapping.push(NameMapping {
            source_db: source_db.into(),
            target_db: target_db.into(),
            collections: names.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        });
        spec
    }

    fn without(mut spec: TaskSpec, exclude: &[&str]) -> TaskSpec {
        spec.exclude = exclude.iter().map(|text| (*text).to_owned()).collect();
        spec
    }

    #[track_caller]
    fn check(left: &TaskSpec, right: &TaskSpec, expected: Option<&str>) {
        assert_eq!(overlap(left, right).as_deref(), expected);
        assert_eq!(overlap(right, left).is_some(), expected.is_some());
    }

    #[test]
    fn names_and_patterns() {
        check(&spec(&["a", "b"]), &spec(&["c", "d"]), None);
        check(&spec(&["a", "b"]), &spec(&["c", "b"]), Some("default.b"));
        check(&spec(&["a"]), &spec(&["*"]), Some("default.a"));
        check(&spec(&["orders_*"]), &spec(&["*_old"]), Some("default.orders_* and default.*_old"));
        check(&spec(&["orders_*"]), &spec(&["users_*"]), None);
    }

    #[test]
    fn databases() {
        check(&in_database("sales", &["a"]), &spec(&["a"]), None);
        check(&in_database("default", &["a"]), &spec(&["a"]), Some("default.a"));
        check(&in_database("*", &["a"]), &in_database("sales", &["*"]), Some("*.a and sales.*"));
        check(&everything(), &in_database("sales", &["a"]), Some("sales.a"));
        check(&spec(&["*"]), &in_database("sales", &["*"]), None);
        check(&everything(), &everything(), Some("*.*"));
    }

    #[test]
    fn what_is_excluded_does_not_count() {
        check(&without(everything(), &["default.a"]), &spec(&["a"]), None);
        check(&without(everything(), &["default.a"]), &spec(&["a", "b"]), Some("default.b"));
        check(&without(everything(), &["sales.*"]), &in_database("sales", &["a", "b_*"]), None);
        check(&without(everything(), &["*.tmp_*"]), &spec(&["tmp_*"]), None);
        check(&without(everything(), &["default.a*"]), &spec(&["*"]), Some("*.* and default.*"));
    }

    #[test]
    fn names_at_the_target() {
        let to_x = |name: &str| renamed(spec(&[name]), "default", "", &[(name, "x")]);
        check(&to_x("a"), &to_x("b"), Some("default.x at the target"));
        check(&to_x("a"), &spec(&["x"]), Some("default.x at the target"));
        check(&to_x("a"), &spec(&["y"]), None);
        check(&without(everything(), &["default.a", "default.x"]), &to_x("a"), None);

        let moved = renamed(spec(&["*"]), "default", "copy", &[]);
        check(&moved, &in_database("copy", &["b"]), Some("copy.b at the target"));
        check(&moved, &in_database("sales", &["b"]), None);
        check(&renamed(spec(&["a"]), "default", "copy", &[]), &in_database("other", &["a"]), None);
    }

    #[test]
    fn users_and_roles_have_one_task() {
        let with_roles = |names: &[&str]| TaskSpec { enable_user_role: true, ..spec(names) };
        check(
            &with_roles(&["a"]),
            &with_roles(&["b"]),
            Some("users and roles (extra_info.enable_user_role)"),
        );
        check(&with_roles(&["a"]), &spec(&["b"]), None);
    }
}
