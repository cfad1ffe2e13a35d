//! One term of leadership: its parts are made when it begins and end with it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::catalog_duty::CatalogDuty;
use super::connections::ConnectionCache;
use super::desired_cache::DesiredCache;
use super::leadership::LeaderParts;
use super::leadership_check::LeadershipCheck;
use super::leading::Leading;
use super::reach::ReachTable;
use super::release::Releases;
use super::shared::Shared;
use super::traffic::TrafficTable;
use super::workers::WorkerTable;
use super::{assign, commit};

/// How long the parts may take to end before they are cut off.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A leader at work.
pub(crate) struct Leader {
    pub(crate) leading: Arc<Leading>,
    cancel: CancellationToken,
    work: JoinSet<()>,
    catalog: Option<CatalogDuty>,
}

impl Leader {
    /// Begins to lead. The group has confirmed the term; leases of the former leader are counted from now.
    pub(crate) async fn start(parts: &LeaderParts, term: u64) -> Self {
        let connections = ConnectionCache::new(parts.sealer.clone(), parts.timeouts);
        // A worker that asks before they are known would be told to stop everything.
        connections.refresh(&parts.registry).await;
        let lease_max = parts.times.lease_max();
        let shared = Arc::new(Shared::new(
            WorkerTable::new(lease_max, Instant::now()).with_probation(parts.times.rebalance_probation),
            Releases::new(lease_max),
            ReachTable::new(parts.times.reach_grace, parts.times.reach_fresh),
            TrafficTable::new(parts.series_max),
        ));
        let (check, questions) = LeadershipCheck::new();
        let leading = Arc::new(Leading {
            term,
            times: parts.times,
            source_log: parts.source_log.clone(),
            registry: parts.registry.clone(),
            view: parts.view.clone(),
            shared: Arc::clone(&shared),
            check,
            connections,
            desired: DesiredCache::new(parts.registry.clone()),
            plan_now: Notify::new(),
            commit_now: Notify::new(),
            committed: watch::Sender::new(0),
        });
        let mut leader =
            Self { leading, cancel: CancellationToken::new(), work: JoinSet::new(), catalog: None };
        let registry = parts.registry.clone();
        leader.spawn(questions.answer(move || {
            let registry = registry.clone();
            async move { registry.linearizable_in(term).await.is_ok() }
        }));
        leader.spawn(assign::run(Arc::clone(&leader.leading), leader.cancel.clone()));
        leader.spawn(commit::run(Arc::clone(&leader.leading), leader.cancel.clone()));
        parts.view.install(Some(shared));
        let check = &leader.leading.check;
        leader.catalog =
            parts.catalog.as_ref().map(|catalog| CatalogDuty::begin(parts, catalog, check.clone()));
        tracing::info!(term, "this coordinator leads");
        leader
    }

    /// Ends all its work; nothing of it goes on in the background.
    pub(crate) async fn stop(mut self) {
        self.cancel.cancel();
        if let Some(catalog) = self.catalog.take() {
            catalog.end().await;
        }
        self.leading.view.install(None);
        let term = self.leading.term;
        drop(self.leading);
        let ended = async { while self.work.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, ended).await.is_err() {
            self.work.shutdown().await;
        }
        tracing::info!(term, "this coordinator leads no longer");
    }

    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.work.spawn(work);
    }
}
