//! Asks the target now and then whether it still has the collections, and acts on the answer between two calls.

use futures::FutureExt;
use harrier_milvus::client::ClientError;
use harrier_milvus::error::ErrorClass;

use super::super::core::Refusal;
use super::super::presence::{self, Presence};
use super::super::refusal::{gone_message, gone_partitions_message};
use super::super::time::unix_ms;
use super::{Runner, Running};

/// So many collections of one sender are asked for their partitions at once, each by a call of its own. Those that are
/// known to lack something come on top.
const PARTITIONS_OF_MAX: usize = 16;

/// What is being asked, and what is to be done.
#[derive(Default)]
pub(super) struct Asking {
    pub answer: Option<futures::future::BoxFuture<'static, Result<Presence, ClientError>>>,
    asked_ms: u64,
    /// The last collection that was asked for its partitions.
    turn: i64,
    /// Heard while a call was on its way.
    heard: Option<Presence>,
}

impl Runner {
    /// Only with a lease: without one the connection lets nothing out.
    pub(super) fn keep_presence(&mut self, running: &mut Running) {
        self.act_on_presence(running);
        let now_ms = self.clock.now_ms();
        let asking = &mut running.presence;
        let due_ms = asking.asked_ms.saturating_add(self.context.config.target_check_interval_ms);
        if asking.answer.is_some() || now_ms < due_ms {
            return;
        }
        asking.asked_ms = now_ms;
        let (inquiries, turn) = running.core.inquiries(asking.turn, PARTITIONS_OF_MAX);
        asking.turn = turn;
        if let Ok(client) = self.client.clone()
            && !inquiries.is_empty()
        {
            asking.answer = Some(presence::ask(client, inquiries).boxed());
        }
    }

    pub(super) fn on_presence(&mut self, running: &mut Running, answer: Result<Presence, ClientError>) {
        match answer {
            Ok(presence) => running.presence.heard = Some(presence),
            // Calls find out what is wrong with the target.
            Err(error) => tracing::debug!(%error, "the target does not tell what collections it has"),
        }
    }

    fn act_on_presence(&mut self, running: &mut Running) {
        if running.call.is_some() || running.stop.is_some() {
            return;
        }
        let Some(presence) = running.presence.heard.take() else { return };
        for collection in presence.gone {
            self.hold_lost(running, collection, gone_message(collection));
        }
        for (collection, partitions) in presence.gone_partitions {
            // The source may have dropped some since it was asked.
            let names = running.core.partition_names(collection, &partitions);
            if !names.is_empty() {
                self.hold_lost(running, collection, gone_partitions_message(&names));
            }
        }
        let now_ms = self.clock.now_ms();
        for collection in presence.there {
            running.core.on_there(collection, now_ms);
        }
    }

    fn hold_lost(&self, running: &mut Running, collection: i64, message: String) {
        let refusal = Refusal {
            class: ErrorClass::Operator,
            message,
            gone: true,
            // It may have taken what was sent since it went.
            partly_executed: false,
            unix_ms: unix_ms(),
            random: 0,
        };
        if running.core.on_gone(collection, &refusal, self.clock.now_ms()) {
            let sender = &self.assignment.sender_id;
            tracing::warn!(sender, collection, reason = refusal.message, "a collection is held");
        }
    }
}
