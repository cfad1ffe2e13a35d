//! The session with the coordinators.

pub mod boot_instant;
pub mod fence;

pub use boot_instant::BootInstant;
pub use fence::{Fence, Lease};
