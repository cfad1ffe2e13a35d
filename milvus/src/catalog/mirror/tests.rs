#![allow(clippy::unwrap_used, clippy::expect_used)]

use harrier_proto::common::KeyDataPair;
use harrier_proto::schema::{CollectionSchema, DataType};
use proptest::prelude::*;

use super::super::snapshot::ObjectState;
use super::*;

fn collection_info(id: i64, name: &str) -> CollectionInfo {
    CollectionInfo {
        id,
        schema: Some(CollectionSchema { name: name.into(), ..CollectionSchema::default() }),
        virtual_channel_names: vec![format!("src-dml_3_{id}v1"), format!("src-dml_9_{id}v0")],
        physical_channel_names: vec!["src-dml_3".into(), "src-dml_9".into()],
        start_positions: vec![KeyDataPair { key: "src-dml_9".into(), data: Bytes::from_static(&[1; 8]) }],
        shards_num: 2,
        db_id: 1,
        ..CollectionInfo::default()
    }
}

fn encoded(message: &impl Message) -> Bytes {
    Bytes::from(message.encode_to_vec())
}

fn field(id: i64, name: &str) -> FieldSchema {
    FieldSchema {
        field_id: id,
        name: name.into(),
        data_type: DataType::Int64 as i32,
        ..FieldSchema::default()
    }
}

fn mirror_with_one() -> CatalogMirror {
    let mut mirror = CatalogMirror::default();
    assert!(mirror.apply("database/collection-info/1/7", Some(&encoded(&collection_info(7, "orders")))));
    for (id, name) in [(0, "RowID"), (1, "Timestamp"), (101, "b"), (100, "a")] {
        assert!(mirror.apply(&format!("fields/7/{id}"), Some(&encoded(&field(id, name)))));
    }
    let partition =
        PartitionInfo { partition_id: 8, partition_name: "_default".into(), ..PartitionInfo::default() };
    assert!(mirror.apply("partitions/7/8", Some(&encoded(&partition))));
    mirror
}

#[test]
fn a_collection_that_moves_to_another_database_is_not_gone() {
    let mut mirror = mirror_with_one();
    let moved = CollectionInfo { db_id: 5, ..collection_info(7, "moved") };
    mirror.apply("database/collection-info/5/7", Some(&encoded(&moved)));
    mirror.apply("database/collection-info/1/7", None);
    let snapshot = mirror.snapshot();
    assert!(snapshot.is_alive(7));
    assert_eq!((snapshot.collections[&7].db_id, snapshot.collections[&7].name.as_str()), (5, "moved"));
    mirror.apply("database/collection-info/5/7", None);
    assert!(!mirror.snapshot().is_alive(7));
}

#[test]
fn a_collection_is_joined_from_its_keys() {
    let snapshot = mirror_with_one().snapshot();
    let collection = &snapshot.collections[&7];
    assert_eq!((collection.name.as_str(), collection.db_name.as_str()), ("orders", "default"));
    let names: Vec<&str> = collection.schema.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["a", "b"], "system fields are left out, the others in the order of their ids");
    assert_eq!(collection.shards[0].pchannel, "src-dml_9", "shards are in the order of their index");
    assert_eq!(collection.partitions[&8].name, "_default");
    assert_eq!(collection.start_positions["src-dml_9"].as_ref(), [1; 8]);
    assert_eq!(collection.state, ObjectState::Created);
}

#[test]
fn a_tombstone_is_a_deletion() {
    let mut mirror = mirror_with_one();
    mirror.apply("partitions/7/8", Some(&Bytes::from_static(TOMBSTONE)));
    assert!(mirror.snapshot().collections[&7].partitions.is_empty());
    mirror.apply("database/collection-info/1/7", None);
    assert!(!mirror.snapshot().is_alive(7));
}

#[test]
fn a_collection_in_dropping_state_is_not_alive() {
    let mut mirror = mirror_with_one();
    let mut info = collection_info(7, "orders");
    info.set_state(harrier_proto::etcd_meta::CollectionState::CollectionDropping);
    mirror.apply("database/collection-info/1/7", Some(&encoded(&info)));
    let snapshot = mirror.snapshot();
    assert_eq!(snapshot.collections[&7].state, ObjectState::Dropping);
    assert!(!snapshot.is_alive(7));
}

#[test]
fn what_cannot_be_decoded_is_not_taken_as_gone() {
    let mut mirror = mirror_with_one();
    mirror.apply("fields/7/101", Some(&Bytes::from_static(&[0xFF, 0xFF])));
    let snapshot = mirror.snapshot();
    assert!(
        !snapshot.collections.contains_key(&7)
            && snapshot.unreadable.contains_key(&7)
            && snapshot.is_alive(7)
    );
    mirror.apply("fields/7/101", Some(&encoded(&field(101, "b"))));
    assert!(mirror.snapshot().unreadable.is_empty(), "a later good value heals it");
}

#[test]
fn a_collection_of_an_old_cluster_holds_everything_itself() {
    let mut info = collection_info(7, "old");
    info.db_id = 0;
    info.partition_i_ds = vec![8, 9];
    info.partition_names = vec!["_default".into(), "p".into()];
    if let Some(schema) = &mut info.schema {
        schema.fields = vec![field(0, "RowID"), field(100, "a")];
    }
    let mut mirror = CatalogMirror::default();
    mirror.apply("collection/7", Some(&encoded(&info)));
    let collection = mirror.snapshot().collections[&7].clone();
    assert_eq!((collection.db_name.as_str(), collection.schema.fields.len()), ("default", 1));
    assert_eq!(collection.partitions[&9].name, "p");
}

proptest! {
    #[test]
    fn no_value_panics(name in "(database/collection-info/1/7|fields/7/1|partitions/7/8|database/db-info/3)",
                       value in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut mirror = mirror_with_one();
        mirror.apply(&name, Some(&Bytes::from(value)));
        let snapshot = mirror.snapshot();
        prop_assert!(snapshot.databases.contains_key(&1));
    }
}
