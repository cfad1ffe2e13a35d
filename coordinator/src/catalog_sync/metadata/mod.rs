//! Brings the metadata of a task's target to the source's, beside what rows need: indexes, what is loaded, properties,
//! aliases, databases without collections, and, where the task asks for them, users, roles and grants.
//!
//! One loop per running task, beside the one that brings collections: rows never wait for it. Level-triggered: it looks
//! at both sides when something changed at the source, after a connection was lost, and every now and then, and does
//! what differs. What the task brought is remembered by the registry (`MetadataItem`) **before** it is brought, so that a
//! drop at the source is followed whoever leads by then, and nothing else is ever dropped.
//!
//! An operation that the target refuses is skipped, counted, and shown; it holds up what depends on it and nothing else.
//!
//! Pure: `plan` (of one collection: `indexes`, `loads`, `properties`), `params`, `aliases`, `databases`, `access`. Shells:
//! `collection`, `task` (what is of none), `round`, `task_loop`, `milvus`.

mod access;
mod aliases;
mod collection;
mod databases;
mod indexes;
mod loads;
mod milvus;
mod params;
mod plan;
mod ports;
mod problem;
mod properties;
mod round;
mod task;
mod task_loop;
mod waits;

#[cfg(test)]
mod tests;

pub use ports::{MetadataConnector, MetadataTarget};
pub use problem::MetadataProblem;
pub(super) use round::Tools;
pub(super) use task_loop::{Signals, run};
