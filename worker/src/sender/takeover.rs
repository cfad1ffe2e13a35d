//! What has to be known, and waited for, before a sender starts.
//!
//! If the former owner did not say goodbye, calls of it may still be executed. So the target first answers on a
//! connection of our own, then some time passes; and everything up to a bound is taken as sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use harrier_milvus::client::{ClientError, MilvusClient};
use harrier_milvus::error::ErrorClass;
use harrier_milvus::log::LogSource;
use harrier_milvus::tso::{self, Timestamp};
use harrier_proto::harrier::v1::SenderAssignment;
use tokio::sync::mpsc;

use super::backoff::Backoff;
use super::call::{lease, sign};
use super::core::{Core, LogEnds, TAKEOVER_REACH};
use super::log_end::log_ends;
use super::problems::{Place, until_next_try};
use crate::config::WorkerConfig;
use crate::reach::Watch;
use crate::session::Fence;

/// A call that lies so far ahead of the target's clock, or further, is refused there.
const AHEAD_MS_MAX: u64 = 2_000;

/// What goes wrong on the way; cleared by `None`.
pub(crate) type Trouble = (Place, Option<(ErrorClass, String)>);

/// What it takes to start.
pub(crate) struct Takeover {
    pub log: Arc<dyn LogSource>,
    pub config: WorkerConfig,
    pub fence: Fence,
    pub client: Result<MilvusClient, ClientError>,
    pub target: Watch,
    pub troubles: mpsc::UnboundedSender<Trouble>,
}

/// What was found out.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub uncertain_bound: Option<Timestamp>,
    pub log_ends: LogEnds,
}

/// Everything that the former owner can have sent lies at or below this. `log_ends` are those of all inputs, read after
/// its lease had ended.
pub(crate) fn uncertain_bound(assignment: &SenderAssignment, log_ends: &LogEnds) -> Timestamp {
    // First ticks, and the ends of what was dropped, go out with ticks of their own, which need not be on any log of
    // these.
    let told = assignment.drops.iter().map(|drop| drop.created_ts).chain([assignment.due_tick]);
    // Other inputs, or none: no log of these tells how far the former owner got with those that it had.
    if assignment.settled_version < assignment.input_version {
        return assignment.horizon;
    }
    let Some(end) = log_ends.values().copied().max() else { return assignment.horizon };
    let reach = assignment.takeover_clock.saturating_add(TAKEOVER_REACH);
    assignment.horizon.min(told.fold(end.max(reach), Timestamp::max))
}

/// As [`uncertain_bound`], for a registry that is older than what was sent: nothing of it bounds anything. But the
/// target refused what was too far ahead of its clock, and that has gone on since.
pub(crate) fn bound_after_restore(
    assignment: &SenderAssignment,
    log_ends: &LogEnds,
    target_clock: Timestamp,
) -> Timestamp {
    let told = assignment.drops.iter().map(|drop| drop.created_ts).chain([assignment.due_tick]);
    let reach = assignment.takeover_clock.saturating_add(TAKEOVER_REACH);
    let known = [reach, assignment.clock, tso::add_ms(target_clock, AHEAD_MS_MAX)];
    log_ends.values().copied().chain(told).chain(known).max().unwrap_or(0)
}

impl Takeover {
    /// Asks the log until it has told what this start needs. What calls of somebody else still do is waited for by
    /// [`Takeover::settle`], meanwhile.
    pub(crate) async fn findings(self, assignment: SenderAssignment) -> Findings {
        if !assignment.unclean {
            return Findings { uncertain_bound: None, log_ends: self.needed_log_ends(&assignment).await };
        }
        let channels = assignment.shards.iter().map(|shard| shard.source_pchannel.clone()).collect();
        let log_ends = self.log_ends(channels).await;
        let bound = if assignment.restored {
            bound_after_restore(&assignment, &log_ends, self.target_clock().await)
        } else {
            uncertain_bound(&assignment, &log_ends)
        };
        Findings { uncertain_bound: Some(bound), log_ends }
    }

