//! Whether a simulated worker reaches its targets and the source's log: the real `Sight` of each place, asked in virtual
//! time as `reach::lookout` asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harrier_milvus::reach;
use harrier_proto::harrier::v1;

use super::host::lock;
use super::wire::{Answer, Ask, Call, Network, SimTimes};
use crate::reach::{Limits, Sight};

/// The source's log, among the places that targets' ids name.
const LOG: &str = "";

/// The places of one worker. Clones share them. All times are the worker's milliseconds since boot.
#[derive(Clone)]
pub(super) struct Sights(Arc<Mutex<Places>>);

struct Places {
    limits: Limits,
    begin: Instant,
    known: BTreeMap<String, Known>,
    /// Calls whose answers are waited for.
    calls: BTreeMap<u64, Waiting>,
    /// The coordinators should hear at once.
    news: bool,
}

struct Known {
    sight: Sight,
    /// The look that is under way.
    look: Option<Look>,
}

struct Look {
    /// `None`: the log is asked.
    call: Option<u64>,
    until_ms: u64,
}

struct Waiting {
    target_id: String,
    number: u64,
    until_ms: u64,
}

/// Somebody waits for messages of the log; whoever drops it waits no longer.
pub(super) struct Reading {
    sights: Sights,
    number: u64,
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(log) = lock(&self.sights.0).known.get_mut(LOG) {
            log.sight.end(self.number);
        }
    }
}

impl Sights {
    pub fn new(times: &SimTimes) -> Self {
        let limits = Limits {
            silence: Duration::from_millis(times.reach_silence_ms),
            probe_timeout: Duration::from_millis(times.reach_probe_timeout_ms),
            probe_interval: Duration::from_millis(times.reach_probe_interval_ms),
            forget: Duration::from_secs(600),
        };
        let (known, calls) = (BTreeMap::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(Places { limits, begin: Instant::now(), known, calls, news: false })))
    }

    /// A call has left whose answer is waited for.
    pub fn called(&self, target_id: &str, call: u64, now_ms: u64, patience_ms: u64) {
        let places = &mut *lock(&self.0);
        let now = places.at(now_ms);
        let number = places.known(target_id, now).sight.wait(now);
        let until_ms = now_ms + patience_ms;
        places.calls.insert(call, Waiting { target_id: target_id.to_owned(), number, until_ms });
    }

    /// Its answer is waited for no longer, and that says nothing of the target.
    pub fn given_up(&self, call: u64) {
        lock(&self.0).end_call(call);
    }

    /// A target has answered.
    pub fn answered(&self, call: u64, answer: Answer, now_ms: u64) {
        let places = &mut *lock(&self.0);
        let now = places.at(now_ms);
        if let Some(known) = places.end_call(call) {
            match answer {
                Answer::Refused => known.sight.suspect(),
                _ => places.news |= known.sight.heard(now),
            }
        }
        for known in places.known.values_mut() {
            if known.look.take_if(|look| look.call == Some(call)).is_some() {
                let answer = match answer {
                    Answer::Refused => reach::Answer::Refused,
                    _ => reach::Answer::Answered,
                };
                places.news |= known.sight.looked(now, answer);
            }
        }
    }

    /// Messages of the log are waited for from now on.
    pub fn read(&self, now_ms: u64) -> Reading {
        let places = &mut *lock(&self.0);
        let now = places.at(now_ms);
        let number = places.known(LOG, now).sight.wait(now);
        Reading { sights: self.clone(), number }
    }

    /// Messages of the log came.
    pub fn heard_log(&self, now_ms: u64) {
        let places = &mut *lock(&self.0);
        let now = places.at(now_ms);
        let heard = places.known(LOG, now).sight.heard(now);
        places.news |= heard;
    }

    pub fn is_lost(&self, target_id: &str) -> bool {
        lock(&self.0).known.get(target_id).is_some_and(|known| known.sight.is_lost())
    }

    /// The coordinators want to know of these.
    pub fn look(&self, looks: &[v1::Look], now_ms: u64) {
        let places = &mut *lock(&self.0);
        let now = places.at(now_ms);
        for look in looks {
            let place = look.target.as_ref().map_or(LOG, |target| &target.target_id);
            places.known(place, now).sight.ask(now);
        }
    }

    /// What the coordinators are told, as of now.
    pub fn told(&self, now_ms: u64) -> Vec<v1::Sight> {
        let places = &*lock(&self.0);
        let now = places.at(now_ms);
        let told = places.known.iter();
        told.filter_map(|(place, known)| Some(known.sight.report(now)?.to_wire(place.clone()))).collect()
    }

    /// Whether the coordinators should hear at once; told once.
    pub fn take_news(&self) -> bool {
        std::mem::take(&mut lock(&self.0).news)
    }

    /// Asks whatever is due.
    pub fn keep_looking(&self, now_ms: u64, network: &mut impl Network) {
        let places = &mut *lock(&self.0);
        let now = places.at(now_ms);
        places.give_up_calls(now_ms);
        for (place, known) in &mut places.known {
            let is_log = place == LOG;
            if known.look.take_if(|look| look.call.is_none() && network.reaches_log()).is_some() {
                places.news |= known.sight.looked(now, reach::Answer::Answered);
            }
            if known.look.take_if(|look| look.until_ms <= now_ms).is_some() {
                places.news |= known.sight.looked(now, reach::Answer::Silent);
            }
            if known.sight.due(now, &places.limits).is_none_or(|due| due > now) {
                continue;
            }
            let within = known.sight.look(now, &places.limits);
            let timeout_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
            let call = || {
                let sender_id = place.clone();
                network.send(Call { id: 0, sender_id, epoch: 0, ask: Ask::Look, timeout_ms })
            };
            let call = (!is_log).then(call);
            known.look = Some(Look { call, until_ms: now_ms + timeout_ms });
        }
        places.known.retain(|_, known| !known.sight.is_forgotten(now, &places.limits));
    }
}

impl Places {
    fn at(&self, now_ms: u64) -> Instant {
        self.begin + Duration::from_millis(now_ms)
    }

    fn known(&mut self, place: &str, now: Instant) -> &mut Known {
        let unknown = || Known { sight: Sight::new(now), look: None };
        self.known.entry(place.to_owned()).or_insert_with(unknown)
    }

    fn end_call(&mut self, call: u64) -> Option<&mut Known> {
        let waiting = self.calls.remove(&call)?;
        let known = self.known.get_mut(&waiting.target_id)?;
        known.sight.end(waiting.number);
        Some(known)
    }

    /// Those whose time is over ended as if nobody were there.
    fn give_up_calls(&mut self, now_ms: u64) {
        let over = self.calls.iter().filter(|(_, waiting)| waiting.until_ms <= now_ms);
        let over: Vec<u64> = over.map(|(call, _)| *call).collect();
        for call in over {
            if let Some(known) = self.end_call(call) {
                known.sight.suspect();
            }
        }
    }
}
