//! The sender: the way of a message from the source's log to one target pchannel.
//!
//! `core` decides everything and does no IO. The rest is its shell: `run` turns the events of readers, target,
//! session and time into calls of the core; `reader` reads one channel; `call` makes one call to the target within
//! the lease; `takeover` and `log_end` find out what a core must know before it starts; `foreign` and `target_clock`
//! judge what the target tells besides, and `flush_due` what follows from it.
//! Only the owner of the epoch runs a sender, and nothing here decides who that is.

mod backoff;
mod call;
mod call_size;
mod call_wait;
mod core;
mod flush_due;
mod foreign;
mod handle;
mod log_end;
pub(crate) mod metrics;
mod presence;
mod problems;
mod reader;
mod refusal;
mod run;
#[cfg(all(feature = "simulation", not(test)))]
pub mod simulation;
mod takeover;
mod target_clock;
mod target_limits;
#[cfg(test)]
mod tests;
mod time;

pub use self::core::CoreError;
pub use handle::{SenderContext, SenderHandle, spawn};
pub use target_limits::TargetLimits;
