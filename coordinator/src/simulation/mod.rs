//! The pure parts of a leader, put together as the real one puts them together, for simulations in virtual time: no
//! task, no clock, no disk. Only built with the feature `simulation`; no part of the product.

mod leader;
mod setup;

pub use leader::{Received, SimLeader, SimLeaderTimes};
pub use setup::{connections, create_task, map_collection};
