//! From a command to an answer: what the registry refuses, in the words that clients know.

use crate::registry::{Command, Refusal, Reply, Task};

use super::AppState;
use super::answer::ApiError;

/// What became of a command that reached the registry.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ProposeOutcome {
    /// Applied.
    Done,
    /// `create` of an id that exists.
    Existing(Box<Task>),
    /// Nothing changed.
    Refused(Refusal),
}

impl ProposeOutcome {
    /// A refusal becomes an error; a task that existed already is handed on.
    pub(super) fn into_result(self) -> Result<Option<Box<Task>>, ApiError> {
        match self {
            ProposeOutcome::Done => Ok(None),
            ProposeOutcome::Existing(task) => Ok(Some(task)),
            ProposeOutcome::Refused(refusal) => Err(refused(&refusal)),
        }
    }
}

impl AppState {
    /// Proposes a command and waits until it is applied.
    pub(super) async fn try_propose(&self, command: Command) -> Result<ProposeOutcome, ApiError> {
        let reply =
            self.registry.propose(command).await.map_err(|error| ApiError::NoLeader(error.to_string()))?;
        Ok(match reply {
            Reply::Done => ProposeOutcome::Done,
            Reply::Existing(task) => ProposeOutcome::Existing(task),
            Reply::Refused(refusal) => ProposeOutcome::Refused(refusal),
        })
    }

    /// As [`Self::try_propose`], with a refusal as an error.
    pub(super) async fn propose(&self, command: Command) -> Result<Option<Box<Task>>, ApiError> {
        self.try_propose(command).await?.into_result()
    }
}

/// The answer for a refusal.
pub(super) fn refused(refusal: &Refusal) -> ApiError {
    ApiError::Refused(match refusal {
        Refusal::TaskNotFound(task_id) => return super::task_id::not_found(task_id),
        Refusal::TaskPaused(task_id) => format!("the task has paused, task_id: {task_id}"),
        Refusal::TaskRunning(task_id) => format!("the task has running, task_id: {task_id}"),
        Refusal::TooManyTasks(limit) => format!(
            "the task num has reach the limit, {limit}: delete a task, or raise 'task_count_max' in the configuration"
        ),
        Refusal::Overlap { other, what } if what.starts_with("users and roles") => format!(
            "the enable user role param is duplicate: the task {other} replicates {what} to the same target already"
        ),
        Refusal::Overlap { other, what } => format!(
            "the collection name is duplicate with existing task, [{what}]: the task {other} replicates it to the same \
             target already, leave it out or delete that task"
        ),
        Refusal::Stale => return ApiError::Internal("the registry changed meanwhile, ask again".to_owned()),
    })
}
