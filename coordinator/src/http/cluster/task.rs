//! `GET /cluster/tasks/{task_id}`: one task, collection by collection and channel by channel: what is at the target up
//! to when. For `harrier verify`, and for whoever has to decide whether a standby may take over.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use harrier_milvus::tso;
use serde::Serialize;
use serde_json::Value;

use super::senders::Trouble;
use crate::http::answer::{Answer, ApiError};
use crate::http::forward::{Forwarded, finish};
use crate::http::position::task_shards;
use crate::http::task_view::state_name;
use crate::http::{AppState, limits, task_id};
use crate::leader::HeldCollection;
use crate::registry::{CollectionMapping, ShardState, State, Task};

const NAME: &str = "task";

/// The task.
#[derive(Debug, Serialize)]
struct View {
    task_id: String,
    state: &'static str,
    target_id: String,
    /// Of the task; 0 = none.
    limits: Value,
    /// Of everything that is written to its target; 0 = none.
    target_limits: Value,
    /// Unix milliseconds: when this was answered.
    time: u64,
    /// Everything of the source up to here is at the target: the least of all channels. `None`: nothing is, or there
    /// is no collection.
    reached: Option<u64>,
    /// The same as a timestamp of the source (TSO).
    reached_ts: Option<u64>,
    /// Whether every channel has caught up and nothing is held.
    caught_up: bool,
    /// Whether `*` in `collection_infos` means every database.
    every_database: bool,
    /// Rows of all partitions go to the target's default partition.
    ignore_partition: bool,
    collections: Vec<Collection>,
    /// What is held, mapped or not.
    held: Vec<Held>,
    /// Collections that were renamed into the filter, and are none of the task's: `database.collection` by id.
    passed_over: BTreeMap<i64, String>,
    /// Drops that the target has yet to follow.
    drops: usize,
}

/// A collection that has its counterpart.
#[derive(Debug, Serialize)]
struct Collection {
    collection_id: i64,
    db: String,
    name: String,
    target_id: i64,
    target_db: String,
    target_name: String,
    channels: Vec<Channel>,
}

/// One of its channels.
#[derive(Debug, Serialize)]
struct Channel {
    source: String,
    target: String,
    /// Unix milliseconds; 0: nothing yet.
    reached: u64,
    reached_ts: u64,
    caught_up: bool,
}

#[derive(Debug, Serialize)]
struct Held {
    collection_id: i64,
    db: String,
    name: String,
    reason: Trouble,
}

/// `GET`.
pub(in crate::http) async fn show(
    Shared(state): Shared<Arc<AppState>>,
    Path(task_id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let path = format!("/cluster/tasks/{}", escaped(&task_id));
    let request = Forwarded { method: Method::GET, path: &path, body: Vec::new() };
    if let Some(outcome) = state.forward(&headers, request).await {
        return finish(outcome, NAME);
    }
    match view(&state, &task_id).await {
        Ok(view) => Answer::done(serde_json::to_value(view).unwrap_or_default()).into_response(),
        Err(error) => error.answer(NAME).into_response(),
    }
}

async fn view(state: &AppState, task_id: &String) -> Result<View, ApiError> {
    state.current().await?;
    let held = state.leader.held_collections().remove(task_id).unwrap_or_default();
    let now_ms = state.now_ms();
    let view = state.registry.read(|registry| {
        let task = registry.tasks.get(task_id)?;
        Some(View::of(registry, task, &held, now_ms))
    });
    view.ok_or_else(|| task_id::not_found(task_id))
}

impl View {
    fn of(registry: &State, task: &Task, held: &[HeldCollection], now_ms: u64) -> Self {
        let shards: BTreeMap<&str, &ShardState> = task_shards(registry, &task.id).collect();
        let mappings = registry.mappings.get(&task.id).into_iter().flat_map(BTreeMap::values);
        let living = mappings.filter(|mapping| !mapping.dropped);
        let collections: Vec<Collection> = living.map(|mapping| Collection::of(mapping, &shards)).collect();
        let channels = || collections.iter().flat_map(|collection| &collection.channels);
        let reached_ts = channels().map(|channel| channel.reached_ts).min().filter(|ts| *ts > 0);
        Self {
            task_id: task.id.clone(),
            state: state_name(task.state),
            target_id: task.target_id.clone(),
            limits: limits::view(registry.task_limits.get(&task.id)),
            target_limits: limits::view(registry.target_limits.get(&task.target_id)),
            time: now_ms,
            reached: reached_ts.map(tso::physical_ms),
            reached_ts,
            caught_up: held.is_empty() && channels().all(|channel| channel.caught_up),
            every_database: task.spec.every_database,
            ignore_partition: task.spec.target.ignore_partition,
            held: held.iter().map(Held::of).collect(),
            passed_over: registry.passed_over.get(&task.id).cloned().unwrap_or_default(),
            drops: registry.drops.values().filter(|drop| drop.task_id == task.id).count(),
            collections,
        }
    }
}

impl Collection {
    fn of(mapping: &CollectionMapping, shards: &BTreeMap<&str, &ShardState>) -> Self {
        let channel = |pair: &crate::registry::ShardPair| {
            let shard = shards.get(pair.source_vchannel.as_str());
            let reached_ts = shard.map_or(0, |shard| shard.confirmed);
            Channel {
                source: pair.source_vchannel.clone(),
                target: pair.target_vchannel.clone(),
                reached: tso::physical_ms(reached_ts),
                reached_ts,
                caught_up: shard.is_some_and(|shard| shard.joined),
            }
        };
        Self {
            collection_id: mapping.source_id,
            db: mapping.source_db.clone(),
            name: mapping.source_name.clone(),
            target_id: mapping.target_id,
            target_db: mapping.target_db.clone(),
            target_name: mapping.target_name.clone(),
            channels: mapping.shards.iter().map(channel).collect(),
        }
    }
}

impl Held {
    fn of(held: &HeldCollection) -> Self {
        Self {
            collection_id: held.source_id,
            db: held.database.clone(),
            name: held.name.clone(),
            reason: Trouble::of(&held.reason),
        }
    }
}

/// An id as a part of a path.
fn escaped(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    id.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
