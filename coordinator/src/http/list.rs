//! `list`: all tasks, the oldest first.

use serde_json::{Value, json};

use crate::registry::Task;

use super::answer::ApiError;
use super::{AppState, task_view};

/// Answers every task.
pub(super) async fn list(state: &AppState) -> Result<Value, ApiError> {
    state.current().await?;
    let mut tasks: Vec<Task> = state.registry.read(|registry| registry.tasks.values().cloned().collect());
    tasks.sort_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id)));
    let views: Vec<Value> = tasks.iter().map(|task| task_view::of(task, state.remarks(&task.id))).collect();
    Ok(json!({ "tasks": views }))
}
