//! Which channels are read for whom, and how eagerly. Two readers per source pchannel: one for the shards that hold the
//! tick, one for those that are behind; and for a moment one for each held collection that is tried again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use harrier_milvus::tso::Timestamp;

use super::feed::{Feed, FeedId, FeedKind, ReaderPlan};
use super::inputs::is_close;
use super::shard::{Place, Shard, ShardKey};
use super::{Core, SKEW_MAX};

/// Whether a feed's next batch is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appetite {
    /// Not now.
    None,
    /// If the byte pool has room.
    IfRoom,
    /// In any case: nothing can be sent before more of this channel is known, down to its next tick.
    Must,
}

impl Core {
    /// The readers that have to be open.
    pub(crate) fn readers(&self) -> Vec<ReaderPlan> {
        let plan = |(id, feed): (&FeedId, &Feed)| ReaderPlan {
            feed: *id,
            generation: feed.generation,
            channel: feed.channel.clone(),
            after: feed.position.clone(),
        };
        self.feeds.iter().map(plan).collect()
    }

    /// Whether the core takes more messages of this feed now.
    pub(crate) fn appetite(&mut self, id: FeedId) -> Appetite {
        let watermark = self.watermark();
        let releasable = self.releasable();
        let Some(feed) = self.feeds.get(&id) else { return Appetite::None };
        if feed.again_until.is_some() {
            return self.appetite_for_more();
        }
        let skips = |shard: &Shard| shard.skipped.is_some();
        let waits = self.held_bytes > 0 || self.shards.values().any(skips);
        // Another tick than that of the slowest says nothing new.
        let slowest = watermark.is_none_or(|w| feed.tick <= w);
        if feed.kind == FeedKind::Main && watermark.is_some_and(|w| feed.tick > w.saturating_add(SKEW_MAX)) {
            return Appetite::None;
        }
        let idle = self.flights.is_empty() && releasable == 0;
        if slowest && idle && waits {
            Appetite::Must
        } else if feed.members.iter().any(|key| self.shards.get(key).is_some_and(skips)) {
            // What comes would be passed over as well.
            Appetite::None
        } else if self.held_bytes < self.call_bytes_limit {
            Appetite::IfRoom
        } else {
            Appetite::None
        }
    }

    /// The least source tick of the channels that are caught up.
    pub(super) fn watermark(&self) -> Option<Timestamp> {
        self.feeds.values().filter(|feed| feed.kind == FeedKind::Main).map(|feed| feed.tick).min()
    }

    /// Makes the feeds follow the places of the shards.
    pub(super) fn sync_feeds(&mut self) {
        if !std::mem::take(&mut self.places_changed) {
            return;
        }
        self.recount();
        self.changed = true;
        let mut wanted: BTreeMap<(String, FeedKind), Vec<ShardKey>> = BTreeMap::new();
        for (key, shard) in &self.shards {
            if let Some(kind) = shard.feed_kind() {
                wanted.entry((shard.spec.source_pchannel.clone(), kind)).or_default().push(*key);
            }
        }
        self.keep_ticking(&mut wanted);
        self.feeds.retain(|_, feed| wanted.contains_key(&(feed.channel.clone(), feed.kind)));
        for ((channel, kind), members) in wanted {
            self.serve(&channel, kind, members);
        }
    }

    /// Where every shard is held, or waits for a partition, nobody needs the messages; but the target still needs the
    /// ticks: other collections of its pchannel stand still without them. So the readers that were there stay. One that
    /// was behind goes on until it is not.
    fn keep_ticking(&self, wanted: &mut BTreeMap<(String, FeedKind), Vec<ShardKey>>) {
        if wanted.keys().any(|(_, kind)| *kind == FeedKind::Main) {
            return;
        }
        let idle = |shard: &&Shard| matches!(shard.place, Place::Held | Place::Trial | Place::Parked);
        let channels: BTreeSet<&String> =
            self.shards.values().filter(idle).map(|shard| &shard.spec.source_pchannel).collect();
        for channel in channels {
            let has = |kind| self.feeds.values().any(|feed| feed.kind == kind && feed.channel == *channel);
            if let Some(kind) = [FeedKind::Main, FeedKind::Late].into_iter().find(|kind| has(*kind)) {
                wanted.entry((channel.clone(), kind)).or_default();
            }
        }
    }

