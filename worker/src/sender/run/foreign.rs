//! What a sender does about messages that somebody else wrote to its target pchannel.
//!
//! A late call does not only double rows. Its Inserts have timestamps below those that the target's channel has passed
//! long ago, and a growing segment that begins with such a row is taken out of view as soon as the target looks at
//! what is flushed (measured): every later row in it is gone from queries too, until the segment is sealed, ten
//! minutes later or more. So what may have been doubled is sent again, and then the collections are flushed.

use std::collections::BTreeSet;

use futures::FutureExt;
use harrier_milvus::client::{ClientError, MilvusClient, ReplicatePosition};
use harrier_milvus::tso::Timestamp;

use super::super::metrics;
use super::super::time::unix_ms;
use super::{Runner, Running};

impl Runner {
    pub(super) fn watch_position(&self, running: &mut Running, position: ReplicatePosition) {
        running.target_position = position.id.clone();
        running.foreign.acknowledged(position, self.clock.now_ms());
    }

    /// Answers what others wrote to the channel.
    pub(super) fn keep_foreign(&self, running: &mut Running) {
        let now_ms = self.clock.now_ms();
        let verdict = running.foreign.verdict(now_ms);
        if verdict.send_again {
            running.core.on_foreign_write();
        }
        running.flush_due.note(&verdict, now_ms);
        let messages = verdict.unexplained;
        if messages > 0 {
            let (sender, channel) = (&self.assignment.sender_id, &self.assignment.target_pchannel);
            tracing::warn!(
                sender,
                channel,
                messages,
                "somebody else wrote to the target channel, or a call that was given up came late"
            );
            metrics::foreign_messages(messages);
            running.foreign_messages = running.foreign_messages.saturating_add(messages);
            running.foreign_seen_ms = unix_ms();
        }
    }

    /// Flushes once everything was sent again.
    pub(super) fn keep_flushing(&self, running: &mut Running) {
        let Ok(client) = self.client.clone() else { return };
        let replays = || running.core.is_replaying();
        if running.flushing.is_none() && running.flush_due.take(self.clock.now_ms(), replays) {
            let at = running.core.acked_tick();
            running.flushing = Some(flush(client, self.target_collections(), at).boxed());
        }
    }

    pub(super) fn on_flushed(&self, running: &mut Running, outcome: Result<usize, ClientError>) {
        let sender = &self.assignment.sender_id;
        match outcome {
            Ok(collections) => {
                tracing::info!(sender, collections, "flushed, because rows may have been written late")
            }
            Err(error) => {
                tracing::warn!(sender, %error, "the target does not flush what may begin with late rows, asking again");
                running.flush_due.failed(self.clock.now_ms(), self.context.config.backoff_ms_max);
            }
        }
    }

    fn target_collections(&self) -> BTreeSet<(String, String)> {
        let shards = self.assignment.shards.iter();
        shards.map(|shard| (shard.target_db_name.clone(), shard.target_collection_name.clone())).collect()
    }
}

/// How many of the collections are still there, and were flushed.
async fn flush(
    client: MilvusClient,
    collections: BTreeSet<(String, String)>,
    at: Timestamp,
) -> Result<usize, ClientError> {
    let mut flushed = 0;
    for (db, collection) in collections {
        match client.flush(&db, &collection, at).await {
            Ok(()) => flushed += 1,
            Err(ClientError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(flushed)
}
