//! The loop of one task: a round whenever something may have to be done.

use std::sync::Arc;
use std::time::Duration;

use harrier_milvus::error::ErrorClass;
use tokio::sync::watch;

use super::ports::Coordination;
use super::round::{self, Memory, Outcome, Tools};
use super::watcher::SourceState;
use super::{Names, Problem};
use crate::registry::{Command, TaskId, TaskState};

const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How soon to look for something that is known to come.
const SOON: Duration = Duration::from_millis(100);

/// What tells a loop that something has changed.
pub(super) struct Signals {
    pub(super) source: watch::Receiver<SourceState>,
    pub(super) missing: watch::Receiver<u64>,
    /// A round is run at least this often.
    pub(super) poll: Duration,
}

/// When the next round is due.
enum Next {
    /// When something changes, or after the poll interval.
    Change,
    /// After this long, whatever happens meanwhile: more rounds would not help.
    After(Duration),
}

/// Runs until the task is paused or deleted.
pub(super) async fn run(task_id: TaskId, tools: Arc<Tools>, names: Names, mut signals: Signals) {
    let mut memory = Memory::new(names);
    let mut failures = 0;
    let mut last = Vec::new();
    loop {
        signals.missing.mark_unchanged();
        let source = signals.source.borrow_and_update().clone();
        let Some(result) = one(&task_id, &tools, &mut memory, &source).await else { return };
        let next = match result {
            Ok(outcome) => conclude(&task_id, &*tools.coordination, &source, &outcome).await,
            Err(problem) => Err(vec![problem]),
        };
        let (problems, wait) = match next {
            Ok((problems, wait)) => (problems, wait),
            Err(problems) => {
                failures += 1;
                (problems, Next::After(backoff(failures)))
            }
        };
        if matches!(wait, Next::Change) {
            failures = 0;
        }
        let next_try = if let Next::After(pause) = wait { Some(pause) } else { None };
        report(&task_id, &*tools.coordination, &problems, &last, next_try);
        last = problems;
        match wait {
            Next::After(pause) => tokio::time::sleep(pause).await,
            Next::Change => signals.changed().await,
        }
    }
}

impl Signals {
    async fn changed(&mut self) {
        tokio::select! {
            () = next_change(&mut self.source) => {}
            () = next_change(&mut self.missing) => {}
            () = tokio::time::sleep(self.poll) => {}
        }
    }
}

/// What nobody can change any more wakes nobody.
async fn next_change<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// `None` when the task is not to be kept in step any more.
async fn one(
    task_id: &str,
    tools: &Tools,
    memory: &mut Memory,
    source: &SourceState,
) -> Option<Result<Outcome, Problem>> {
    let task = tools.coordination.task(task_id)?;
    let Some(snapshot) = &source.snapshot else {
        let waiting = || Problem::transient("the source's catalog has not been read yet");
        return Some(Err(source.problem.clone().unwrap_or_else(waiting)));
    };
    Some(round::run(tools, memory, &task, snapshot).await)
}

/// What follows from a round that went through to its end. `Err`: try again with backoff.
async fn conclude(
    task_id: &str,
    coordination: &dyn Coordination,
    source: &SourceState,
    outcome: &Outcome,
) -> Result<(Vec<Problem>, Next), Vec<Problem>> {
    let mut problems = outcome.problems.clone();
    let transient = problems.iter().any(|problem| problem.class == ErrorClass::Transient);
    if transient {
        return Err(problems);
    }
    let initial = coordination.task(task_id).is_some_and(|task| task.state == TaskState::Initial);
    if initial && let Err(problem) = round::commit(coordination, started(task_id)).await {
        problems.push(problem);
        return Err(problems);
    }
    // The catalog that was acted on may be old by now.
    problems.extend(source.problem.clone());
    Ok((problems, if outcome.look_again { Next::After(SOON) } else { Next::Change }))
}

fn started(task_id: &str) -> Command {
    Command::TaskStarted { task_id: task_id.to_owned() }
}

fn report(
    task_id: &str,
    coordination: &dyn Coordination,
    problems: &[Problem],
    last: &[Problem],
    next_try: Option<Duration>,
) {
    for problem in problems.iter().filter(|problem| !last.contains(problem)) {
        let collection = problem.collection.as_ref().map(|of| format!("{}.{}", of.database, of.name));
        tracing::warn!(task = task_id, class = %problem.class, collection, reason = problem.message, "the catalog is not in step");
    }
    if problems.is_empty() && !last.is_empty() {
        tracing::info!(task = task_id, "the catalog is in step again");
    }
    coordination.set_problems(task_id, problems, next_try);
}

fn backoff(failures: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_grows_and_is_capped() {
        assert_eq!(backoff(1), BACKOFF_MIN);
        assert_eq!(backoff(2), BACKOFF_MIN * 2);
        assert_eq!(backoff(40), BACKOFF_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_that_nobody_can_give_any_more_does_not_hold_up_the_others() {
        let source = watch::Sender::new(SourceState::default());
        let (_, missing) = watch::channel(0);
        let poll = Duration::from_secs(5);
        let mut signals = Signals { source: source.subscribe(), missing, poll };
        source.send_replace(SourceState::default());
        let before = tokio::time::Instant::now();
        signals.changed().await;
        assert!(before.elapsed() < poll);
    }
}
