//! The `task_id` of requests about one task.

use super::answer::ApiError;
use super::fields::Fields;

/// Reads the id; it must be there.
pub(super) fn required(data: &Fields<'_>) -> Result<String, ApiError> {
    let task_id = data.string("task_id")?;
    if task_id.is_empty() {
        return Err(ApiError::refused("task_id is empty"));
    }
    Ok(task_id)
}

/// The answer for an unknown id, in the words that scripts match.
pub(super) fn not_found(task_id: &str) -> ApiError {
    ApiError::refused(format!("not found the task, task_id: {task_id}"))
}
