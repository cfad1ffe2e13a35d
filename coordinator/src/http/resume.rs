//! `resume`: a paused task goes on.

use serde_json::{Value, json};

use crate::registry::Command;

use super::answer::ApiError;
use super::fields::Fields;
use super::{AppState, task_id};

/// Resumes a paused task.
pub(super) async fn resume(state: &AppState, data: &Fields<'_>) -> Result<Value, ApiError> {
    let task_id = task_id::required(data)?;
    state.propose(Command::ResumeTask { task_id }).await?;
    Ok(json!({}))
}
