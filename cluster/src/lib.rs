//! How the coordinators and workers of one cluster know each other: a secret that all of them share.
//!
//! Owns where the secret comes from, how it travels with a gRPC call, and how a coordinator names the leader. It says that the caller belongs to the
//! cluster, and nothing about who on the way can read the call: until there is mutual TLS, the gRPC ports belong on a
//! network that is trusted.

mod guard;
mod leader_hint;
mod prove;
mod secret;

pub use guard::Guard;
pub use leader_hint::{leader_hint, not_leader};
pub use prove::Prove;
pub use secret::{ClusterSecret, ENVIRONMENT, SecretError};
