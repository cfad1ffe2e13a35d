//! Secrets of the targets, encrypted before they are proposed: AES-256-GCM under a key that every coordinator of the
//! group gets from a file or from the environment. The log, the snapshots and the network between coordinators carry
//! nothing but `Sealed`.
//!
//! Owns the key and the two directions. Does not know tasks, and never says what a secret is, in no log or error.

mod error;
mod key;
mod sealer;
mod secrets;

pub use error::SealError;
pub use key::{ENVIRONMENT, SealingKey};
pub use sealer::Sealer;
pub use secrets::TargetSecrets;
