//! The worker role: it keeps a session with the coordinators and runs the senders it is told to run.
//!
//! A worker is stateless: what it knows it was told, or it reads from the source log. It never speaks to
//! the source catalog, never changes the target's metadata, and never decides where a sender belongs.

pub mod byte_pool;
pub mod config;
mod http;
pub mod message;
mod metrics;
mod pace;
mod reach;
pub mod sender;
mod sender_host;
pub mod session;
pub mod traffic;
pub mod worker;

pub use config::WorkerConfig;
pub use metrics::HISTOGRAM_BUCKETS;
pub use pace::Pace;
pub use reach::Reach;
#[cfg(all(feature = "simulation", not(test)))]
pub use sender::simulation;
pub use worker::{StartError, Worker};
