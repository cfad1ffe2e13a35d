//! Reads one channel for the core. It opens again after every error, behind the last message that it handed over,
//! and takes part in the worker's byte pool.

use std::sync::Arc;
use std::time::Duration;

use harrier_milvus::log::{LogError, LogMessage, LogReader, LogSource, Start};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::backoff::Backoff;
use super::core::{Appetite, Charge, FeedId, ReaderPlan};
use crate::byte_pool::{BytePool, PoolReader};
use crate::config::WorkerConfig;

/// What a reader has to say.
#[derive(Debug)]
pub(crate) enum ReaderEvent {
    /// It reads (again).
    Reads { channel: String },
    /// The next messages. The reader waits for `taken` before it hands over more.
    Batch {
        feed: FeedId,
        generation: u64,
        messages: Vec<LogMessage>,
        charge: Charge,
        taken: oneshot::Sender<()>,
    },
    /// It could not read; it tries again after `wait`.
    Failed { feed: FeedId, generation: u64, channel: String, error: LogError, wait: Duration },
}

/// A running reader; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct ReaderTask {
    pub generation: u64,
    pub channel: String,
    appetite: watch::Sender<Appetite>,
    task: AbortHandle,
}

impl ReaderTask {
    pub(crate) fn spawn(
        log: Arc<dyn LogSource>,
        plan: ReaderPlan,
        config: &WorkerConfig,
        pool: &BytePool,
        events: mpsc::Sender<ReaderEvent>,
    ) -> Self {
        let (appetite, wanted) = watch::channel(Appetite::None);
        let (generation, channel) = (plan.generation, plan.channel.clone());
        let reader = Reader {
            log,
            plan,
            batch_bytes_max: config.read_batch_bytes_max,
            backoff: Backoff::new(config),
            pool: pool.reader(),
            wanted,
            events,
        };
        let task = tokio::spawn(reader.run()).abort_handle();
        Self { generation, channel, appetite, task }
    }

    /// Says whether the next batch is wanted.
    pub(crate) fn set_appetite(&self, appetite: Appetite) {
        self.appetite.send_if_modified(|current| std::mem::replace(current, appetite) != appetite);
    }
}

impl Drop for ReaderTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The session is gone: nothing left to do.
struct Closed;

struct Reader {
    log: Arc<dyn LogSource>,
    plan: ReaderPlan,
    batch_bytes_max: usize,
    backoff: Backoff,
    pool: PoolReader,
    wanted: watch::Receiver<Appetite>,
    events: mpsc::Sender<ReaderEvent>,
}

impl Reader {
    async fn run(mut self) {
        loop {
            let channel = self.plan.channel.clone();
            let start = match self.plan.after.is_empty() {
                true => Start::Oldest,
                false => Start::After(self.plan.after.clone()),
            };
            let error = match self.log.open(&channel, start).await {
                Ok(reader) => {
                    let reads = ReaderEvent::Reads { channel: channel.clone() };
                    if self.events.send(reads).await.is_err() {
                        return;
                    }
                    match self.read(reader).await {
                        Ok(error) => error,
                        Err(Closed) => return,
                    }
                }
                Err(error) => error,
            };
            tracing::warn!(channel, %error, "reading the source log failed, trying again");
            let (feed, generation) = (self.plan.feed, self.plan.generation);
            let wait = self.backoff.next();
            let failed = ReaderEvent::Failed { feed, generation, channel, error, wait };
            if self.events.send(failed).await.is_err() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Reads until it fails.
    async fn read(&mut self, mut reader: Box<dyn LogReader>) -> Result<LogError, Closed> {
        let mut handed_over: Option<oneshot::Receiver<()>> = None;
        loop {
            // Reads ahead by one batch while the last one is processed.
            let messages = match reader.next(self.batch_bytes_max).await {
                Ok(messages) => messages,
                Err(error) => return Ok(error),
            };
            self.backoff.reset();
            if let Some(taken) = handed_over.take() {
                taken.await.map_err(|_| Closed)?;
            }
            let Some(last) = messages.last().map(|message| message.position.clone()) else { continue };
            let bytes = messages.iter().map(|message| message.payload.len()).sum();
            let charge = self.permission(bytes).await?;
            let (taken, done) = oneshot::channel();
            let (feed, generation) = (self.plan.feed, self.plan.generation);
            let batch = ReaderEvent::Batch { feed, generation, messages, charge, taken };
            self.events.send(batch).await.map_err(|_| Closed)?;
            self.plan.after = last;
            handed_over = Some(done);
        }
    }

    /// Waits until the core wants more and the pool has room; the core may need it in any case.
    async fn permission(&mut self, bytes: usize) -> Result<Charge, Closed> {
        loop {
            let appetite = *self.wanted.borrow_and_update();
            match appetite {
                Appetite::None => self.wanted.changed().await.map_err(|_| Closed)?,
                Appetite::Must => return Ok(self.pool.try_acquire(bytes).map(Arc::new)),
                Appetite::IfRoom => tokio::select! {
                    permit = self.pool.acquire(bytes) => return Ok(Some(Arc::new(permit))),
                    changed = self.wanted.changed() => changed.map_err(|_| Closed)?,
                },
            }
        }
    }
}
