//! What two servers say of a collection, reduced to what they can have in common: no ids.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::client::{CollectionDescription, MilvusClient, first_difference};
use harrier_proto::common::KeyValuePair;
use harrier_proto::schema::{CollectionSchema, DataType, FieldSchema};

use super::report::{Difference, Outcome};
use super::scope::{Name, Pair};
use super::{Trouble, Verifier};

/// Bytes of one page, about: what bounds the memory, with the number of collections that are compared at once.
const PAGE_BYTES: usize = 8 << 20;
/// The servers' own limit of rows per query.
const PAGE_ROWS_MAX: usize = 16_384;
/// Every row, whatever its fields are.
const ROW_BYTES: usize = 100;
/// Values that the user did not declare.
const DYNAMIC_FIELD: &str = "$meta";

/// How rows of a collection are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) primary: String,
    pub(super) text_keys: bool,
    pub(super) fields: Vec<String>,
    pub(super) page_rows: usize,
    partitions: BTreeSet<String>,
    has_partition_key: bool,
}

/// Of both sides.
pub(super) struct Shapes {
    pub(super) source: Shape,
    pub(super) target: Shape,
}

impl Shapes {
    /// Those to be compared one by one; `None`: all in one. Partitions of a partition key cannot be named in a query.
    pub(super) fn partitions(&self, ignore_partition: bool) -> Vec<Option<&str>> {
        if ignore_partition || self.source.has_partition_key {
            return vec![None];
        }
        let both = self.source.partitions.intersection(&self.target.partitions);
        both.map(|name| Some(name.as_str())).collect()
    }
}

/// Adds what differs. `None` when the rows cannot be put side by side.
pub(super) async fn compare(
    verifier: &Verifier,
    pair: &Pair,
    outcome: &mut Outcome,
) -> Result<Option<Shapes>, Trouble> {
    let ours = describe("source", &verifier.source, &pair.source).await?;
    let found = describe("target", &verifier.target, &pair.target).await;
    let theirs = match found {
        Ok(theirs) => theirs,
        Err(Trouble::GoneFromSource) | Err(Trouble::Incomplete(_))
            if !exists(&verifier.target, &pair.target).await? =>
        {
            outcome
                .differences
                .push(Difference::of(format!("missing at the target: collection {}", pair.target)));
            return Ok(None);
        }
        Err(trouble) => return Err(trouble),
    };
    let ((ours, our_partitions), (theirs, their_partitions)) = (ours, theirs);
    let mut found = differences(&ours, &theirs);
    if !verifier.ignore_partition && our_partitions != their_partitions {
        found.push(format!("partitions: source {our_partitions:?}, target {their_partitions:?}"));
    }
    outcome.differences.extend(found.into_iter().map(Difference::of));
    if first_difference(&ours.schema, &theirs.schema).is_some() {
        return Ok(None);
    }
    Ok(Some(Shapes {
        source: shape(&ours.schema, our_partitions),
        target: shape(&theirs.schema, their_partitions),
    }))
}

async fn exists(client: &MilvusClient, name: &Name) -> Result<bool, Trouble> {
    let listed = client.list_collections(&name.db).await;
    let listed = listed.map_err(|error| Trouble::Incomplete(format!("target: {error}")))?;
    Ok(listed.iter().any(|collection| collection.name == name.collection))
}

type Described = (CollectionDescription, BTreeSet<String>);

async fn describe(what: &str, client: &MilvusClient, name: &Name) -> Result<Described, Trouble> {
    let trouble = |error| Trouble::of(what, &error);
    let description = client.describe_collection(&name.db, &name.collection).await.map_err(trouble)?;
    let partitions = client.list_partitions(&name.db, &name.collection).await.map_err(trouble)?;
    Ok((description, partitions.into_iter().map(|partition| partition.name).collect()))
}

