//! What is known of one place. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use harrier_milvus::reach::Answer;
use harrier_proto::harrier::v1;

/// However often the coordinators ask, what was heard within this time is answer enough.
const ASKED_APART: Duration = Duration::from_millis(200);
/// On a slow line a look may take so many times as long as the last one that was answered, ...
const SLOWER: u32 = 2;
/// ... at most so many times as long as configured, ...
const SLOWER_MAX: u32 = 5;
/// ... if that was not longer ago.
const SLOW_FOR: Duration = Duration::from_secs(60);
/// What was heard longer ago tells nothing of the present.
const TOLD_FOR: Duration = Duration::from_secs(3);

/// The times of looking, as configured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Whoever waits longer for an answer makes the worker look.
    pub silence: Duration,
    /// How long the answer to that is waited for.
    pub probe_timeout: Duration,
    /// From one look to the next.
    pub probe_interval: Duration,
    /// A place that nobody uses or asks for is forgotten after this time.
    pub forget: Duration,
}

/// What the coordinators are told of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// Something came from it, so long ago.
    Heard { ago: Duration },
    /// It answers no new connection either.
    Lost {
        /// Since the first of the questions began that were not answered.
        asked: Duration,
        /// Since something was expected of it that did not come.
        silent: Duration,
    },
}

impl Report {
    /// As a heartbeat says it; `target_id` is empty for the source's log.
    pub(crate) fn to_wire(self, target_id: String) -> v1::Sight {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        match self {
            Self::Heard { ago } => v1::Sight { target_id, lost: false, ms_ago: millis(ago), silent_ms: 0 },
            Self::Lost { asked, silent } => {
                v1::Sight { target_id, lost: true, ms_ago: millis(asked), silent_ms: millis(silent) }
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Lost {
    asked: Instant,
    silent: Instant,
}

/// One place: a target, or the source's log.
#[derive(Debug)]
pub(crate) struct Sight {
    /// Since when answers are waited for.
    waits: BTreeMap<u64, Instant>,
    next_wait: u64,
    heard: Option<Instant>,
    lost: Option<Lost>,
    /// A call ended as if nobody were there.
    suspect: bool,
    looking: bool,
    /// When the last look began.
    looked: Option<Instant>,
    /// The coordinators want to know.
    asked: bool,
    /// They want to know what the present look finds.
    tell: bool,
    /// How long the last look took that was answered, and when that was.
    took: Option<(Duration, Instant)>,
    used: Instant,
}

impl Sight {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            waits: BTreeMap::new(),
            next_wait: 0,
            heard: None,
            lost: None,
            suspect: false,
            looking: false,
            looked: None,
            asked: false,
            tell: false,
            took: None,
            used: now,
        }
    }

    /// An answer is waited for from now on.
    pub(crate) fn wait(&mut self, now: Instant) -> u64 {
        self.used = now;
        self.next_wait += 1;
        self.waits.insert(self.next_wait, now);
        self.next_wait
    }

    /// It is waited for no longer, whatever became of it.
    pub(crate) fn end(&mut self, wait: u64) {
        self.waits.remove(&wait);
    }

    /// Something came. True if it was lost before.
    pub(crate) fn heard(&mut self, now: Instant) -> bool {
        self.heard = Some(now);
        self.suspect = false;
        self.lost.take().is_some()
    }

    /// A call ended without an answer before its time.
    pub(crate) fn suspect(&mut self) {
        self.suspect = true;
    }

    /// The coordinators want to know.
    pub(crate) fn ask(&mut self, now: Instant) {
        self.used = now;
        self.asked = true;
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// When to look next, if nothing happens until then; it may have passed.
    pub(crate) fn due(&self, now: Instant, limits: &Limits) -> Option<Instant> {
        if self.looking {
            return None;
        }
        let reason = if self.suspect || self.lost.is_some() {
            Some(now)
        } else {
            self.waits.values().min().map(|since| *since + limits.silence)
        };
        let after = |then: Option<Instant>, pause| then.map_or(now, |then| then + pause);
        let own = reason.map(|reason| reason.max(after(self.looked, limits.probe_interval)));
        let asked = after(self.looked, ASKED_APART).max(after(self.heard, ASKED_APART));
        own.into_iter().chain(self.asked.then_some(asked)).min()
    }

    /// A look begins. How long it may take: while the place is lost, until the next one begins, so that somebody waits
    /// at the moment at which it is there again.
    pub(crate) fn look(&mut self, now: Instant, limits: &Limits) -> Duration {
        self.looking = true;
        self.suspect = false;
        self.tell = std::mem::take(&mut self.asked);
        self.looked = Some(now);
        let until_next = if self.lost.is_some() { limits.probe_interval } else { Duration::ZERO };
        let lately = self.took.filter(|(_, at)| now.saturating_duration_since(*at) < SLOW_FOR);
        let slow = lately.map_or(Duration::ZERO, |(took, _)| took * SLOWER);
        slow.min(limits.probe_timeout * SLOWER_MAX).max(limits.probe_timeout).max(until_next)
    }

    /// How it ended. True if the coordinators should hear of it at once.
    pub(crate) fn looked(&mut self, now: Instant, answer: Answer) -> bool {
        self.looking = false;
        let began = self.looked.unwrap_or(now);
        match answer {
            Answer::Answered => {
                self.took = Some((now.saturating_duration_since(began), now));
                self.heard(now) || self.tell
            }
            // Gone for everybody.
            Answer::Refused => {
                self.heard = None;
                self.lost.take().is_some()
            }
            // What came meanwhile another way counts.
            Answer::Silent if self.lost.is_some() || self.heard.is_some_and(|heard| heard >= began) => false,
            Answer::Silent => {
                let expected = self.waits.values().copied().min().unwrap_or(began).min(began);
                let silent = self.heard.map_or(expected, |heard| heard.max(expected));
                self.lost = Some(Lost { asked: began, silent });
                true
            }
        }
    }

    pub(crate) fn report(&self, now: Instant) -> Option<Report> {
        let since = |instant: Instant| now.saturating_duration_since(instant);
        match (self.lost, self.heard) {
            (Some(lost), _) => Some(Report::Lost { asked: since(lost.asked), silent: since(lost.silent) }),
            (None, Some(heard)) if since(heard) < TOLD_FOR => Some(Report::Heard { ago: since(heard) }),
            (None, _) => None,
        }
    }

    /// Nobody has used it, or asked for it, for long.
    pub(crate) fn is_forgotten(&self, now: Instant, limits: &Limits) -> bool {
        self.waits.is_empty() && !self.looking && now.saturating_duration_since(self.used) > limits.forget
    }
}
