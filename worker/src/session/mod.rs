//! The session with the coordinators: one lease for the whole worker, the desired set of senders, and their
//! reports. It decides when a sender may run and send; it must not know how one does.

pub mod boot_instant;
pub(crate) mod coordinators;
pub mod fence;
pub(crate) mod host;
pub(crate) mod membership;
pub(crate) mod registration;
pub(crate) mod run;
pub(crate) mod senders;

#[cfg(test)]
pub(crate) mod tests;

pub use boot_instant::BootInstant;
pub use coordinators::AddressError;
pub use fence::{Fence, Lease};
