//! `pause`: a task stops until somebody resumes it.

use serde_json::Value;

use crate::registry::Command;

use super::answer::ApiError;
use super::fields::Fields;
use super::{AppState, task_id};

/// Pauses a task that is not paused, and answers when none of its rows is on its way any more.
pub(super) async fn pause(state: &AppState, data: &Fields<'_>) -> Result<Value, ApiError> {
    let task_id = task_id::required(data)?;
    let writers = state.writers(&task_id);
    state.propose(Command::PauseTask { task_id: task_id.clone() }).await?;
    Ok(state.quiet(&task_id, writers).await)
}
