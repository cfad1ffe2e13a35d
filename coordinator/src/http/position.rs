//! `position`: how far a task has read the source's log. What it prints can be given to `create` again.

use harrier_milvus::{position, tso};
use harrier_proto::msg::MsgPosition;
use serde_json::{Value, json};

use crate::registry::{ShardState, State, TaskId};

use super::answer::ApiError;
use super::fields::Fields;
use super::{AppState, task_id};

/// Answers the positions of one task. Positions on the RPC channel and on the target's log are not kept.
pub(super) async fn position(state: &AppState, data: &Fields<'_>) -> Result<Value, ApiError> {
    let task_id = task_id::required(data)?;
    state.current().await?;
    let positions = state
        .registry
        .read(|registry| registry.tasks.contains_key(&task_id).then(|| source_positions(registry, &task_id)));
    let positions = positions.ok_or_else(|| task_id::not_found(&task_id))?;
    Ok(json!({ "op_positions": [], "positions": positions, "target_positions": [] }))
}

fn source_positions(registry: &State, task_id: &TaskId) -> Vec<Value> {
    task_shards(registry, task_id)
        .filter(|(_, shard)| !shard.position.is_empty())
        .map(|(vchannel, shard)| position_of(vchannel, shard))
        .collect()
}

/// The task's shards with their source vchannels.
pub(super) fn task_shards<'a>(
    registry: &'a State,
    task_id: &str,
) -> impl Iterator<Item = (&'a str, &'a ShardState)> + use<'a> {
    let prefix = format!("{task_id}/");
    let length = prefix.len();
    registry
        .shards
        .range(prefix.clone()..)
        .take_while(move |(shard_id, _)| shard_id.starts_with(&prefix))
        .map(move |(shard_id, shard)| (shard_id.get(length..).unwrap_or_default(), shard))
}

fn position_of(vchannel: &str, shard: &ShardState) -> Value {
    let pchannel = vchannel.rsplit_once('_').map_or(vchannel, |(pchannel, _)| pchannel);
    let message_position = MsgPosition {
        channel_name: pchannel.to_owned(),
        msg_id: shard.position.clone().into(),
        timestamp: shard.tick,
        ..MsgPosition::default()
    };
    json!({
        "collection_id": shard.source_collection_id,
        "channel_name": vchannel,
        "time": tso::physical_ms(shard.tick),
        "tt": shard.tick,
        "msg_id": position::encode(&message_position),
    })
}
