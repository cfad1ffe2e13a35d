//! `name_mapping` of `create`: other names at the target. Two collections must never end in one.

use std::collections::BTreeMap;

use crate::http::answer::ApiError;
use crate::http::fields::{FieldError, Fields};
use crate::registry::task::NameMapping;

use super::patterns::{check_plain_name, is_pattern, selects};
use super::selection::{DEFAULT_DATABASE, Selection};

/// Reads the list from the request's data.
pub(crate) fn read(data: &Fields<'_>) -> Result<Vec<NameMapping>, FieldError> {
    let read_one = |item: &Fields<'_>| {
        Ok(NameMapping {
            source_db: item.string("source_db")?,
            target_db: item.string("target_db")?,
            collections: item.string_entries("collection_mapping")?.into_iter().collect(),
        })
    };
    data.objects("name_mapping")?.iter().map(read_one).collect()
}

/// Checks the mappings against what is selected, and joins those of one database. An empty source database is
/// `default`.
pub(crate) fn check(
    mappings: Vec<NameMapping>,
    selection: &Selection,
    every_database: bool,
) -> Result<Vec<NameMapping>, ApiError> {
    let joined = join(mappings)?;
    for mapping in &joined {
        check_one(mapping, selection, every_database)?;
    }
    check_collisions(&joined, selection, every_database)?;
    Ok(joined)
}

fn join(mappings: Vec<NameMapping>) -> Result<Vec<NameMapping>, ApiError> {
    let mut by_source: BTreeMap<String, NameMapping> = BTreeMap::new();
    for mut mapping in mappings {
        if mapping.source_db.is_empty() {
            DEFAULT_DATABASE.clone_into(&mut mapping.source_db);
        }
        let source_db = mapping.source_db.clone();
        let Some(known) = by_source.get_mut(&source_db) else {
            by_source.insert(source_db, mapping);
            continue;
        };
        if known.target_db != mapping.target_db {
            return Err(ApiError::refused(format!(
                "the source database '{source_db}' is mapped to two target databases in 'name_mapping': keep one"
            )));
        }
        for (source, target) in mapping.collections {
            let previous = known.collections.insert(source.clone(), target.clone());
            if previous.is_some_and(|previous| previous != target) {
                return Err(ApiError::refused(format!(
                    "the collection '{source_db}.{source}' is mapped to two names in 'name_mapping': keep one"
                )));
            }
        }
    }
    Ok(by_source.into_values().collect())
}

fn check_one(mapping: &NameMapping, selection: &Selection, every_database: bool) -> Result<(), ApiError> {
    check_plain_name("db", &mapping.source_db)?;
    if !mapping.target_db.is_empty() {
        check_plain_name("db", &mapping.target_db)?;
    }
    for (source, target) in &mapping.collections {
        check_plain_name("collection", source)?;
        check_plain_name("collection", target)?;
        if !selection.selects(every_database, &mapping.source_db, source) {
            return Err(ApiError::refused(format!(
                "the collection name in the name mapping is not in the collection info, checkout it: \
                 '{}.{source}' is not selected by this task",
                mapping.source_db
            )));
        }
    }
    let selected = selection.by_database(every_database);
    if !selected.iter().any(|(pattern, _)| selects(pattern, &mapping.source_db)) {
        return Err(ApiError::refused(format!(
            "the database '{}' in the name mapping is not selected by this task",
            mapping.source_db
        )));
    }
    Ok(())
}

/// Two sources onto one name, as far as it can be known before the source's catalog is read: names that are written
/// out, and databases that are selected by pattern and mapped onto one.
fn check_collisions(
    mappings: &[NameMapping],
    selection: &Selection,
    every_database: bool,
) -> Result<(), ApiError> {
    let mut sources: Vec<(&str, &str)> = selection
        .by_database(every_database)
        .into_iter()
        .map(|(db, filter)| (db, filter.name.as_str()))
        .collect();
    // What is mapped by name is a source even if a pattern selects it; a mapped database is one of those that `*` selects.
    for mapping in mappings {
        sources
            .extend(mapping.collections.keys().map(|source| (mapping.source_db.as_str(), source.as_str())));
        sources.extend(
            selection
                .by_database(every_database)
                .into_iter()
                .filter(|(db, _)| is_pattern(db) && selects(db, &mapping.source_db))
                .map(|(_, filter)| (mapping.source_db.as_str(), filter.name.as_str())),
        );
    }
    sources.sort_unstable();
    sources.dedup();
    let mut targets: BTreeMap<(String, String), (&str, &str)> = BTreeMap::new();
    for source in sources {
        let (db, collection) = source;
        if is_pattern(db) {
            continue;
        }
        let target = map_name(mappings, db, collection);
        if let Some(other) = targets.insert(target.clone(), source) {
            return Err(ApiError::refused(format!(
                "'{}.{}' and '{db}.{collection}' would both be written to '{}.{}' at the target: \
                 give them different names in 'name_mapping'",
                other.0, other.1, target.0, target.1
            )));
        }
    }
    Ok(())
}

/// The name at the target; a pattern keeps its form, so that two whole databases collide when they meet in one.
fn map_name(mappings: &[NameMapping], db: &str, collection: &str) -> (String, String) {
    let Some(mapping) = mappings.iter().find(|mapping| mapping.source_db == db) else {
        return (db.to_owned(), collection.to_owned());
    };
    let target_db = if mapping.target_db.is_empty() { db } else { &mapping.target_db };
    let name = mapping.collections.get(collection).map_or(collection, String::as_str);
    (target_db.to_owned(), name.to_owned())
}
