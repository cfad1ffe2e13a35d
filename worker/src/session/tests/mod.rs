//! The session against a coordinator and senders made for the tests: real gRPC, no target.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod coordinator;
pub(crate) mod fake_sender;
mod membership;
mod reconcile;
mod session;
