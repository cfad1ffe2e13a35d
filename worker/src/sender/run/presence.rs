//! Asks the target now and then whether it still has the collections, and acts on the answer between two calls.

use futures::FutureExt;
use harrier_milvus::client::ClientError;
use harrier_milvus::error::ErrorClass;

use super::super::core::Refusal;
use super::super::presence::{self, Presence};
use super::super::refusal::gone_message;
use super::super::time::unix_ms;
use super::{Runner, Running};

/// What is being asked, and what is to be done.
#[derive(Default)]
pub(super) struct Asking {
    pub answer: Option<futures::future::BoxFuture<'static, Result<Presence, ClientError>>>,
    asked_ms: u64,
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
        let subjects = running.core.subjects();
        if let Ok(client) = self.client.clone()
            && !subjects.is_empty()
        {
            asking.answer = Some(presence::ask(client, subjects).boxed());
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
        let now_ms = self.clock.now_ms();
        for collection in presence.gone {
            let refusal = Refusal {
                class: ErrorClass::Operator,
                message: gone_message(collection),
                gone: true,
                // It may have taken what was sent since it went.
                partly_executed: false,
                unix_ms: unix_ms(),
                random: 0,
            };
            if running.core.on_gone(collection, &refusal, now_ms) {
                let sender = &self.assignment.sender_id;
                tracing::warn!(sender, collection, reason = refusal.message, "a collection is held");
            }
        }
        for collection in presence.there {
            running.core.on_there(collection, now_ms);
        }
    }
}
