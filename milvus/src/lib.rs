//! What both roles know of Milvus: timestamps, channel names, positions, and the client of a target.
//!
//! This crate owns how Milvus is spoken to and how its names and numbers are read. It must not know
//! of tasks, senders, leases or any other concept of the coordinator or the worker.

pub mod catalog;
pub mod channel;
pub mod client;
pub mod error;
pub mod log;
pub mod position;
pub mod reach;
pub mod secret_text;
pub mod source;
pub mod tso;