    /// The target's clock, asked when no former owner holds a lease any more.
    async fn target_clock(&self) -> Timestamp {
        let mut backoff = Backoff::new(&self.config);
        loop {
            lease(&self.fence).await;
            let answer = match &self.client {
                Ok(client) => self.target.wait(client.server_time(), sign).await,
                Err(error) => Err(error.clone()),
            };
            match answer {
                Ok(clock) => {
                    self.tell(Place::Target, None);
                    return clock;
                }
                Err(error) => {
                    let wait = backoff.next();
                    tracing::warn!(%error, "the target does not tell its clock yet, trying again");
                    self.tell(Place::Target, Some((error.class(), until_next_try(&error, wait))));
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// The ends of the channels of shards that cannot do without.
    pub(crate) async fn needed_log_ends(&self, assignment: &SenderAssignment) -> LogEnds {
        let needed = assignment.shards.iter().filter(|shard| Core::needs_log_end(shard));
        let channels: BTreeSet<String> = needed.map(|shard| shard.source_pchannel.clone()).collect();
        self.log_ends(channels).await
    }

    async fn log_ends(&self, channels: BTreeSet<String>) -> LogEnds {
        let mut backoff = Backoff::new(&self.config);
        let place = Place::Channel(channels.first().cloned().unwrap_or_default());
        loop {
            match log_ends(self.log.as_ref(), &channels).await {
                Ok(ends) => {
                    self.tell(place, None);
                    return ends;
                }
                Err(error) => {
                    let wait = backoff.next();
                    tracing::warn!(%error, "the end of the source log is not known yet, trying again");
                    self.tell(place.clone(), Some((error.class(), until_next_try(&error, wait))));
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// An answer of the target on our own connection, then the time in which a call of somebody else, or an earlier
    /// one of our own, may still be executed.
    pub(crate) async fn settle(&self) {
        let mut backoff = Backoff::new(&self.config);
        loop {
            lease(&self.fence).await;
            let answer = match &self.client {
                Ok(client) => self.target.wait(client.probe_standby(), sign).await,
                Err(error) => Err(error.clone()),
            };
            match answer {
                Ok(()) => break,
                Err(error) => {
                    let wait = backoff.next();
                    tracing::warn!(%error, "the target does not take messages yet, trying again");
                    self.tell(Place::Target, Some((error.class(), until_next_try(&error, wait))));
                    tokio::time::sleep(wait).await;
                }
            }
        }
        self.tell(Place::Target, None);
        tokio::time::sleep(Duration::from_millis(self.config.target_settle_ms)).await;
    }

    fn tell(&self, place: Place, trouble: Option<(ErrorClass, String)>) {
        // Whoever does not listen any more does not need to know.
        let _ = self.troubles.send((place, trouble));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_end_of_the_logs_within_the_horizon() {
        let second = TAKEOVER_REACH;
        let assignment =
            SenderAssignment { horizon: 50 * second, takeover_clock: 30 * second, ..Default::default() };
        let bound = |end| uncertain_bound(&assignment, &LogEnds::from([("channel".to_owned(), end)]));
        assert_eq!(bound(20 * second), 31 * second);
        assert_eq!(bound(40 * second), 40 * second);
        assert_eq!(bound(60 * second), 50 * second);
    }

    #[test]
    fn after_a_restore_the_horizon_bounds_nothing() {
        let second = TAKEOVER_REACH;
        let assignment = SenderAssignment {
            horizon: 5 * second,
            takeover_clock: 3 * second,
            clock: 4 * second,
            ..Default::default()
        };
        let bound = |end, clock| {
            bound_after_restore(&assignment, &LogEnds::from([("channel".to_owned(), end)]), clock)
        };
        assert_eq!(bound(20 * second, 70 * second), 72 * second);
        assert_eq!(bound(90 * second, 70 * second), 90 * second);
        assert_eq!(bound(0, 0), 4 * second);
        assert_eq!(bound_after_restore(&assignment, &LogEnds::new(), 70 * second), 72 * second);
    }

    /// A collection was dropped before the successor began: the logs of the others lagged behind what had been sent by
    /// its log, and the clock began below that.
    #[test]
    fn a_sender_whose_inputs_changed_since_it_last_settled_begins_at_the_horizon() {
        let horizon = 50 * TAKEOVER_REACH;
        let at = |settled_version| {
            let assignment = SenderAssignment {
                horizon,
                input_version: 7,
                settled_version,
                ..SenderAssignment::default()
            };
            uncertain_bound(&assignment, &LogEnds::from([("lags".to_owned(), 20 * TAKEOVER_REACH)]))
        };
        assert_eq!(at(6), horizon);
        assert_eq!(at(7), 20 * TAKEOVER_REACH);
    }

    /// Its last collection was dropped while its former owner died: the clock began below what was on the wire.
    #[test]
    fn a_sender_that_lost_its_inputs_begins_at_the_horizon() {
        let assignment = SenderAssignment { clock: 10, horizon: 5 * TAKEOVER_REACH, ..Default::default() };
        assert_eq!(uncertain_bound(&assignment, &LogEnds::new()), 5 * TAKEOVER_REACH);
    }
}
