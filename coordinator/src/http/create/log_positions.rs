//! Whether the source's log still has the positions that a `create` begins at. What is gone is said now, with what is
//! left, and not found by a worker later.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use harrier_milvus::channel::VChannel;
use harrier_milvus::log::{LogError, LogSource, Start};
use harrier_milvus::position;

use crate::http::answer::ApiError;
use crate::registry::TaskSpec;

/// Positions looked up at the same time.
const LOOKS_MAX: usize = 8;
/// For all of them together.
const TIME_MAX: Duration = Duration::from_secs(10);

/// A position that a request gives.
struct Given {
    /// For the sentence: which one it is.
    what: String,
    channel: String,
    position: Vec<u8>,
}

/// Checks every position of the request against the log.
pub(crate) async fn check(log: &Arc<dyn LogSource>, spec: &TaskSpec) -> Result<(), ApiError> {
    let given = given(spec);
    let looks = given.into_iter().map(|one| look(log.clone(), one));
    let all = futures::stream::iter(looks).buffer_unordered(LOOKS_MAX).try_collect::<()>();
    tokio::time::timeout(TIME_MAX, all).await.unwrap_or_else(|_| {
        Err(ApiError::refused(format!(
            "the source log did not say within {} s whether it still has the positions: try again",
            TIME_MAX.as_secs()
        )))
    })
}

/// Their form was checked before.
fn given(spec: &TaskSpec) -> Vec<Given> {
    let lists = spec.collection_infos.iter().chain(spec.db_collections.values().flatten());
    let of_channels = lists.flat_map(|filter| &filter.positions).filter_map(|(vchannel, encoded)| {
        let channel = vchannel.parse::<VChannel>().ok()?.pchannel;
        Some(Given {
            what: format!("the position of the channel '{vchannel}'"),
            channel,
            position: position::decode(encoded).ok()?.msg_id.to_vec(),
        })
    });
    let of_requests = position::decode(&spec.rpc_channel_position).ok().map(|decoded| Given {
        what: "the rpc channel position".to_owned(),
        channel: spec.rpc_channel.clone(),
        position: decoded.msg_id.to_vec(),
    });
    let has_place = |given: &Given| !given.position.is_empty();
    of_channels.chain(of_requests).filter(has_place).collect()
}

async fn look(log: Arc<dyn LogSource>, given: Given) -> Result<(), ApiError> {
    let Given { what, channel, position } = given;
    match log.open(&channel, Start::After(position.into())).await {
        Ok(_) => Ok(()),
        Err(LogError::PositionLost { wanted, oldest, newest, .. }) => Err(ApiError::refused(format!(
            "{what} is not on the source log any more: what follows it begins with {wanted}, the oldest one available \
             is {oldest}, the newest {newest}; give a newer one, or none to begin where the collection does"
        ))),
        Err(error) => Err(ApiError::refused(format!("{what} cannot be checked: {error}"))),
    }
}
