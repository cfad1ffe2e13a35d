//! When a pack is closed, and with which tick: the watermark, or more if stamps had to go above it.

use std::collections::VecDeque;

use harrier_milvus::tso::Timestamp;
use harrier_proto::milvus::ReplicateMessageRequest;

use super::confirm::Flight;
use super::pack::{Pack, Written};
use super::release::Release;
use super::request;
use super::reread::OpenPack;
use super::{Core, FLIGHTS_MAX};

impl Core {
    /// The next call, if none is on its way and there is something to send.
    pub(crate) fn next_call(&mut self, now_ms: u64) -> Option<ReplicateMessageRequest> {
        self.prepare(now_ms);
        let flight = self.flights.front_mut();
        let flight = flight.filter(|flight| !flight.awaiting && !flight.calls.is_empty())?;
        flight.awaiting = true;
        self.wire_clock = self.wire_clock.max(flight.tick);
        Some(flight.calls.front()?.request(&self.target_pchannel, flight.begin_ts, &mut self.ids))
    }

    /// Closes packs that are due: also while a call is on its way, so that the next one waits for nothing.
    pub(crate) fn prepare(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.forget_ended();
        if !self.stopping {
            self.try_held();
        }
        self.extend_open_pack();
        while self.flights.len() < FLIGHTS_MAX && self.open.is_none() && !self.stopping && self.is_pack_due()
        {
            self.changed = false;
            if !self.close_pack() {
                self.retry_ms = self.now_ms + self.pack_period_ms();
                break;
            }
        }
    }

    /// Packs are closed up to `ceiling` from now on. What lies above it waits until it rises.
    pub(crate) fn set_ceiling(&mut self, ceiling: Timestamp) {
        self.ceiling = ceiling;
    }

    /// The tick of the pack that `next_call` will take from, if one is ready.
    pub(crate) fn next_tick(&self) -> Option<Timestamp> {
        self.flights.front().filter(|flight| !flight.awaiting).map(|flight| flight.tick)
    }

    /// When `next_call` may have something without any event before.
    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        let due = self.interval_end_ms().max(if self.changed { 0 } else { self.retry_ms });
        (self.flights.is_empty() && !self.stopping).then_some(due)
    }

    fn interval_end_ms(&self) -> u64 {
        // Half the interval: the source ticks at about this pace too, and none of its ticks should wait for the next.
        self.last_pack_ms + self.pack_period_ms() / 2
    }

    fn is_pack_due(&mut self) -> bool {
        let full = self.releasable() >= self.call_bytes_limit / 2;
        let interval_over = self.flights.is_empty() && self.now_ms >= self.interval_end_ms();
        (full || interval_over) && (self.changed || self.now_ms >= self.retry_ms)
    }

    /// False when there is nothing to send, or nothing may be sent now.
    fn close_pack(&mut self) -> bool {
        let limit = self.clock.horizon().min(self.ceiling);
        let portions = self.portions(limit);
        let releases = self.plan_releases(limit, &portions);
        let own = self.tick_for_drops().max(self.tick_that_is_due());
        let Some(tick) = self.tick_for(&releases, limit.min(portions.of_tick())).max(own) else {
            self.pass_over(releases);
            return false;
        };
        if !self.clock.admits(tick) {
            return false;
        }
        self.begin_reread(&releases, tick);
        let mut pack = self.release(&releases);
        self.put_drops(tick, &mut pack);
        self.due.put_tick(tick, self.pack_number);
        let flight = Flight {
            number: self.pack_number,
            calls: VecDeque::new(),
            open: releases.iter().any(|release| release.reread),
            awaiting: false,
            partly_acknowledged: false,
            broken_off: false,
            begin_ts: self.clock.clock(),
            tick,
            marks: Vec::new(),
            written: Written::new(),
            charges: Vec::new(),
        };
        self.clock.put_tick(tick);
        self.last_pack_ms = self.now_ms;
        let apart = self.take_isolated();
        let flight = if flight.open {
            self.open = Some(OpenPack::new(pack, releases, apart));
            flight
        } else {
            self.closed(flight, pack, apart)
        };
        self.flights.push_back(flight);
        self.pack_number += 1;
        true
    }

    /// All of it is there.
    fn closed(&mut self, flight: Flight, mut pack: Pack, isolated: bool) -> Flight {
        let marks = self.marks(Some(flight.tick));
        let (messages, charges) = pack.take_messages(&mut self.ids);
        let tick = request::tick(flight.tick, &mut self.ids);
        let apart = |collection| isolated || self.holds.holds(collection);
        let calls = request::calls(messages, Some(tick), self.call_bytes_limit, apart);
        Flight { calls, marks, charges, written: pack.into_written(), ..flight }
    }

    /// The least tick that covers what is released and the watermark; none if nothing is new.
    fn tick_for(&self, releases: &[Release], limit: Timestamp) -> Option<Timestamp> {
        let stamped = releases.iter().filter(|release| !release.stamps.is_empty());
        let top = stamped.map(|release| release.stamps.top()).max();
        let watermark = self.watermark().map(|watermark| watermark.min(limit));
        top.max(watermark).filter(|tick| *tick > self.clock.clock())
    }

    /// Nothing to send, and nothing on its way: what was read without finding anything counts at once.
    fn pass_over(&mut self, releases: Vec<Release>) {
        if !self.flights.is_empty() {
            return;
        }
        self.release(&releases);
        let marks = self.marks(None);
        self.take_marks(marks);
        self.conclude_trials();
    }
}
