//! Properties of a collection, such as its time to live. Pure.

use std::collections::BTreeMap;

use harrier_milvus::client::MetadataChange;
use harrier_proto::common::KeyValuePair;

use super::plan::{Collection, Plan};
use crate::registry::MetadataItem;

/// Properties of replication itself say something of one server alone.
const OWN: &str = "replicate.";

/// By key.
pub(super) fn by_key(properties: &[KeyValuePair]) -> BTreeMap<String, String> {
    let pairs = properties.iter().map(|pair| (pair.key.clone(), pair.value.clone()));
    pairs.filter(|(key, _)| !key.starts_with(OWN)).collect()
}

/// All that differs in one request: rows that are to expire by the new ones have arrived by then.
pub(super) fn plan(of: &Collection<'_>, plan: &mut Plan) {
    let wanted = by_key(&of.source.properties);
    let known: Vec<&String> = of
        .known()
        .filter_map(|item| match item {
            MetadataItem::Property { key, .. } => Some(key),
            _ => None,
        })
        .collect();
    let item = |key: &String| MetadataItem::Property { collection: of.source.id, key: key.clone() };
    plan.known.extend(wanted.keys().filter(|key| !known.contains(key)).map(item));
    let differing = wanted.iter().filter(|(key, value)| of.target.properties.get(*key) != Some(value));
    let set: Vec<_> = differing.map(|(key, value)| (key.clone(), value.clone())).collect();
    let (delete, gone): (Vec<&String>, Vec<&String>) = known
        .into_iter()
        .filter(|key| !wanted.contains_key(*key))
        .partition(|key| of.target.properties.contains_key(*key));
    plan.forgotten.extend(gone.into_iter().map(item));
    if !set.is_empty() || !delete.is_empty() {
        let (db, collection) = (of.db(), of.name());
        let delete = delete.into_iter().cloned().collect();
        plan.when_confirmed(MetadataChange::AlterCollection { db, collection, set, delete });
    }
}
