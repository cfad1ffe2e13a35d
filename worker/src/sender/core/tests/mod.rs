//! The core against a model of the target that behaves as measured on real servers, under everything that can happen:
//! several source proxies, shards that come late, leave and come back, missing partitions, clean and unclean changes
//! of the owner at any moment, calls that were executed or not, or late.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod campaign;
mod gone;
pub(crate) mod history;
mod kept;
mod last_tick;
mod late_calls;
mod memory;
pub(crate) mod random;
mod repeats;
mod shrink;
mod sizes;
mod slow_target;
mod stop_after_unknown;
pub(crate) mod target;
mod world;

/// For any history of the source, any cuts, any crashes and any number of owners, the target ends with the source's
/// rows. `HARRIER_SENDER_HISTORIES` says how many are tried, `HARRIER_SENDER_SEED` names a single one.
#[test]
fn any_history() {
    campaign::search();
}
