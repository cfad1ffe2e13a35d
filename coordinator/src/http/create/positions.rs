//! Start positions of `create`: by source vchannel, each a base64 `MsgPosition`, as `position` prints them.

use std::str::FromStr;

use harrier_milvus::channel::VChannel;
use harrier_milvus::position;

use crate::http::answer::ApiError;
use crate::registry::CollectionFilter;

/// More shards than any Milvus collection has.
const POSITION_COUNT_MAX: usize = 1024;

/// Checks the positions of one collection.
pub(crate) fn check_positions(filter: &CollectionFilter) -> Result<(), ApiError> {
    let name = &filter.name;
    if filter.positions.len() > POSITION_COUNT_MAX {
        return Err(ApiError::refused(format!(
            "the collection '{name}' has more than {POSITION_COUNT_MAX} positions"
        )));
    }
    let mut collection_id = None;
    for (key, encoded) in &filter.positions {
        let channel = VChannel::from_str(key).map_err(|_| {
            ApiError::refused(format!(
                "the position channel name is not virtual channel, '{key}': \
                 write it as {{pchannel}}_{{collection id}}v{{shard}}, such as by-dev-rootcoord-dml_0_449v0"
            ))
        })?;
        if *collection_id.get_or_insert(channel.collection_id) != channel.collection_id {
            return Err(ApiError::refused(format!(
                "the channel position info should be in the same collection: \
                 the positions of '{name}' name channels of different collections"
            )));
        }
        check_position(encoded, &[&channel.pchannel, key])
            .map_err(|wrong| ApiError::refused(format!("the position of the channel '{key}' {wrong}")))?;
    }
    Ok(())
}

/// Checks the position of the RPC channel.
pub(crate) fn check_rpc_position(encoded: &str, channel: &str) -> Result<(), ApiError> {
    check_position(encoded, &[channel])
        .map_err(|wrong| ApiError::refused(format!("the rpc channel position {wrong}")))
}

/// A position taken from another channel would silently skip or repeat data, so it must name one of `channels`, or none.
fn check_position(encoded: &str, channels: &[&str]) -> Result<(), String> {
    let decoded = position::decode(encoded)
        .map_err(|error| format!("is not valid: {error}; take it from 'msg_id' of the request 'position'"))?;
    // Pulsar clients write the full topic name.
    let named = decoded.channel_name.rsplit('/').next().unwrap_or_default();
    if named.is_empty() || channels.contains(&named) {
        return Ok(());
    }
    Err(format!("belongs to the channel '{}'", decoded.channel_name))
}
