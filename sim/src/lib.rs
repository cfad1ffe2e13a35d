//! A whole Harrier in virtual time, drawn from one number: the real registry, planner, leases, session state and
//! senders' cores, between a simulated Raft group, network, source and target that do their worst.
//!
//! ```text
//! world/          the loop: time, mail, faults
//!   group         the Raft group: one log, leaders that change, proposals that are lost or come through late
//!   catalog       what a leader's catalog sync does at the targets: maps, and drops behind the barrier
//!   process       worker processes: killed, frozen, cut off, with clocks that are wrong
//!   targets       calls on their way: late, lost, executed in part, answered or not
//!   verdict       what must hold at each step and in the end
//! ```
//! A seed gives the same history each time. `cargo run -p harrier-sim -- SEED` runs one alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod campaign;
mod random;
mod world;

pub use campaign::{Failure, run_seed, run_seeds};
