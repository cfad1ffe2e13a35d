//! Positions that the source's log no longer holds: the collections that need them stop, and are held; whoever reads the
//! same channel from further on does not.

use harrier_milvus::log::LogError;

use super::Core;
use super::error::CoreError;
use super::feed::{FeedId, FeedKind};
use super::shard::ShardKey;

impl Core {
    /// The log does not hold what follows the position of this feed. False if that is no matter of single shards: then
    /// whoever asks has to treat the channel as a whole.
    pub(crate) fn on_position_lost(&mut self, id: FeedId, error: &LogError) -> bool {
        let Some(feed) = self.feeds.get(&id).filter(|feed| feed.kind != FeedKind::Main) else { return false };
        // The one that is furthest behind made the feed begin here.
        let (behind, ahead): (Vec<ShardKey>, Vec<ShardKey>) = feed
            .members
            .iter()
            .partition(|key| !self.positions.is_after(&self.shards[*key].seen, &feed.position));
        if behind.is_empty() {
            return false;
        }
        for key in behind {
            self.fail(key, CoreError::PositionLost(error.to_string()), 0);
        }
        if let Some(least) = self.least_seen(&ahead)
            && let Some(feed) = self.feeds.get_mut(&id)
        {
            feed.position = least;
            feed.generation = self.next_generation;
            self.next_generation += 1;
        }
        self.places_changed = true;
        self.sync_feeds();
        true
    }
}
