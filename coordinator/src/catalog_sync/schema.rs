//! Whether rows of a source's collection fit into a collection of the target. Pure.

use harrier_milvus::catalog::{ObjectState, SourceCollection};
use harrier_milvus::client::{CollectionDescription, first_difference};

use super::Problem;
use super::names::TargetName;

/// What is in the way, with both values and what to do; `None` if they fit.
pub(super) fn conflict(
    source: &SourceCollection,
    target: &CollectionDescription,
    name: &TargetName,
) -> Option<Problem> {
    let difference = first_difference(&source.schema, &target.schema)
        .or_else(|| shards_differ(source, target))
        .or_else(|| partitions_differ(source, target))?;
    Some(Problem::operator(format!(
        "it differs from {name} at the target: {difference}; drop or rename the one at the target, or give this one \
         another name there with name_mapping"
    )))
}

/// Rows are routed by the hash of their key modulo the number of shards, so the numbers must be the same.
fn shards_differ(source: &SourceCollection, target: &CollectionDescription) -> Option<String> {
    let (ours, theirs) = (source.shards.len(), target.shards.len());
    (ours != theirs).then(|| format!("it has {ours} shards at the source, {theirs} at the target"))
}

/// With a partition key, rows are routed by its hash modulo the number of partitions.
fn partitions_differ(source: &SourceCollection, target: &CollectionDescription) -> Option<String> {
    let ours = source.partitions.values().filter(|partition| partition.state == ObjectState::Created).count();
    let theirs = target.num_partitions;
    // A target that does not tell their number is asked for their names later.
    let differ = source.has_partition_key() && theirs > 0 && i64::try_from(ours) != Ok(theirs);
    differ.then(|| format!("its partition key makes {ours} partitions at the source, {theirs} at the target"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use harrier_milvus::error::ErrorClass;

    use super::super::fixtures::{description_of, source_collection};
    use super::*;

    fn name() -> TargetName {
        TargetName { db: "copy".into(), collection: "b".into() }
    }

    #[test]
    fn an_equal_collection_fits() {
        let source = source_collection(7, "a", 2);
        assert_eq!(conflict(&source, &description_of(&source, 70), &name()), None);
    }

    #[test]
    fn the_first_difference_is_said_with_both_values_and_what_to_do() {
        let source = source_collection(7, "a", 2);
        let mut target = description_of(&source, 70);
        target.shards.pop();
        let problem = conflict(&source, &target, &name()).unwrap();
        assert_eq!(problem.class, ErrorClass::Operator);
        assert_eq!(
            problem.message,
            "it differs from copy.b at the target: it has 2 shards at the source, 1 at the target; drop or rename the \
             one at the target, or give this one another name there with name_mapping"
        );
        target.schema.fields[1].type_params[0].value = "99".into();
        let message = conflict(&source, &target, &name()).unwrap().message;
        assert!(
            message.contains("field `v`") && message.contains("99") && message.contains('4'),
            "{message}"
        );
    }

    #[test]
    fn the_number_of_partitions_counts_where_a_key_makes_them() {
        let mut source = source_collection(7, "a", 1);
        let mut target = description_of(&source, 70);
        target.num_partitions = 5;
        assert_eq!(conflict(&source, &target, &name()), None);
        source.schema.fields[0].is_partition_key = true;
        target.schema.fields[0].is_partition_key = true;
        assert!(conflict(&source, &target, &name()).unwrap().message.contains("makes 1 partitions"));
    }
}