    /// Makes sure that one feed serves these shards.
    fn serve(&mut self, channel: &str, kind: FeedKind, members: Vec<ShardKey>) {
        let known =
            self.feeds.iter().find(|(_, f)| f.kind == kind && f.channel == channel).map(|(id, _)| *id);
        let id = known.unwrap_or_else(|| self.open_feed(channel, kind, &members));
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        let newcomers: Vec<ShardKey> =
            members.iter().filter(|key| !feed.members.contains(key)).copied().collect();
        let position = feed.position.clone();
        // One that left may have gone back to its checkpoint: how far this reader got is nothing to it.
        let mut old_members = std::mem::take(&mut feed.members);
        old_members.retain(|key| members.contains(key));
        if let Some(least) = self.least_seen(&newcomers)
            && self.positions.is_after(&position, &least)
        {
            self.rewind(id, &old_members, least);
        }
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        feed.routes.clear();
        for key in &members {
            let vchannel = self.shards[key].spec.source_vchannel.clone();
            feed.routes.entry(vchannel).or_default().push(*key);
        }
        feed.members = members;
    }

    /// Reads again from `least` on, for a newcomer that is further behind than the others.
    fn rewind(&mut self, id: FeedId, old_members: &[ShardKey], least: Bytes) {
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        for key in old_members {
            if let Some(shard) = self.shards.get_mut(key) {
                shard.seen = self.positions.later(&shard.seen, &feed.position).clone();
            }
        }
        feed.generation = self.next_generation;
        feed.position = least;
        self.next_generation += 1;
    }

    pub(super) fn least_seen(&self, keys: &[ShardKey]) -> Option<Bytes> {
        let seen = keys.iter().map(|key| self.shards[key].seen.clone());
        seen.reduce(|a, b| if self.positions.is_after(&a, &b) { b } else { a })
    }

    fn open_feed(&mut self, channel: &str, kind: FeedKind, members: &[ShardKey]) -> FeedId {
        let id = self.next_feed;
        let feed = Feed {
            channel: channel.to_owned(),
            kind,
            generation: self.next_generation,
            position: self.least_seen(members).unwrap_or_default(),
            again_until: None,
            tick: members.iter().map(|key| self.shards[key].tick).min().unwrap_or(0),
            members: members.to_vec(),
            routes: Default::default(),
        };
        self.next_feed += 1;
        self.next_generation += 1;
        self.feeds.insert(id, feed);
        id
    }

    /// Shards that have caught up begin to hold the tick.
    pub(super) fn join_caught_up(&mut self) {
        let late: Vec<FeedId> =
            self.feeds.iter().filter(|(_, feed)| feed.kind == FeedKind::Late).map(|(id, _)| *id).collect();
        for id in late {
            let Some(feed) = self.feeds.get(&id) else { continue };
            let main = self.feeds.values().find(|f| f.kind == FeedKind::Main && f.channel == feed.channel);
            match main {
                Some(main) => {
                    let (members, at, main_at) =
                        (feed.members.clone(), feed.position.clone(), main.position.clone());
                    self.join_main(members, &at, &main_at);
                }
                None if is_close(feed.tick, self.clock.clock()) => self.become_main(id),
                None => {}
            }
        }
        self.sync_feeds();
    }

    fn join_main(&mut self, members: Vec<ShardKey>, feed_position: &Bytes, main_position: &Bytes) {
        for key in members {
            let Some(shard) = self.shards.get_mut(&key) else { continue };
            let reached = self.positions.later(&shard.seen, feed_position).clone();
            // What it passed over is read again by its own reader.
            let complete = shard.skipped.is_none() && shard.sending.is_none();
            if shard.place == Place::Late && complete && !self.positions.is_after(main_position, &reached) {
                shard.seen = reached;
                shard.place = Place::Main;
                self.places_changed = true;
            }
        }
    }

    /// There is no reader that its shards could join: theirs becomes the one that holds the tick.
    fn become_main(&mut self, id: FeedId) {
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        feed.kind = FeedKind::Main;
        for key in &feed.members {
            if let Some(shard) = self.shards.get_mut(key).filter(|shard| shard.place == Place::Late) {
                shard.place = Place::Main;
            }
        }
        self.places_changed = true;
    }
}
