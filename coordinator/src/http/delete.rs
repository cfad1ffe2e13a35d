//! `delete`: a task goes; what it wrote to the target stays.

use serde_json::{Value, json};

use crate::registry::{Command, Refusal};

use super::answer::ApiError;
use super::fields::Fields;
use super::propose::ProposeOutcome;
use super::{AppState, task_id};

/// Deletes a task, and answers when none of its rows is on its way any more. With `ignore_not_found` an unknown one is
/// fine.
pub(super) async fn delete(state: &AppState, data: &Fields<'_>) -> Result<Value, ApiError> {
    let task_id = task_id::required(data)?;
    let ignore_not_found = data.boolean("ignore_not_found")?;
    let writers = state.writers(&task_id);
    match state.try_propose(Command::DeleteTask { task_id: task_id.clone() }).await? {
        ProposeOutcome::Refused(Refusal::TaskNotFound(_)) if ignore_not_found => return Ok(json!({})),
        outcome => outcome.into_result()?,
    };
    Ok(state.quiet(&task_id, writers).await)
}
