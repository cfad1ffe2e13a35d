//! `position`: how far a task has read the source's log. What it prints can be given to `create` again.

use std::time::Duration;

use harrier_milvus::log::LogError;
use harrier_milvus::{position, tso};
use harrier_proto::msg::MsgPosition;
use serde_json::{Value, json};

use crate::leader::split_sender_id;
use crate::registry::{ShardState, State, TaskId};

use super::answer::ApiError;
use super::fields::Fields;
use super::{AppState, task_id};

/// How long the log may take to say where the channel of requests ends.
const LOG_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers the positions of one task: on the channels of its collections, on the channel of requests, and on the
/// target's own log.
pub(super) async fn position(state: &AppState, data: &Fields<'_>) -> Result<Value, ApiError> {
    let task_id = task_id::required(data)?;
    state.current().await?;
    let found = state.registry.read(|registry| {
        let is_there = registry.tasks.contains_key(&task_id);
        is_there.then(|| (source_positions(registry, &task_id), target_positions(state, registry, &task_id)))
    });
    let (positions, target_positions) = found.ok_or_else(|| task_id::not_found(&task_id))?;
    let mut answer =
        json!({ "op_positions": [], "positions": positions, "target_positions": target_positions });
    match op_position(state).await {
        Ok(op_position) => answer["op_positions"] = op_position.into_iter().collect(),
        Err(reason) => answer["op_positions_reason"] = reason.into(),
    }
    Ok(answer)
}

/// The end of the channel of requests. What they changed is in the source's catalog, and that is what a task follows:
/// whoever begins here misses nothing.
async fn op_position(state: &AppState) -> Result<Option<Value>, String> {
    let channel = &state.config.source.replicate_channel;
    let now_ms = state.now_ms();
    let end = tokio::time::timeout(LOG_TIMEOUT, state.source_log.end(channel)).await;
    let end = end.map_err(|_| format!("no answer of the source log within {} s", LOG_TIMEOUT.as_secs()))?;
    let end = match end {
        // It is made with the first request.
        Ok(None) | Err(LogError::NoSuchChannel(_)) => return Ok(None),
        Ok(Some(end)) => end,
        Err(error) => return Err(error.to_string()),
    };
    let place = Place { collection_id: 0, name: channel, channel, id: &end, tick: tso::compose(now_ms, 0) };
    Ok(Some(place.view()))
}

fn source_positions(registry: &State, task_id: &TaskId) -> Vec<Value> {
    let begun = task_shards(registry, task_id).filter(|(_, shard)| !shard.position.is_empty());
    let view = |(vchannel, shard): (&str, &ShardState)| {
        let channel = vchannel.rsplit_once('_').map_or(vchannel, |(pchannel, _)| pchannel);
        let (collection_id, tick) = (shard.source_collection_id, shard.tick);
        Place { collection_id, name: vchannel, channel, id: &shard.position, tick }.view()
    };
    begun.map(view).collect()
}

/// Where the last message that a sender wrote stands on the target's log. Only those that run know.
fn target_positions(state: &AppState, registry: &State, task_id: &TaskId) -> Vec<Value> {
    let mappings = registry.mappings.get(task_id);
    let view = |(vchannel, shard): (&str, &ShardState)| {
        let mapping = mappings?.get(&shard.source_collection_id)?;
        let pair = mapping.shards.iter().find(|pair| pair.source_vchannel == vchannel)?;
        let sender =
            state.leader.sender(&shard.sender_id).filter(|sender| !sender.target_position.is_empty())?;
        let place = Place {
            collection_id: shard.source_collection_id,
            name: &pair.target_vchannel,
            channel: split_sender_id(&shard.sender_id).1,
            id: &sender.target_position,
            tick: sender.tick,
        };
        Some(place.view())
    };
    task_shards(registry, task_id).filter_map(view).collect()
}

/// A place on a log, as clients know it.
struct Place<'a> {
    /// Id of the collection at the source; 0: of none.
    collection_id: i64,
    name: &'a str,
    /// The topic.
    channel: &'a str,
    /// The broker's own form.
    id: &'a [u8],
    tick: u64,
}

impl Place<'_> {
    fn view(&self) -> Value {
        let message_position = MsgPosition {
            channel_name: self.channel.to_owned(),
            msg_id: self.id.to_vec().into(),
            timestamp: self.tick,
            ..MsgPosition::default()
        };
        json!({
            "collection_id": self.collection_id,
            "channel_name": self.name,
            "time": tso::physical_ms(self.tick),
            "tt": self.tick,
            "msg_id": position::encode(&message_position),
        })
    }
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
