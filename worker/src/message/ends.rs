//! Ends of collections and partitions, as the target's data nodes learn of them.

use bytes::Bytes;
use harrier_proto::common::{MsgBase, MsgType};
use harrier_proto::harrier::v1::DropAssignment;
use harrier_proto::msg::{DropCollectionRequest, DropPartitionRequest};
use prost::Message as _;

/// The message that says that a collection, or one partition of it, has ended at `ts`. `msg_id` is not zero and unique.
pub fn end_of(drop: &DropAssignment, ts: u64, msg_id: i64) -> Bytes {
    let base = |msg_type: MsgType| {
        Some(MsgBase { msg_type: msg_type as i32, msg_id, timestamp: ts, ..MsgBase::default() })
    };
    let encoded = if drop.target_partition_id == 0 {
        DropCollectionRequest {
            base: base(MsgType::DropCollection),
            db_name: drop.target_db_name.clone(),
            collection_name: drop.target_collection_name.clone(),
            collection_id: drop.target_collection_id,
            ..DropCollectionRequest::default()
        }
        .encode_to_vec()
    } else {
        DropPartitionRequest {
            base: base(MsgType::DropPartition),
            db_name: drop.target_db_name.clone(),
            collection_name: drop.target_collection_name.clone(),
            partition_name: drop.target_partition_name.clone(),
            collection_id: drop.target_collection_id,
            partition_id: drop.target_partition_id,
            ..DropPartitionRequest::default()
        }
        .encode_to_vec()
    };
    Bytes::from(encoded)
}