fn differences(ours: &CollectionDescription, theirs: &CollectionDescription) -> Vec<String> {
    let mut found: Vec<String> = first_difference(&ours.schema, &theirs.schema)
        .map(|text| format!("schema: {text}"))
        .into_iter()
        .collect();
    let mut compare = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            found.push(format!("{what}: source {ours}, target {theirs}"));
        }
    };
    compare("shards", ours.shards.len().to_string(), theirs.shards.len().to_string());
    compare("description", ours.schema.description.clone(), theirs.schema.description.clone());
    compare("consistency level", ours.consistency_level.to_string(), theirs.consistency_level.to_string());
    compare("properties", shown(&ours.properties), shown(&theirs.properties));
    let aliases = |description: &CollectionDescription| {
        format!("{:?}", description.aliases.iter().collect::<BTreeSet<_>>())
    };
    compare("aliases", aliases(ours), aliases(theirs));
    found
}

fn shown(properties: &[KeyValuePair]) -> String {
    let sorted: BTreeMap<&str, &str> =
        properties.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
    format!("{sorted:?}")
}

fn shape(schema: &CollectionSchema, partitions: BTreeSet<String>) -> Shape {
    let primary = schema.fields.iter().find(|field| field.is_primary_key);
    let mut fields: Vec<String> = schema.fields.iter().map(|field| field.name.clone()).collect();
    if schema.enable_dynamic_field && !fields.iter().any(|name| name == DYNAMIC_FIELD) {
        fields.push(DYNAMIC_FIELD.to_owned());
    }
    Shape {
        primary: primary.map(|field| field.name.clone()).unwrap_or_default(),
        text_keys: primary.is_some_and(|field| field.data_type == DataType::VarChar as i32),
        fields,
        page_rows: page_rows(schema),
        partitions,
        has_partition_key: schema.fields.iter().any(|field| field.is_partition_key),
    }
}

/// As many as keep a page near its size, also when all strings have their full length.
fn page_rows(schema: &CollectionSchema) -> usize {
    let row_bytes: usize = ROW_BYTES + schema.fields.iter().map(field_bytes).sum::<usize>();
    (PAGE_BYTES / row_bytes).clamp(1, PAGE_ROWS_MAX)
}

fn field_bytes(field: &FieldSchema) -> usize {
    let size = |name: &str| {
        let param = field.type_params.iter().find(|pair| pair.key == name);
        param.and_then(|pair| pair.value.parse::<usize>().ok())
    };
    let vector = size("dim").unwrap_or(0) * 4;
    vector + size("max_length").unwrap_or(0) * size("max_capacity").unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, data_type: DataType, params: &[(&str, &str)]) -> FieldSchema {
        let pair = |(key, value): &(&str, &str)| KeyValuePair { key: (*key).into(), value: (*value).into() };
        FieldSchema {
            name: name.into(),
            data_type: data_type as i32,
            is_primary_key: name == "id",
            type_params: params.iter().map(pair).collect(),
            ..FieldSchema::default()
        }
    }

    #[test]
    fn pages_of_large_rows_are_short() {
        let of = |dim: &str| {
            let fields = vec![field("id", DataType::VarChar, &[("max_length", "64")]), {
                field("v", DataType::FloatVector, &[("dim", dim)])
            }];
            shape(
                &CollectionSchema { fields, enable_dynamic_field: true, ..Default::default() },
                BTreeSet::new(),
            )
        };
        let small = of("8");
        assert_eq!((small.primary.as_str(), small.text_keys), ("id", true));
        assert_eq!(small.fields, ["id", "v", DYNAMIC_FIELD]);
        assert_eq!(small.page_rows, PAGE_ROWS_MAX);
        assert!(of("32768").page_rows * 32_768 * 4 <= PAGE_BYTES);
    }

    #[test]
    fn what_describes_two_collections_is_compared_without_their_ids() {
        let description = |id: i64, aliases: &[&str]| CollectionDescription {
            id,
            name: "c".into(),
            schema: CollectionSchema::default(),
            shards: Vec::new(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            consistency_level: 2,
            properties: Vec::new(),
            num_partitions: 1,
            created_timestamp: 0,
        };
        assert!(differences(&description(1, &["a", "b"]), &description(2, &["b", "a"])).is_empty());
        let found = differences(&description(1, &["a"]), &description(2, &[]));
        assert_eq!(found, [r#"aliases: source {"a"}, target {}"#]);
    }
}
