//! All places of one worker, and the task that asks them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use harrier_milvus::client::{Endpoint, MilvusClient};
use harrier_milvus::log::LogSource;
use harrier_milvus::reach::Answer;
use harrier_proto::harrier::v1::{self, Look, TargetConnection};
use tokio::sync::Notify;

use super::sight::{Limits, Report, Sight};
use super::watch::Watch;
use crate::config::WorkerConfig;

/// A server that this worker needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The source's log.
    Log,
    /// A target, by its id.
    Target(String),
}

/// How a place is asked.
#[derive(Clone)]
enum Way {
    Log(Arc<dyn LogSource>),
    Target(Box<Endpoint>),
}

/// One place, shared by all who need it.
pub(super) struct Known {
    place: Place,
    way: Mutex<Option<Way>>,
    sight: Mutex<Sight>,
}

/// The places of one worker. Clones share them.
#[derive(Clone)]
pub struct Reach {
    shared: Arc<Shared>,
}

struct Shared {
    limits: Limits,
    places: Mutex<BTreeMap<Place, Arc<Known>>>,
    /// The next look may be due sooner than was thought.
    sooner: Notify,
    /// The coordinators should hear at once.
    news: Notify,
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach").finish_non_exhaustive()
    }
}

impl Reach {
    /// Knows no place yet, and asks none before [`Reach::keep_looking`] runs.
    pub fn new(config: &WorkerConfig) -> Self {
        let limits = Limits {
            silence: Duration::from_millis(config.reach_silence_ms),
            probe_timeout: Duration::from_millis(config.reach_probe_timeout_ms),
            probe_interval: Duration::from_millis(config.reach_probe_interval_ms.max(1)),
            forget: Duration::from_millis(config.reach_forget_ms),
        };
        let shared = Shared { limits, places: Mutex::default(), sooner: Notify::new(), news: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    /// The source's log, which is this one.
    pub(crate) fn log(&self, log: Arc<dyn LogSource>) -> Watch {
        Watch::new(self.clone(), self.known(Place::Log, Some(Way::Log(log))))
    }

    /// A target.
    pub(crate) fn target(&self, connection: &TargetConnection) -> Watch {
        let way = Way::Target(Box::new(Endpoint::from_wire(connection)));
        Watch::new(self.clone(), self.known(Place::Target(connection.target_id.clone()), Some(way)))
    }

    /// The place, which is asked in this way from now on.
    fn known(&self, place: Place, way: Option<Way>) -> Arc<Known> {
        let mut places = lock(&self.shared.places);
        let known = places.entry(place).or_insert_with_key(|place| {
            let sight = Mutex::new(Sight::new(Instant::now()));
            Arc::new(Known { place: place.clone(), way: Mutex::default(), sight })
        });
        if way.is_some() {
            *lock(&known.way) = way;
        }
        known.clone()
    }

    /// The coordinators want to know of these.
    pub(crate) fn look(&self, looks: &[Look]) {
        for look in looks {
            let known = match &look.target {
                None => self.known(Place::Log, None),
                Some(target) => {
                    let way = Way::Target(Box::new(Endpoint::from_wire(target)));
                    self.known(Place::Target(target.target_id.clone()), Some(way))
                }
            };
            lock(&known.sight).ask(Instant::now());
        }
        if !looks.is_empty() {
            self.shared.sooner.notify_one();
        }
    }

    /// What the coordinators are told, as of now.
    pub(crate) fn sights(&self) -> Vec<v1::Sight> {
        let now = Instant::now();
        let places = lock(&self.shared.places);
        let told = places.values().filter_map(|known| {
            let report = lock(&known.sight).report(now)?;
            Some(to_wire(&known.place, report))
        });
        told.collect()
    }

    /// Returns when the coordinators should hear at once. For one listener.
    pub(crate) async fn news(&self) {
        self.shared.news.notified().await;
    }

    /// Asks whatever is due, for ever.
    pub(crate) async fn keep_looking(self) {
        let mut looks = FuturesUnordered::new();
        loop {
            let (due, wake) = self.take_due();
            for (known, way, within) in due {
                looks.push(async move { (known, ask(way, within).await) }.boxed());
            }
            tokio::select! {
                Some((known, answer)) = looks.next() => self.looked(&known, answer),
                () = self.shared.sooner.notified() => {}
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    /// What is to be asked now, and when to come again: whoever begins to wait meanwhile is not overdue before that.
    fn take_due(&self) -> (Vec<(Arc<Known>, Way, Duration)>, Instant) {
        let now = Instant::now();
        let limits = &self.shared.limits;
        let mut places = lock(&self.shared.places);
        // Whoever holds a watch on it may need it at any time.
        places
            .retain(|_, known| Arc::strong_count(known) > 1 || !lock(&known.sight).is_forgotten(now, limits));
        let (mut due, mut wake) = (Vec::new(), now + limits.silence);
        for known in places.values() {
            let mut sight = lock(&known.sight);
            let (Some(at), Some(way)) = (sight.due(now, limits), lock(&known.way).clone()) else { continue };
            if at <= now {
                due.push((known.clone(), way, sight.look(now, limits)));
            } else {
                wake = wake.min(at);
            }
        }
        (due, wake)
    }

    fn looked(&self, known: &Known, answer: Answer) {
        let mut sight = lock(&known.sight);
        let was_lost = sight.is_lost();
        if sight.looked(Instant::now(), answer) {
            self.shared.news.notify_one();
        }
        known.log_change(was_lost, sight.is_lost());
    }

    pub(super) fn heard(&self, known: &Known) {
        if lock(&known.sight).heard(Instant::now()) {
            known.log_change(true, false);
            self.shared.news.notify_one();
        }
    }

    pub(super) fn suspect(&self, known: &Known) {
        lock(&known.sight).suspect();
        self.shared.sooner.notify_one();
    }
}

impl Known {
    pub(super) fn begin_wait(&self) -> u64 {
        lock(&self.sight).wait(Instant::now())
    }

    pub(super) fn end_wait(&self, wait: u64) {
        lock(&self.sight).end(wait);
    }

    pub(super) fn is_lost(&self) -> bool {
        lock(&self.sight).is_lost()
    }

    fn log_change(&self, was_lost: bool, is_lost: bool) {
        let place = &self.place;
        match (was_lost, is_lost) {
            (false, true) => {
                tracing::warn!(?place, "no answer, not even on a new connection: not reached from here")
            }
            (true, false) => tracing::info!(?place, "reached again"),
            _ => {}
        }
    }
}

async fn ask(way: Way, within: Duration) -> Answer {
    match way {
        Way::Log(log) => log.reach(within).await,
        Way::Target(endpoint) => MilvusClient::reach(&endpoint, within).await,
    }
}

fn to_wire(place: &Place, report: Report) -> v1::Sight {
    let target_id = match place {
        Place::Log => String::new(),
        Place::Target(target_id) => target_id.clone(),
    };
    report.to_wire(target_id)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
