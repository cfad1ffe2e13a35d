//! A whole Harrier in virtual time, drawn from one number: the real registry, planner, leases, catalog sync, session
//! state and senders' cores, between a simulated Raft group, network, source and target that do their worst.
//!
//! ```text
//! raft/           members of a group: terms, votes, logs with what is not synced yet, snapshots; no IO, no clock
//! world/          the loop: time, mail, faults
//!   group         the coordinators, and the history that they have decided
//!   tenure        one that leads, as far as it knows: sessions, plans, batches, catalog sync
//!   port          what the real catalog sync asks of the world
//!   catalog       what the source shows, and when
//!   ddl           the catalogs of the targets
//!   operator      a client of the API: what was acknowledged stands
//!   cuts          ways on which nothing passes for a while
//!   process       worker processes: killed, frozen, cut off, with clocks that are wrong
//!   targets       calls on their way: late, lost, executed in part, answered or not
//!   restore       all coordinators are lost, and a backup is restored
//!   verdict       what must hold at each step and in the end
//! ```
//! A seed gives the same history each time. `cargo run -p harrier-sim -- SEED` runs one alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod campaign;
mod counts;
mod raft;
mod random;
mod world;

pub use campaign::{Failure, run_seed, run_seeds};
pub use counts::Counts;
