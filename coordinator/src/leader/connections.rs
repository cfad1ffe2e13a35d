//! How to reach the targets: opened secrets and files, read once per task and kept in memory only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use harrier_proto::harrier::v1::TargetConnection;

use super::desired::Connections;
use crate::raft::Registry;
use crate::registry::{State, Task, TaskId};
use crate::seal::Sealer;
use crate::target_endpoint::{self, TargetEndpointError, TargetTimeouts};

/// How long after a failure it is tried again: somebody has to repair a file meanwhile.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The connections of the tasks that exist, and of deleted ones that left something unfinished.
pub(crate) struct ConnectionCache {
    sealer: Sealer,
    timeouts: TargetTimeouts,
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    /// Rises whenever `connections` changes.
    generation: u64,
    connections: Connections,
    /// When the task of each entry was created: a task may be deleted and created again under its id.
    created_ms: BTreeMap<TaskId, u64>,
    failures: BTreeMap<TaskId, (Instant, String)>,
}

impl ConnectionCache {
    pub(crate) fn new(sealer: Sealer, timeouts: TargetTimeouts) -> Self {
        Self { sealer, timeouts, cached: Mutex::default() }
    }

    /// Follows the tasks of the registry. Cheap when nothing changed.
    pub(crate) async fn refresh(&self, registry: &Registry) {
        let now = Instant::now();
        let missing: Vec<(String, Task)> = registry.read(|state| {
            let mut cached = self.lock();
            cached.forget_others(state);
            let wanted = state.accounts().filter(|(id, _)| cached.wants(id, now));
            wanted.map(|(id, task)| (id.to_owned(), task.clone())).collect()
        });
        for (id, task) in missing {
            let opened = self.open(&task).await;
            let mut cached = self.lock();
            match opened {
                Ok(connection) => {
                    cached.failures.remove(&id);
                    cached.created_ms.insert(id.clone(), task.created_ms);
                    cached.connections.insert(id, Arc::new(connection));
                    cached.generation += 1;
                }
                Err(error) => {
                    tracing::warn!(task_id = %task.id, %error, "the target of a task cannot be connected to");
                    cached.failures.insert(id, (Instant::now(), error));
                }
            }
        }
    }

    /// Reads files, hence not on a thread of the runtime.
    async fn open(&self, task: &Task) -> Result<TargetConnection, String> {
        let (task, sealer, timeouts) = (task.clone(), self.sealer.clone(), self.timeouts);
        let opened = tokio::task::spawn_blocking(move || {
            let endpoint = target_endpoint::endpoint(&task, &sealer, timeouts)?;
            Ok::<_, TargetEndpointError>(endpoint.to_wire(task.target_id))
        });
        match opened.await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.lock().generation
    }

    pub(crate) fn connections(&self) -> Connections {
        self.lock().connections.clone()
    }

    /// What is the matter, by task.
    pub(crate) fn errors(&self) -> BTreeMap<TaskId, String> {
        let cached = self.lock();
        cached.failures.iter().map(|(task_id, (_, message))| (task_id.clone(), message.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cached {
    fn forget_others(&mut self, state: &State) {
        let tasks: BTreeMap<&str, &Task> = state.accounts().collect();
        let before = self.connections.len();
        let created_ms = &self.created_ms;
        self.connections.retain(|task_id, _| {
            tasks.get(task_id.as_str()).is_some_and(|task| created_ms.get(task_id) == Some(&task.created_ms))
        });
        if self.connections.len() != before {
            self.generation += 1;
        }
        self.created_ms.retain(|task_id, _| self.connections.contains_key(task_id));
        self.failures.retain(|task_id, _| tasks.contains_key(task_id.as_str()));
    }

    fn wants(&self, id: &str, now: Instant) -> bool {
        let failed_lately =
            |(when, _): &(Instant, String)| now.saturating_duration_since(*when) < RETRY_AFTER;
        !self.connections.contains_key(id) && !self.failures.get(id).is_some_and(failed_lately)
    }
}
