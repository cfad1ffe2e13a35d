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
use harrier_milvus::tso::Timestamp;
use harrier_proto::harrier::v1::SenderAssignment;
use tokio::sync::mpsc;

use super::backoff::Backoff;
use super::call::lease;
use super::core::{Core, LogEnds, TAKEOVER_REACH};
use super::log_end::log_ends;
use super::problems::Place;
use crate::config::WorkerConfig;
use crate::session::Fence;

/// What goes wrong on the way; cleared by `None`.
pub(crate) type Trouble = (Place, Option<(ErrorClass, String)>);

/// What it takes to start.
pub(crate) struct Takeover {
    pub log: Arc<dyn LogSource>,
    pub config: WorkerConfig,
    pub fence: Fence,
    pub client: Result<MilvusClient, ClientError>,
    pub troubles: mpsc::UnboundedSender<Trouble>,
}

/// What was found out.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub uncertain_bound: Option<Timestamp>,
    pub log_ends: LogEnds,
}

impl Takeover {
    /// Tries until everything is known.
    pub(crate) async fn run(self, assignment: SenderAssignment) -> Findings {
        if !assignment.unclean {
            return Findings { uncertain_bound: None, log_ends: self.needed_log_ends(&assignment).await };
        }
        let channels = assignment.shards.iter().map(|shard| shard.source_pchannel.clone()).collect();
        let (log_ends, ()) = tokio::join!(self.log_ends(channels), self.settle());
        // The ends of what was dropped go out with ticks of their own, which need not be on any log of these.
        let told = assignment.drops.iter().map(|drop| drop.created_ts);
        let end = log_ends.values().copied().chain(told).max().unwrap_or(0);
        let reach = assignment.takeover_clock.saturating_add(TAKEOVER_REACH);
        Findings { uncertain_bound: Some(assignment.horizon.min(end.max(reach))), log_ends }
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
                    tracing::warn!(%error, "the end of the source log is not known yet, trying again");
                    self.tell(place.clone(), Some((error.class(), error.to_string())));
                }
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// An answer of the target on our own connection, then the time in which a call of somebody else, or an earlier
    /// one of our own, may still be executed.
    pub(crate) async fn settle(&self) {
        let mut backoff = Backoff::new(&self.config);
        loop {
            lease(&self.fence).await;
            let answer = match &self.client {
                Ok(client) => client.probe_standby().await,
                Err(error) => Err(error.clone()),
            };
            match answer {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(%error, "the target does not take messages yet, trying again");
                    self.tell(Place::Target, Some((error.class(), error.to_string())));
                }
            }
            tokio::time::sleep(backoff.next()).await;
        }
        self.tell(Place::Target, None);
        tokio::time::sleep(Duration::from_millis(self.config.target_settle_ms)).await;
    }

    fn tell(&self, place: Place, trouble: Option<(ErrorClass, String)>) {
        // Whoever does not listen any more does not need to know.
        let _ = self.troubles.send((place, trouble));
    }
}
