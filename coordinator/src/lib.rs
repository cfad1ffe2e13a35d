//! The coordinator role: owns the task registry, serves the HTTP API, assigns senders to workers and drives the
//! target's catalog to the source's. Knows nothing of the worker role.

pub mod backup;
pub mod catalog_sync;
pub mod config;
mod coordinator;
mod grpc;
pub mod http;
pub mod http_client;
pub mod leader;
pub mod planner;
pub mod raft;
pub mod registry;
mod retention;
pub mod seal;
mod serving;
#[cfg(feature = "simulation")]
pub mod simulation;
mod source_log;
pub mod target_endpoint;

pub use coordinator::{Coordinator, CoordinatorParts, StartError};
