//! `create`: a new task. Everything that can be known to be wrong is said here, not found in a log later.
//!
//! The order: types, values, an id that exists (answered as it is), the limit, the positions on the source's log, the
//! target itself, and last the registry, which decides about overlaps with other tasks.

mod connect_param;
mod identity;
mod log_positions;
mod name_mapping;
mod patterns;
mod positions;
mod request;
mod selection;
mod task_id;
mod uri;

use serde_json::{Value, json};

use crate::registry::{Command, Refusal, Task, TaskState};
use crate::seal::TargetSecrets;
use crate::target_endpoint;

use super::AppState;
use super::answer::ApiError;
use super::fields::Fields;
use super::probe::TargetFacts;
use super::propose::refused;

use connect_param::Login;
use request::{CheckOptions, CheckedRequest, CreateRequest};

/// Creates a task, or answers the id of the one that the client created before under the same id.
pub(super) async fn create(state: &AppState, data: &Fields<'_>) -> Result<Value, ApiError> {
    let request = CreateRequest::read(data)?;
    task_id::check(&request.task_id)?;
    let chosen_id = Some(request.task_id.clone()).filter(|id| !id.is_empty());
    let checked = request.check(CheckOptions {
        replicate_channel: &state.config.source.replicate_channel,
        star_means_every_database: state.config.star_means_every_database,
    })?;
    state.current().await?;
    if let Some(id) =
        chosen_id.as_ref().filter(|id| state.registry.read(|registry| registry.tasks.contains_key(*id)))
    {
        return Ok(json!({ "task_id": id }));
    }
    check_limit(state)?;
    let id = chosen_id.map_or_else(task_id::draw, Ok)?;
    let address = checked.address.identity();
    let login = checked.login.clone();
    let mut task = new_task(state, id.clone(), checked)?;
    log_positions::check(&state.source_log, &task.spec).await?;
    let facts = probe(state, &task, &login, &address).await?;
    state.retention.check().await.map_err(ApiError::refused)?;
    let target = identity::describe(address, &facts.collection_ids)?;
    task.target_id.clone_from(&target.id);
    let task_count_max = state.config.task_count_max;
    state.propose(Command::CreateTask { task: Box::new(task), target, task_count_max }).await?;
    tracing::info!(task_id = id, "task created");
    Ok(json!({ "task_id": id }))
}

/// Before the target is bothered; the registry checks again.
fn check_limit(state: &AppState) -> Result<(), ApiError> {
    let limit = state.config.task_count_max;
    let count = state.registry.read(|registry| registry.tasks.len());
    if count >= limit as usize { Err(refused(&Refusal::TooManyTasks(limit))) } else { Ok(()) }
}

fn new_task(state: &AppState, id: String, checked: CheckedRequest) -> Result<Task, ApiError> {
    let CheckedRequest { spec, login, .. } = checked;
    let secrets = TargetSecrets { token: login.token, username: login.username, password: login.password };
    let secrets = secrets
        .seal(&state.sealer)
        .map_err(|error| ApiError::Internal(format!("the credentials cannot be sealed: {error}")))?;
    let now_ms = state.now_ms();
    Ok(Task {
        id,
        state: if spec.disable_auto_start { TaskState::Paused } else { TaskState::Initial },
        spec,
        secrets,
        target_id: String::new(),
        created_ms: now_ms,
        state_changed_ms: now_ms,
    })
}

/// Looks at the target, over the same connection parameters that the task will use.
async fn probe(state: &AppState, task: &Task, login: &Login, address: &str) -> Result<TargetFacts, ApiError> {
    let refused = |reason: String| {
        ApiError::refused(format!("fail to connect the milvus at {address}: {}", login.scrub(&reason)))
    };
    let timeouts = state.config.as_ref().into();
    let endpoint = target_endpoint::endpoint(task, &state.sealer, timeouts)
        .map_err(|error| refused(error.to_string()))?;
    state.prober.probe(&endpoint).await.map_err(|error| refused(error.to_string()))
}
