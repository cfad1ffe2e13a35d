//! What is asked of the target and what is read from its answers, without a server.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use harrier_proto::schema::{DataType, FieldSchema};

use super::*;

fn field(id: i64, name: &str, data_type: DataType) -> FieldSchema {
    FieldSchema { field_id: id, name: name.into(), data_type: data_type as i32, ..FieldSchema::default() }
}

fn new() -> NewCollection {
    let mut primary = field(100, "id", DataType::Int64);
    primary.is_primary_key = true;
    NewCollection {
        db: "sales".into(),
        name: "orders_copy".into(),
        schema: CollectionSchema {
            name: "orders".into(),
            fields: vec![primary, field(101, "key", DataType::VarChar)],
            ..CollectionSchema::default()
        },
        shards_num: 2,
        consistency_level: 2,
        properties: Vec::new(),
        num_partitions: 7,
        msg_timestamp: 42,
    }
}

#[test]
fn a_creation_is_marked_as_replicated_and_named_for_the_target() {
    let request = create_request(&new()).unwrap();
    let info = request.base.unwrap().replicate_info.unwrap();
    assert!(info.is_replicate);
    assert_eq!(info.msg_timestamp, 42);
    let schema = CollectionSchema::decode(request.schema).unwrap();
    assert_eq!((schema.name.as_str(), request.collection_name.as_str()), ("orders_copy", "orders_copy"));
    assert_eq!((request.shards_num, request.consistency_level), (2, 2));
}

#[test]
fn the_number_of_partitions_is_told_only_with_a_partition_key() {
    assert_eq!(create_request(&new()).unwrap().num_partitions, 0);
    let mut with_key = new();
    with_key.schema.fields[1].is_partition_key = true;
    assert_eq!(create_request(&with_key).unwrap().num_partitions, 7);
}

#[test]
fn a_creation_without_time_is_not_sent() {
    let mut timeless = new();
    timeless.msg_timestamp = 0;
    assert!(matches!(create_request(&timeless), Err(ClientError::Schema { .. })));
}

fn answer(vchannels: &[&str], pchannels: &[&str]) -> DescribeCollectionResponse {
    DescribeCollectionResponse {
        schema: Some(CollectionSchema { name: "orders".into(), ..CollectionSchema::default() }),
        collection_id: 9,
        collection_name: "an_alias".into(),
        virtual_channel_names: vchannels.iter().map(ToString::to_string).collect(),
        physical_channel_names: pchannels.iter().map(ToString::to_string).collect(),
        ..DescribeCollectionResponse::default()
    }
}

#[test]
fn shards_are_sorted_by_index_and_keep_their_pchannel() {
    let read = description(answer(&["dml_4_9v1", "dml_3_9v0"], &["dml_4", "dml_3"])).unwrap();
    let shards: Vec<_> = read.shards.iter().map(|shard| (shard.index, shard.pchannel.as_str())).collect();
    assert_eq!(shards, [(0, "dml_3"), (1, "dml_4")]);
    assert_eq!(read.name, "orders");
}

#[test]
fn an_answer_without_all_shards_is_malformed() {
    for wrong in [
        answer(&[], &[]),
        answer(&["dml_3_9v0"], &[]),
        answer(&["dml_3_9v1"], &["dml_3"]),
        answer(&["dml_3_9v0", "dml_4_9v2"], &["dml_3", "dml_4"]),
        answer(&["something"], &["dml_3"]),
        DescribeCollectionResponse { schema: None, ..answer(&["dml_3_9v0"], &["dml_3"]) },
    ] {
        assert!(matches!(description(wrong), Err(ClientError::Malformed { .. })));
    }
}
