//! A pack whose messages were passed over before (`skipped`): they are read again and go out part by part.
//!
//! When a pack is closed, all timestamps up to its tick are known, and so are the stamps of all of its messages and the
//! tick itself; what clock, horizon and reach have to say was said to the tick. So from then on it is a pack of several
//! calls as any other, whose calls are made up one after the other: none but the last carries the tick, and nothing of
//! it counts before the last is acknowledged. Until then its shards report the checkpoint before it, with everything up
//! to the tick to be replayed from there.

use std::collections::HashMap;

use harrier_milvus::tso::Timestamp;

use super::Core;
use super::feeds::Appetite;
use super::pack::Pack;
use super::release::Release;
use super::request;
use super::shard::{Held, ShardKey};

/// The pack at the end of the flights while its messages are read again.
#[derive(Debug)]
pub(crate) struct OpenPack {
    /// What is not in a call yet.
    pub pack: Pack,
    /// What its shards contribute.
    releases: HashMap<ShardKey, Release>,
    /// Its calls are about one collection each.
    pub apart: bool,
}

impl OpenPack {
    pub(super) fn new(pack: Pack, releases: Vec<Release>, apart: bool) -> Self {
        let releases = releases.into_iter().map(|release| (release.shard, release)).collect();
        Self { pack, releases, apart }
    }

    /// Forgets what is not in a call yet of shards that were taken out.
    pub(super) fn take_out(&mut self, collection: i64, keys: &[ShardKey]) {
        self.releases.retain(|key, _| !keys.contains(key));
        self.pack.take_out(collection, keys);
    }
}

impl Core {
    /// Takes the feeds back to where the first messages were passed over that `releases` are to send.
    pub(super) fn begin_reread(&mut self, releases: &[Release], tick: Timestamp) {
        for release in releases.iter().filter(|release| release.reread) {
            let Some(shard) = self.shards.get(&release.shard) else { continue };
            let Some(id) = self.feeds.iter().find(|(_, feed)| feed.members.contains(&release.shard)) else {
                continue;
            };
            let (id, position) = (*id.0, id.1.position.clone());
            let mut before = shard.checkpoint(Some(&position), &self.positions);
            before.replay_until = before.replay_until.max(tick);
            // Further than the feed, which a newcomer may have taken back meanwhile.
            let reached = shard.reached(Some(&position), &self.positions).clone();
            let Some(shard) = self.shards.get_mut(&release.shard) else { continue };
            shard.sending = Some(before);
            if let Some(skipped) = shard.skipped.take() {
                shard.seen = skipped.before;
            }
            let Some(feed) = self.feeds.get_mut(&id) else { continue };
            let until = feed.again_until.get_or_insert_with(|| reached.clone());
            *until = self.positions.later(until, &reached).clone();
        }
        let again: Vec<_> =
            self.feeds.iter().filter(|(_, feed)| feed.again_until.is_some()).map(|(id, _)| *id).collect();
        for id in again {
            self.take_back(id);
        }
    }

    /// Of the other shards nothing is to be read again.
    fn take_back(&mut self, id: super::FeedId) {
        let Some(feed) = self.feeds.get(&id) else { return };
        let (position, members) = (feed.position.clone(), feed.members.clone());
        let (sending, others): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|key| self.shards.get(key).is_some_and(|s| s.sending.is_some()));
        let Some(least) = self.least_seen(&sending) else { return };
        for key in others {
            if let Some(shard) = self.shards.get_mut(&key) {
                shard.seen = self.positions.later(&shard.seen, &position).clone();
            }
        }
        let generation = self.next_generation;
        self.next_generation += 1;
        if let Some(feed) = self.feeds.get_mut(&id) {
            // A newcomer may have taken it further back already.
            feed.position = self.positions.earlier(&position, &least).clone();
            feed.generation = generation;
        }
    }

    /// A feed has moved on.
    pub(super) fn end_reread_at(&mut self, id: super::FeedId) {
        if let Some(feed) = self.feeds.get_mut(&id)
            && let Some(until) = &feed.again_until
            && !self.positions.is_after(until, &feed.position)
        {
            feed.again_until = None;
        }
    }

    /// A message that the open pack is to send.
    pub(super) fn send_again(&mut self, key: ShardKey, held: &Held) {
        let Some(mut open) = self.open.take() else { return };
        if let Some(release) = open.releases.get(&key)
            && let Err(error) = self.put_into(&mut open.pack, release, held)
        {
            // Part of it is in the pack.
            let until = release.until;
            self.fail(key, error, until);
        }
        self.open = Some(open);
    }

    /// Makes calls of what was read for the open pack, the last one as soon as all was read.
    pub(super) fn extend_open_pack(&mut self) {
        if self.open.is_none() {
            return;
        }
        // Shards that failed on the way need not be read again.
        self.sync_feeds();
        let Some(open) = &mut self.open else { return };
        let complete = self.feeds.values().all(|feed| feed.again_until.is_none());
        if !complete && open.pack.bytes() < self.call_bytes_limit / 2 {
            return;
        }
        let (messages, charges) = open.pack.take_messages(&mut self.ids);
        let Some(flight) = self.flights.back_mut() else { return };
        let apart = |collection| open.apart || self.holds.holds(collection);
        let mut calls = request::calls(messages, None, self.call_bytes_limit, apart);
        match calls.back_mut() {
            Some(call) => call.charges = charges,
            None => flight.charges.extend(charges),
        }
        flight.calls.extend(calls);
        if complete {
            self.close_open_pack();
        }
    }

    fn close_open_pack(&mut self) {
        let (Some(open), Some(flight)) = (self.open.take(), self.flights.back_mut()) else { return };
        flight.open = false;
        flight.written = open.pack.into_written();
        let ends_with = flight.tick;
        flight.calls.push_back(request::Call::of(vec![request::tick(flight.tick, &mut self.ids)]));
        for key in open.releases.keys() {
            if let Some(shard) = self.shards.get_mut(key) {
                shard.sending = None;
                shard.forget_sent();
            }
        }
        let marks = self.marks(Some(ends_with));
        if let Some(flight) = self.flights.back_mut() {
            flight.marks = marks;
        }
        self.changed = true;
    }

    /// How eagerly messages are read again: as long as the target takes them.
    pub(super) fn appetite_for_more(&self) -> Appetite {
        let in_calls: usize =
            self.flights.iter().flat_map(|flight| &flight.calls).map(request::Call::bytes).sum();
        let in_pack = self.open.as_ref().map_or(0, |open| open.pack.bytes());
        if in_calls + in_pack < self.call_bytes_limit { Appetite::Must } else { Appetite::None }
    }
}
