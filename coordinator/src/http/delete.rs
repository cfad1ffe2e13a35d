//! `delete`: a task goes; what it wrote to the target stays.

use serde_json::{Value, json};

use crate::registry::{Command, Refusal};

use super::answer::ApiError;
use super::fields::Fields;
use super::propose::ProposeOutcome;
use super::{AppState, task_id};

/// Deletes a task. With `ignore_not_found` an unknown one is fine.
pub(super) async fn delete(state: &AppState, data: &Fields<'_>) -> Result<Value, ApiError> {
    let task_id = task_id::required(data)?;
    let ignore_not_found = data.boolean("ignore_not_found")?;
    match state.try_propose(Command::DeleteTask { task_id }).await? {
        ProposeOutcome::Refused(Refusal::TaskNotFound(_)) if ignore_not_found => Ok(json!({})),
        outcome => outcome.into_result().map(|_| json!({})),
    }
}
