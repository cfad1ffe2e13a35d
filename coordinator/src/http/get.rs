//! `get`: one task.

use serde_json::{Value, json};

use super::answer::ApiError;
use super::fields::Fields;
use super::{AppState, backlog, task_id, task_view};

/// Answers the task under both names that clients know: the guide's `Task` and the older server's `task`.
pub(super) async fn get(state: &AppState, data: &Fields<'_>) -> Result<Value, ApiError> {
    let task_id = task_id::required(data)?;
    state.current().await?;
    let task = state.registry.read(|registry| registry.tasks.get(&task_id).cloned());
    let task = task.ok_or_else(|| task_id::not_found(&task_id))?;
    let mut view = task_view::of(&task, state.remarks(&task_id));
    if let Some(backlog) = backlog::of(state, &task_id).await {
        view["backlog"] = backlog;
    }
    Ok(json!({ "Task": view, "task": view }))
}
