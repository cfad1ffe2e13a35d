//! The model of source and target that the core's own tests are made with. Its files are part of two builds:
//! `cargo check -p harrier-sim` tells whether they still fit this one.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

#[path = "../core/tests/history.rs"]
pub(crate) mod history;
#[path = "../core/tests/random.rs"]
pub(crate) mod random;
#[path = "../core/tests/target/mod.rs"]
pub(crate) mod target;

use harrier_milvus::tso::Timestamp;

use self::target::Target;

/// The target drops a shard.
pub(super) fn forget(target: &mut Target, shard: usize, created_ts: Timestamp) {
    target.forget(shard, -1, created_ts);
}
