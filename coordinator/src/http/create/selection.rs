//! What a task selects: `collection_infos`, `db_collections`, `exclude`.

use std::collections::{BTreeMap, BTreeSet};

use crate::http::answer::ApiError;
use crate::http::fields::{FieldError, Fields, objects_of};
use crate::registry::CollectionFilter;

use super::patterns::{check_name, is_pattern, selects};
use super::positions::check_positions;

/// The database of `collection_infos`.
pub(crate) const DEFAULT_DATABASE: &str = "default";

/// The lists as they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Collections of the default database.
    pub collection_infos: Vec<CollectionFilter>,
    /// Collections by database.
    pub db_collections: BTreeMap<String, Vec<CollectionFilter>>,
    /// `db.collection` patterns to leave out.
    pub exclude: Vec<String>,
}

impl Selection {
    /// Reads the lists from the request's data.
    pub(crate) fn read(data: &Fields<'_>) -> Result<Self, FieldError> {
        let mut db_collections = BTreeMap::new();
        for (path, database, list) in data.entries("db_collections")? {
            let filters = objects_of(&path, list)?.iter().map(read_filter).collect::<Result<_, _>>()?;
            db_collections.insert(database.to_owned(), filters);
        }
        Ok(Selection {
            collection_infos: data
                .objects("collection_infos")?
                .iter()
                .map(read_filter)
                .collect::<Result<_, _>>()?,
            db_collections,
            exclude: data.strings("exclude")?,
        })
    }

    /// Checks names, patterns and positions.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        match (self.collection_infos.is_empty(), self.db_collections.is_empty()) {
            (true, true) => {
                return Err(ApiError::refused(
                    "the collection info is empty: name collections in 'collection_infos' or 'db_collections', \
                     [{\"name\":\"*\"}] for all",
                ));
            }
            (false, false) => {
                return Err(ApiError::refused(
                    "the collection info and db collection info should be only one: \
                     keep 'collection_infos' or 'db_collections'",
                ));
            }
            (false, true) => check_list(&self.collection_infos)?,
            (true, false) => {
                for (database, list) in &self.db_collections {
                    check_name("db", database)?;
                    if list.is_empty() {
                        return Err(ApiError::refused(format!(
                            "empty collection info: name collections of the database '{database}', \
                             [{{\"name\":\"*\"}}] for all"
                        )));
                    }
                    check_list(list)?;
                }
            }
        }
        self.exclude.iter().try_for_each(|pattern| check_exclude(pattern))
    }

    /// `collection_infos` is a lone `*`: the whole cluster in the user guide's words.
    pub(crate) fn is_lone_star(&self) -> bool {
        matches!(self.collection_infos.as_slice(), [only] if only.name == "*")
    }

    /// Every database pattern with its filters; `collection_infos` stands for `default`, or for every database.
    pub(crate) fn by_database(&self, every_database: bool) -> Vec<(&str, &CollectionFilter)> {
        let infos_database = if every_database { "*" } else { DEFAULT_DATABASE };
        let infos = self.collection_infos.iter().map(|filter| (infos_database, filter));
        let listed = self.db_collections.iter();
        infos
            .chain(listed.flat_map(|(database, list)| list.iter().map(|filter| (database.as_str(), filter))))
            .collect()
    }

    /// Whether any filter selects the collection.
    pub(crate) fn selects(&self, every_database: bool, database: &str, collection: &str) -> bool {
        self.by_database(every_database)
            .iter()
            .any(|(db_pattern, filter)| selects(db_pattern, database) && selects(&filter.name, collection))
    }
}

fn read_filter(item: &Fields<'_>) -> Result<CollectionFilter, FieldError> {
    Ok(CollectionFilter {
        name: item.string("name")?,
        positions: item.string_entries("positions")?.into_iter().collect(),
        use_start_position: item.boolean("use_start_position")?,
    })
}

fn check_list(list: &[CollectionFilter]) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    for filter in list {
        let name = &filter.name;
        check_name("collection", name)?;
        if name == "*" && list.len() > 1 {
            return Err(ApiError::refused(
                "make sure the only one collection if you want to use the '*' collection param: \
                 '*' already selects the other names of the list",
            ));
        }
        if name.contains('.') {
            return Err(ApiError::refused(format!(
                "the collection name '{name}' has a dot: name its database in 'db_collections'"
            )));
        }
        if !seen.insert(name) {
            return Err(ApiError::refused(format!("the collection '{name}' is listed twice: keep one")));
        }
        if is_pattern(name) && !filter.positions.is_empty() {
            return Err(ApiError::refused(format!(
                "the collection name is `{name}`, the positions should be empty: \
                 positions belong to one collection, list it by its name"
            )));
        }
        check_positions(filter)?;
    }
    Ok(())
}

fn check_exclude(pattern: &str) -> Result<(), ApiError> {
    let parts = pattern.split_once('.').filter(|(_, collection)| !collection.contains('.'));
    let Some((database, collection)) = parts else {
        return Err(ApiError::refused(format!(
            "the exclude pattern '{pattern}' is not of the form database.collection, such as 'default.tmp_*'"
        )));
    };
    check_name("db", database)?;
    check_name("collection", collection)
}
