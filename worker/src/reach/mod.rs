//! Whether this worker reaches its targets and the source's log.
//!
//! A worker that is cut off from one of them keeps its lease, so the coordinators have to be told. Slowness tells
//! nothing: whoever waits for an answer for long only makes the worker ask once more, on a new connection. Silence there
//! is what is reported, until something is heard again. It is asked again and again meanwhile, also when no sender is
//! left that needs it.
//!
//! `sight` decides, for one place and without IO; `lookout` asks; `watch` is what those hold who wait for answers;
//! `watched_log` does so for everything that is read from the log. What follows from a report is the coordinators'
//! business.

mod lookout;
mod sight;
mod watch;
mod watched_log;

#[cfg(test)]
mod tests;

pub use lookout::Reach;
#[cfg(all(feature = "simulation", not(test)))]
pub(crate) use sight::{Limits, Sight};
pub(crate) use watch::{Sign, Watch};
pub(crate) use watched_log::WatchedLog;
