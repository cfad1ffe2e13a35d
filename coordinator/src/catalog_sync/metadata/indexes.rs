//! Indexes: several of a collection, vector and scalar ones, with the parameters that their users gave. Pure.
//!
//! An index that is there in the same form is simply known from then on. One of the same name that differs is not
//! touched, unless the task knows it and the source has another one (another id) under that name by now.

use std::collections::BTreeMap;

use harrier_milvus::catalog::SourceIndex;
use harrier_milvus::client::{MetadataChange, TargetIndex};

use super::params::{differing, flat};
use super::plan::{Collection, Plan};
use crate::registry::MetadataItem;

/// What can be changed of an index that is there.
const ALTERABLE: [&str; 1] = ["mmap.enabled"];

/// Answers whether the plan has drops.
pub(super) fn plan(of: &Collection<'_>, plan: &mut Plan) -> bool {
    let nothing = BTreeMap::new();
    let wanted = of.metadata.indexes.get(&of.source.id).unwrap_or(&nothing);
    let mut leaving = Vec::new();
    for item in of.known() {
        let MetadataItem::Index { name, id, .. } = item else { continue };
        if wanted.values().any(|index| index.name == *name) {
            continue;
        }
        match at_target(of, name) {
            Some(found) => {
                leaving.push(found.field.as_str());
                plan.when_confirmed(drop_of(of, found));
            }
            None => drop(plan.forgotten.insert(known_as(of, name, *id))),
        }
    }
    for index in wanted.values() {
        // A field has one index; the next one comes when the last one has left.
        if !leaving.contains(&field_name(of, index.field_id).as_str()) {
            one(of, index, plan);
        }
    }
    plan.steps.iter().any(|step| matches!(step.change, MetadataChange::DropIndex { .. }))
}

fn one(of: &Collection<'_>, index: &SourceIndex, plan: &mut Plan) {
    let ids = of.known().filter_map(|item| match item {
        MetadataItem::Index { name, id, .. } if *name == index.name => Some(*id),
        _ => None,
    });
    let (same, former): (Vec<i64>, Vec<i64>) = ids.partition(|id| *id == index.id);
    let is_known = !same.is_empty();
    let create = create(of, index);
    let Some(found) = at_target(of, &index.name) else {
        if !is_known {
            plan.known.insert(known_as(of, &index.name, index.id));
        }
        plan.forgotten.extend(former.iter().map(|id| known_as(of, &index.name, *id)));
        plan.now(create);
        return;
    };
    let difference = Difference::of(of, index, found);
    if difference.is_none() {
        if !is_known {
            plan.known.insert(known_as(of, &index.name, index.id));
        }
        plan.forgotten.extend(former.iter().map(|id| known_as(of, &index.name, *id)));
    } else if is_known && difference.is_alterable() {
        plan.now(alter(of, index, &difference));
    } else if !is_known && !former.is_empty() {
        // The source dropped the one that the task brought, and made another one under its name.
        plan.when_confirmed(drop_of(of, found));
    } else {
        plan.obstacle(&create, difference.told());
    }
}

/// In what an index of the target differs.
struct Difference<'a> {
    fields: Option<(String, &'a str)>,
    source: BTreeMap<String, String>,
    target: BTreeMap<String, String>,
}

impl<'a> Difference<'a> {
    fn of(of: &Collection<'_>, index: &SourceIndex, found: &'a TargetIndex) -> Self {
        let own = field_name(of, index.field_id);
        Self {
            fields: (own != found.field).then_some((own, found.field.as_str())),
            source: flat(&index.params),
            target: flat(&found.params),
        }
    }

    fn is_none(&self) -> bool {
        self.fields.is_none() && self.source == self.target
    }

    fn is_alterable(&self) -> bool {
        let keys = differing(&self.source, &self.target);
        self.fields.is_none()
            && keys.iter().all(|key| ALTERABLE.contains(key) && self.source.contains_key(*key))
    }

    fn told(&self) -> String {
        let advice = "it is left as it is: drop it at the target, and it is made as at the source";
        if let Some((source, target)) = &self.fields {
            return format!("the target's is of field {target}, the source's of {source}; {advice}");
        }
        let value = |of: &BTreeMap<String, String>, key: &str| {
            of.get(key).map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
        };
        let keys = differing(&self.source, &self.target).into_iter().map(|key| {
            format!(
                "{key} is {} at the source, {} at the target",
                value(&self.source, key),
                value(&self.target, key)
            )
        });
        format!("{}; {advice}", keys.collect::<Vec<_>>().join(", "))
    }
}

/// Vector fields that have an index at the source and none at the target: nothing can be loaded without.
pub(super) fn lacking(of: &Collection<'_>) -> Vec<String> {
    let wanted = of.metadata.indexes.get(&of.source.id).into_iter().flat_map(BTreeMap::values);
    let lacking = wanted.filter(|index| is_vector(of, index.field_id)).filter(|index| {
        let field = field_name(of, index.field_id);
        !of.target.indexes.iter().any(|found| found.field == field)
    });
    lacking.map(|index| index.name.clone()).collect()
}

/// `DataType` of Milvus: vectors of all kinds have numbers from 100 on.
fn is_vector(of: &Collection<'_>, field_id: i64) -> bool {
    of.source.schema.fields.iter().any(|field| field.field_id == field_id && field.data_type >= 100)
}

fn field_name(of: &Collection<'_>, field_id: i64) -> String {
    let field = of.source.schema.fields.iter().find(|field| field.field_id == field_id);
    field.map(|field| field.name.clone()).unwrap_or_default()
}

fn at_target<'a>(of: &Collection<'a>, name: &str) -> Option<&'a TargetIndex> {
    of.target.indexes.iter().find(|found| found.name == name)
}

fn known_as(of: &Collection<'_>, name: &str, id: i64) -> MetadataItem {
    MetadataItem::Index { collection: of.source.id, name: name.to_owned(), id }
}

fn create(of: &Collection<'_>, index: &SourceIndex) -> MetadataChange {
    MetadataChange::CreateIndex {
        db: of.db(),
        collection: of.name(),
        field: field_name(of, index.field_id),
        name: index.name.clone(),
        params: index.params.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect(),
    }
}

fn alter(of: &Collection<'_>, index: &SourceIndex, difference: &Difference<'_>) -> MetadataChange {
    let keys = differing(&difference.source, &difference.target);
    MetadataChange::AlterIndex {
        db: of.db(),
        collection: of.name(),
        name: index.name.clone(),
        params: keys
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), difference.source.get(key)?.clone())))
            .collect(),
    }
}

fn drop_of(of: &Collection<'_>, found: &TargetIndex) -> MetadataChange {
    MetadataChange::DropIndex {
        db: of.db(),
        collection: of.name(),
        field: found.field.clone(),
        name: found.name.clone(),
    }
}
