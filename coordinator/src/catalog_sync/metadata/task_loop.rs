//! The loop of one task's metadata.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::super::Names;
use super::super::watcher::SourceState;
use super::problem::MetadataProblem;
use super::round::{self, Memory, Tools};
use crate::registry::TaskId;

const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// The registry changes with every checkpoint; mappings are looked at no oftener than this.
const SETTLE: Duration = Duration::from_millis(200);

/// What tells a loop that something has changed.
pub(in super::super) struct Signals {
    pub(in super::super) source: watch::Receiver<SourceState>,
    pub(in super::super) applied: watch::Receiver<u64>,
}

/// Runs until the task is paused or deleted.
pub(in super::super) async fn run(task_id: TaskId, tools: Arc<Tools>, names: Names, mut signals: Signals) {
    let mut memory = Memory::default();
    let mut failures = 0;
    let mut last = Vec::new();
    loop {
        signals.applied.mark_unchanged();
        let version = tools.coordination.mappings_version(&task_id);
        let snapshot = signals.source.borrow_and_update().snapshot.clone();
        let Some(task) = tools.coordination.task(&task_id) else { return };
        if let Some(snapshot) = snapshot {
            match round::run(&tools, &mut memory, &names, &task, &snapshot).await {
                Ok(()) => failures = 0,
                Err(problem) => {
                    failures += 1;
                    let reason = problem.message;
                    tracing::debug!(task = task_id, reason, "the metadata of the target cannot be worked on");
                    memory.begin_anew();
                    tokio::time::sleep(backoff(failures)).await;
                    continue;
                }
            }
        }
        let problems = memory.problems();
        report(&task_id, &tools, &problems, &last);
        last = problems;
        let due = memory.next_due(tools.reconcile).max(Duration::from_millis(50));
        tokio::select! {
            () = next_change(&mut signals.source) => {}
            () = mappings_change(&mut signals.applied, &tools, &task_id, version) => {}
            () = tokio::time::sleep(due) => {}
        }
    }
}

async fn mappings_change(applied: &mut watch::Receiver<u64>, tools: &Tools, task_id: &str, version: u64) {
    while tools.coordination.mappings_version(task_id) == version {
        next_change(applied).await;
        tokio::time::sleep(SETTLE).await;
    }
}

/// What nobody can change any more wakes nobody.
async fn next_change<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn report(task_id: &str, tools: &Tools, problems: &[MetadataProblem], last: &[MetadataProblem]) {
    for problem in problems.iter().filter(|problem| !last.contains(problem)) {
        let MetadataProblem { operation, object, message, class } = problem;
        tracing::warn!(task = task_id, operation, object, %class, reason = message, "left out at the target");
    }
    tools.coordination.set_metadata_problems(task_id, problems);
}

fn backoff(failures: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(BACKOFF_MAX)
}
