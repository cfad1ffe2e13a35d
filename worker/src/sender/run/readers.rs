//! Keeps the readers that the core wants, and hands it what they read.

use std::time::Duration;

use harrier_milvus::log::LogError;
use tokio::time::Instant;

use super::super::problems::{Place, until_next_try};
use super::super::reader::{ReaderEvent, ReaderTask};
use super::super::time::unix_ms;
use super::{Runner, Running};

impl Runner {
    pub(super) fn keep_readers(&mut self, running: &mut Running) {
        let plans = running.core.readers();
        let now = Instant::now();
        running.resting.retain(|_, until| *until > now);
        running.readers.retain(|feed, task| {
            plans.iter().any(|plan| plan.feed == *feed && plan.generation == task.generation)
        });
        self.problems.retain_channels(|channel| plans.iter().any(|plan| plan.channel == channel));
        for plan in plans {
            let feed = plan.feed;
            if running.resting.contains_key(&feed) {
                continue;
            }
            let task = running.readers.entry(feed).or_insert_with(|| {
                let context = &self.context;
                let events = running.events.0.clone();
                ReaderTask::spawn(context.log.clone(), plan, &context.config, &context.byte_pool, events)
            });
            task.set_appetite(running.core.appetite(feed));
        }
    }

    pub(super) fn on_reader(&mut self, running: &mut Running, event: ReaderEvent) {
        match event {
            ReaderEvent::Reads { channel } => {
                self.problems.clear(&Place::Channel(channel));
            }
            ReaderEvent::Failed { feed, generation, channel, error, wait } => {
                let current = running.readers.get(&feed).is_some_and(|task| task.generation == generation);
                let lost = current && matches!(error, LogError::PositionLost { .. });
                if !(lost && running.core.on_position_lost(feed, &error)) {
                    let message = until_next_try(&error, wait);
                    self.problems.set(Place::Channel(channel), error.class(), message, unix_ms());
                }
            }
            ReaderEvent::Batch { feed, generation, messages, charge, taken } => {
                if let Err(error) = running.core.on_messages(feed, generation, messages, &charge) {
                    tracing::error!(%error, "the source log holds what cannot be replicated");
                    if let Some(task) = running.readers.remove(&feed) {
                        let place = Place::Channel(task.channel.clone());
                        self.problems.set(place, error.class(), error.to_string(), unix_ms());
                    }
                    let rest = Duration::from_millis(self.context.config.backoff_ms_max);
                    running.resting.insert(feed, Instant::now() + rest);
                } else if let Some(task) = running.readers.get(&feed) {
                    // Before the reader goes on, so that it does not act on an old appetite.
                    task.set_appetite(running.core.appetite(feed));
                }
                let _ = taken.send(());
            }
        }
    }
}
