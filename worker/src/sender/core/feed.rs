//! The core's end of a reader: one source pchannel, for the shards that have caught up or for those that have not.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use harrier_milvus::tso::Timestamp;

use super::shard::ShardKey;
use crate::byte_pool::BytePermit;

/// Identifies a feed within the life of a core.
pub(crate) type FeedId = u64;

/// Keeps the bytes of a batch accounted for as long as any of its messages is held or on its way.
pub(crate) type Charge = Option<Arc<BytePermit>>;

/// What a feed is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FeedKind {
    /// Shards that hold the sender's tick.
    Main,
    /// Shards that are behind.
    Late,
    /// Shards of this collection, which the target refused and may refuse again.
    Trial(i64),
}

#[derive(Debug)]
pub(crate) struct Feed {
    pub channel: String,
    pub kind: FeedKind,
    /// Rises when the reader has to start anew; batches of an older one are ignored.
    pub generation: u64,
    /// Last message that was processed.
    pub position: Bytes,
    /// Up to here (inclusive) messages are read for the second time.
    pub again_until: Option<Bytes>,
    /// Last source tick that was processed.
    pub tick: Timestamp,
    pub members: Vec<ShardKey>,
    /// By vchannel of the source.
    pub routes: HashMap<String, Vec<ShardKey>>,
}

/// A reader that the shell has to keep open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReaderPlan {
    pub feed: FeedId,
    pub generation: u64,
    pub channel: String,
    /// Start after this message; empty = with the oldest.
    pub after: Bytes,
}
