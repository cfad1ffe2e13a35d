//! What of a collection is loaded: all of it or some partitions, with how many replicas. Pure.
//!
//! Where the source has something loaded the target follows it, from when it was equal once. What only the target has
//! loaded stays loaded.

use std::collections::BTreeSet;

use harrier_milvus::catalog::SourceLoad;
use harrier_milvus::client::MetadataChange;

use super::indexes;
use super::plan::{Collection, Plan};
use crate::registry::MetadataItem;

/// `drops_indexes`: the plan has drops of indexes, for which nothing may be loaded.
pub(super) fn plan(of: &Collection<'_>, drops_indexes: bool, plan: &mut Plan) {
    let known = of.known().find_map(|item| match item {
        MetadataItem::Load { replicas, .. } => Some(*replicas),
        _ => None,
    });
    let is_loaded = !of.target.load.partitions.is_empty();
    if drops_indexes {
        // What is to be loaded is loaded when they are gone.
        if is_loaded {
            make_room(of, known.is_some(), plan);
        }
        return;
    }
    match of.metadata.loads.get(&of.source.id) {
        None => match known {
            Some(_) if is_loaded => plan.when_confirmed(release(of)),
            Some(replicas) => drop(plan.forgotten.insert(known_as(of, replicas))),
            None => {}
        },
        Some(wanted) if is_loaded => follow(of, wanted, known, plan),
        Some(wanted) => load(of, wanted, known, plan),
    }
}

/// An index of a loaded collection cannot be dropped.
fn make_room(of: &Collection<'_>, is_known: bool, plan: &mut Plan) {
    let drops: Vec<_> =
        plan.steps.extract_if(.., |step| matches!(step.change, MetadataChange::DropIndex { .. })).collect();
    if is_known {
        plan.when_confirmed(release(of));
        return;
    }
    for step in drops {
        plan.obstacle(&step.change, "the collection is loaded at the target alone; release it there");
    }
}

/// Nothing is loaded at the target.
fn load(of: &Collection<'_>, wanted: &SourceLoad, known: Option<i32>, plan: &mut Plan) {
    let partitions = names(of, wanted);
    if partitions.is_empty() {
        return;
    }
    let change = if is_whole(of, wanted) {
        MetadataChange::LoadCollection { db: of.db(), collection: of.name(), replicas: wanted.replicas }
    } else {
        let (partitions, replicas) = (partitions.into_iter().collect(), wanted.replicas);
        MetadataChange::LoadPartitions { db: of.db(), collection: of.name(), partitions, replicas }
    };
    let lacking = indexes::lacking(of);
    if !lacking.is_empty() {
        let is_under_way = |name: &String| {
            let of_it = |change: &MetadataChange| matches!(change, MetadataChange::CreateIndex { name: own, .. } if own == name);
            plan.steps.iter().any(|step| of_it(&step.change) && !of.refused.contains(&step.change))
        };
        if !lacking.iter().all(is_under_way) {
            plan.obstacle(&change, format!("it needs the index {}", lacking.join(", ")));
        }
        return;
    }
    note(of, wanted, known, plan);
    plan.now(change);
}

/// Something is loaded at the target.
fn follow(of: &Collection<'_>, wanted: &SourceLoad, known: Option<i32>, plan: &mut Plan) {
    let target = &of.target.load;
    let partitions = names(of, wanted);
    if partitions.is_empty() {
        return;
    }
    if wanted.replicas > 0 && target.replicas > 0 && wanted.replicas != target.replicas {
        if known.is_some_and(|replicas| replicas != wanted.replicas) {
            // The source released it, and loaded it otherwise.
            plan.when_confirmed(release(of));
        } else {
            let change = MetadataChange::LoadCollection {
                db: of.db(),
                collection: of.name(),
                replicas: wanted.replicas,
            };
            let (source, target) = (wanted.replicas, target.replicas);
            plan.obstacle(
                &change,
                format!(
                    "it is loaded with {source} replicas at the source, {target} at the target; it is left as it is: \
                     release it at the target, and it is loaded as at the source"
                ),
            );
        }
        return;
    }
    let missing: Vec<String> = partitions.difference(&target.partitions).cloned().collect();
    let living: BTreeSet<String> = living(of).map(|(_, name)| name).collect();
    let extra: Vec<String> =
        target.partitions.difference(&partitions).filter(|name| living.contains(*name)).cloned().collect();
    let (db, collection) = (of.db(), of.name());
    if !missing.is_empty() {
        // With the number that it has there: another one would be refused.
        let replicas = target.replicas;
        plan.now(MetadataChange::LoadPartitions { db, collection, partitions: missing, replicas });
    }
    if known.is_some() || extra.is_empty() {
        note(of, wanted, known, plan);
    }
    if !extra.is_empty() && known.is_some() {
        let (db, collection) = (of.db(), of.name());
        plan.when_confirmed(MetadataChange::ReleasePartitions { db, collection, partitions: extra });
    }
}

fn note(of: &Collection<'_>, wanted: &SourceLoad, known: Option<i32>, plan: &mut Plan) {
    if known == Some(wanted.replicas) {
        return;
    }
    plan.forgotten.extend(known.map(|replicas| known_as(of, replicas)));
    plan.known.insert(known_as(of, wanted.replicas));
}

/// As a whole: partitions to come are loaded by the target itself.
fn is_whole(of: &Collection<'_>, wanted: &SourceLoad) -> bool {
    wanted.whole || of.ignore_partition
}

/// The partitions that the target should have loaded.
fn names(of: &Collection<'_>, wanted: &SourceLoad) -> BTreeSet<String> {
    if of.ignore_partition {
        return living(of).map(|(_, name)| name).collect();
    }
    living(of).filter(|(id, _)| wanted.partitions.contains(id)).map(|(_, name)| name).collect()
}

fn living<'a>(of: &'a Collection<'_>) -> impl Iterator<Item = (i64, String)> + 'a {
    let mapped = of.mapping.partitions.iter().filter(|(_, partition)| !partition.dropped);
    mapped.map(|(id, partition)| (*id, partition.target_name.clone()))
}

fn release(of: &Collection<'_>) -> MetadataChange {
    MetadataChange::ReleaseCollection { db: of.db(), collection: of.name() }
}

const fn known_as(of: &Collection<'_>, replicas: i32) -> MetadataItem {
    MetadataItem::Load { collection: of.source.id, replicas }
}
