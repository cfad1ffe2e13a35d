use harrier_proto::common::{MsgBase, MsgType};
use harrier_proto::msg::{DropCollectionRequest, DropPartitionRequest, TimeTickMsg};
use prost::Message;

use super::samples::{Kind, Schema, delete, encoded, insert};
use crate::message::{CodecError, Head, RowsHead, distinct_timestamps, read_head, row_timestamps, timetick};

fn base(msg_type: MsgType) -> Option<MsgBase> {
    Some(MsgBase { msg_type: msg_type as i32, timestamp: 123, ..Default::default() })
}

#[test]
fn rows_are_dated_by_their_own_timestamps() {
    let schema = Schema { text_key: false, columns: vec![(Kind::BinaryVector, false)], dynamic: false };
    let insert = encoded(&insert(&schema, 4, 20, false));
    let head = RowsHead {
        msg_id: 5,
        collection_id: 7,
        partition_id: 8,
        partition_name: "_default".into(),
        shard_name: "by-dev-rootcoord-dml_0_7v0".into(),
        min_ts: 10,
        max_ts: 11,
        rows: 4,
    };
    assert_eq!(read_head(&insert), Ok(Head::Insert(head)));
    assert_eq!(row_timestamps(&insert), Ok(vec![10, 10, 11, 11]));
    assert_eq!(distinct_timestamps(&insert), Ok(vec![10, 11]));
}

#[test]
fn a_delete_may_concern_all_partitions() {
    let Ok(Head::Delete(head)) = read_head(&encoded(&delete(true, 2, 8))) else { panic!("a delete") };
    assert_eq!((head.collection_id, head.partition_id, head.rows), (7, -1, 2));
    assert_eq!(head.partition_name, "");
}

#[test]
fn other_kinds() {
    let tick = TimeTickMsg { base: base(MsgType::TimeTick) };
    assert_eq!(read_head(&encoded(&tick)), Ok(Head::TimeTick { ts: 123 }));
    let drop =
        DropCollectionRequest { base: base(MsgType::DropCollection), collection_id: 5, ..Default::default() };
    assert_eq!(read_head(&encoded(&drop)), Ok(Head::DropCollection { collection_id: 5 }));
    let drop = DropPartitionRequest {
        base: base(MsgType::DropPartition),
        collection_id: 5,
        partition_id: 6,
        ..Default::default()
    };
    assert_eq!(read_head(&encoded(&drop)), Ok(Head::DropPartition { collection_id: 5, partition_id: 6 }));
    assert_eq!(row_timestamps(&encoded(&drop)), Err(CodecError::NotRows { msg_type: 201 }));
    let other = TimeTickMsg { base: base(MsgType::CreateCollection) };
    assert_eq!(read_head(&encoded(&other)), Ok(Head::Other { msg_type: 100 }));
    assert_eq!(read_head(&bytes::Bytes::new()), Err(CodecError::NoBase));
}

#[test]
fn a_tick_is_read_back() {
    let tick = timetick(u64::MAX, -5);
    assert_eq!(read_head(&tick), Ok(Head::TimeTick { ts: u64::MAX }));
    let base = TimeTickMsg::decode(tick).unwrap().base.unwrap();
    assert_eq!((base.msg_id, base.msg_type), (-5, 1200));
}
