//! Calls in words, for the story of a history.

use harrier_proto::common::MsgType;
use harrier_proto::milvus::ReplicateMessageRequest;
use harrier_proto::msg::{DeleteRequest, InsertRequest, TimeTickMsg};
use harrier_proto::schema::i_ds::IdField;
use prost::Message as _;
use prost::bytes::Bytes;

use super::super::history::{BEGIN_MS, KEY_FIELD, told_ts};
use super::{longs, message_type, place};

/// What a call carries.
pub(in super::super) fn told(request: &ReplicateMessageRequest) -> String {
    request.msgs.iter().map(message).collect::<Vec<_>>().join("; ")
}

fn message(bytes: &Bytes) -> String {
    match message_type(bytes).0 {
        MsgType::Insert => {
            let insert = InsertRequest::decode(bytes.clone()).unwrap();
            let place = place(insert.collection_id, insert.partition_id, &insert.shard_name);
            format!("insert {place:?}: {}", keys(longs(&insert, KEY_FIELD), &insert.timestamps))
        }
        MsgType::Delete => {
            let delete = DeleteRequest::decode(bytes.clone()).unwrap();
            let place = place(delete.collection_id, delete.partition_id, &delete.shard_name);
            let Some(IdField::IntId(ids)) = delete.primary_keys.unwrap().id_field else { panic!() };
            format!("delete {place:?}: {}", keys(&ids.data, &delete.timestamps))
        }
        MsgType::TimeTick => {
            let tick = TimeTickMsg::decode(bytes.clone()).unwrap().base.unwrap().timestamp;
            format!("tick {}", told_ts(tick, BEGIN_MS))
        }
        other => format!("{other:?}"),
    }
}

fn keys(keys: &[i64], timestamps: &[u64]) -> String {
    let told = |(key, ts): (&i64, &u64)| format!("{key} at {}", told_ts(*ts, BEGIN_MS));
    keys.iter().zip(timestamps).map(told).collect::<Vec<_>>().join(", ")
}
