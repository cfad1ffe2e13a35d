//! The model of source and target that the core's own tests are made with.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

#[path = "../core/tests/history.rs"]
pub(crate) mod history;
#[path = "../core/tests/random.rs"]
pub(crate) mod random;
#[path = "../core/tests/target.rs"]
pub(crate) mod target;
