//! The planner alone.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::catalog::SourceMetadata;
use harrier_milvus::client::{MetadataChange, TargetIndex, TargetLoad};
use harrier_proto::common::KeyValuePair;

use super::super::super::fixtures::{mapping_of, source_collection};
use super::super::plan::{AtTarget, Collection, Plan, plan};
use super::edit::index;
use super::world::A;
use crate::registry::MetadataItem;

fn planned(metadata: &SourceMetadata, known: &[MetadataItem], target: &AtTarget) -> Plan {
    let source = source_collection(A, "a", 1);
    let known: BTreeSet<MetadataItem> = known.iter().cloned().collect();
    let mapping = mapping_of(&source);
    let of = Collection {
        source: &source,
        metadata,
        mapping: &mapping,
        known: &known,
        target,
        refused: &BTreeSet::new(),
        ignore_partition: false,
    };
    plan(&of)
}

fn with_index(mut params: Vec<KeyValuePair>) -> SourceMetadata {
    let mut index = index(61, "fast", "HNSW");
    index.params.append(&mut params);
    let indexes = BTreeMap::from([(A, BTreeMap::from([(61, index)]))]);
    SourceMetadata { indexes, ..SourceMetadata::default() }
}

fn at_target(index: Option<&str>) -> AtTarget {
    let kind = |kind: &str| TargetIndex {
        name: "fast".into(),
        field: "v".into(),
        params: super::edit::index(0, "fast", kind).params,
    };
    let indexes = index.map(kind).into_iter().collect();
    AtTarget { name: "a".into(), indexes, ..AtTarget::default() }
}

const KNOWN: fn(i64) -> MetadataItem =
    |id| MetadataItem::Index { collection: A, name: String::from("fast"), id };

#[test]
fn a_known_index_that_the_target_lost_is_made_again_and_one_that_is_gone_on_both_sides_is_forgotten() {
    let made = planned(&with_index(Vec::new()), &[KNOWN(61)], &at_target(None));
    assert_eq!(made.steps.len(), 1);
    assert!(made.known.is_empty());
    let forgotten = planned(&SourceMetadata::default(), &[KNOWN(61)], &at_target(None));
    assert_eq!((forgotten.steps.len(), forgotten.forgotten), (0, [KNOWN(61)].into()));
}

#[test]
fn what_can_be_changed_of_an_index_is_changed_in_place() {
    let mmap = KeyValuePair { key: "mmap.enabled".into(), value: "true".into() };
    let plan = planned(&with_index(vec![mmap]), &[KNOWN(61)], &at_target(Some("HNSW")));
    let MetadataChange::AlterIndex { name, params, .. } = &plan.steps[0].change else { panic!("{plan:?}") };
    assert_eq!((name.as_str(), params.len()), ("fast", 1));
    assert_eq!(params[0], ("mmap.enabled".to_owned(), "true".to_owned()));
}

#[test]
fn an_index_is_not_dropped_from_what_somebody_else_loaded() {
    let mut target = at_target(Some("HNSW"));
    target.load = TargetLoad { partitions: ["_default".to_owned()].into(), replicas: 1 };
    let plan = planned(&SourceMetadata::default(), &[KNOWN(61)], &target);
    assert!(plan.steps.is_empty());
    assert_eq!(plan.obstacles[0].operation, "DropIndex");
}
