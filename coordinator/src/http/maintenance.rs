//! `maintenance`: operations on this one process. They need no leader.

use std::sync::Arc;

use serde_json::{Value, json};

use super::AppState;
use super::answer::ApiError;
use super::fields::Fields;

/// Sets the log level of the process; the error says why it could not.
pub type SetLogLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Runs the operation.
pub(super) fn maintenance(state: &AppState, data: &Fields<'_>) -> Result<Value, ApiError> {
    match data.string("operation")?.as_str() {
        "set_log_level" => set_log_level(state, &data.object("params")?),
        "" => Err(ApiError::refused("the operation is empty, can be set [set_log_level]")),
        other => {
            Err(ApiError::refused(format!("unsupported operation: {other}, can be set [set_log_level]")))
        }
    }
}

fn set_log_level(state: &AppState, params: &Fields<'_>) -> Result<Value, ApiError> {
    let given = params.string("log_level")?;
    let level = match given.to_ascii_lowercase().as_str() {
        "" => return Err(ApiError::refused("log_level is required: set 'params.log_level'")),
        known @ ("trace" | "debug" | "info" | "warn" | "error") => known.to_owned(),
        "warning" => "warn".to_owned(),
        // Levels above error exist in other loggers; here nothing is logged above it.
        "dpanic" | "panic" | "fatal" => "error".to_owned(),
        _ => {
            return Err(ApiError::refused(
                "parse log level failed: 'params.log_level' can be set [trace debug info warn error]",
            ));
        }
    };
    (state.set_log_level)(&level)
        .map_err(|error| ApiError::Internal(format!("the log level stays: {error}")))?;
    tracing::info!(level, "log level set");
    Ok(json!({ "State": format!("set log level to {given}") }))
}
