//! `get`: one task.

use serde_json::{Value, json};

use crate::registry::shared_selections;

use super::answer::ApiError;
use super::fields::Fields;
use super::{AppState, backlog, task_id, task_view};

/// Answers the task under both names that clients know: the guide's `Task` and the older server's `task`.
pub(super) async fn get(state: &AppState, data: &Fields<'_>) -> Result<Value, ApiError> {
    let task_id = task_id::required(data)?;
    state.current().await?;
    let task = state.registry.read(|registry| registry.tasks.get(&task_id).cloned());
    let task = task.ok_or_else(|| task_id::not_found(&task_id))?;
    let mut remarks = state.remarks(&task_id);
    // Not for `list`: each task is held against all others.
    remarks.warnings.extend(state.registry.read(|registry| shared_selections(registry, &task_id)));
    let mut view = task_view::of(&task, remarks);
    if let Some(backlog) = backlog::of(state, &task_id).await {
        view["backlog"] = backlog;
    }
    Ok(json!({ "Task": view, "task": view }))
}
