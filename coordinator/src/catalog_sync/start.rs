//! Where a shard begins to be read. Pure.

use std::collections::BTreeMap;

use harrier_milvus::catalog::{SourceCollection, SourceShard};
use harrier_milvus::position;

use super::Problem;

/// The position that the task gives for the vchannel, else the collection's own beginning (its creation message), else
/// the oldest message.
pub(super) fn start_position(
    positions: &BTreeMap<String, String>,
    collection: &SourceCollection,
    shard: &SourceShard,
) -> Result<Vec<u8>, Problem> {
    if let Some(text) = positions.get(&shard.vchannel) {
        let given = position::decode(text).map_err(|error| {
            let vchannel = &shard.vchannel;
            Problem::operator(format!("the start position of {vchannel} cannot be used: {error}"))
        })?;
        return Ok(given.msg_id.to_vec());
    }
    Ok(collection.start_positions.get(&shard.pchannel).map(|position| position.to_vec()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use bytes::Bytes;
    use harrier_proto::msg::MsgPosition;

    use super::super::fixtures::source_collection;
    use super::*;

    #[test]
    fn a_given_position_comes_before_the_collections_own() {
        let collection = source_collection(7, "a", 2);
        let own = start_position(&BTreeMap::new(), &collection, &collection.shards[0]).unwrap();
        assert_eq!(own, collection.start_positions[&collection.shards[0].pchannel]);

        let given = MsgPosition { msg_id: Bytes::from_static(b"given"), ..MsgPosition::default() };
        let positions = BTreeMap::from([(collection.shards[1].vchannel.clone(), position::encode(&given))]);
        assert_eq!(start_position(&positions, &collection, &collection.shards[1]).unwrap(), b"given");
        assert_eq!(start_position(&positions, &collection, &collection.shards[0]).unwrap(), own);
    }

    #[test]
    fn a_position_that_is_none_is_said() {
        let collection = source_collection(7, "a", 1);
        let positions = BTreeMap::from([(collection.shards[0].vchannel.clone(), "%".to_owned())]);
        let problem = start_position(&positions, &collection, &collection.shards[0]).unwrap_err();
        assert!(problem.message.contains(&collection.shards[0].vchannel), "{}", problem.message);
    }
}
