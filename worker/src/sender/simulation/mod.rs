//! A worker without IO, in virtual time: the real session state and the real senders' cores, with a shell that does
//! what the real one does when it is asked to. Only built with the feature `simulation`; no part of the product.
//!
//! Whoever simulates owns time, the network, the source's logs and the target ([`SimChannel`]), and moves messages
//! between them.

mod calling;
mod channel;
mod host;
mod log;
mod model;
mod question;
mod sender;
mod sights;
mod sizes;
mod wire;
mod worker;

pub use super::core::RETURNS_MAX;
pub use channel::{SimChannel, SimCollection};
pub use wire::{Answer, Ask, Call, Network, SimTimes};
pub use worker::{Beat, SimWorker, WorkerClock};
