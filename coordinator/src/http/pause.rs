//! `pause`: a task stops until somebody resumes it.

use serde_json::{Value, json};

use crate::registry::Command;

use super::answer::ApiError;
use super::fields::Fields;
use super::{AppState, task_id};

/// Pauses a task that is not paused.
pub(super) async fn pause(state: &AppState, data: &Fields<'_>) -> Result<Value, ApiError> {
    let task_id = task_id::required(data)?;
    state.propose(Command::PauseTask { task_id }).await?;
    Ok(json!({}))
}
