//! The codecs against prost: what is merged as bytes must decode to what is merged decoded.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod deletes;
mod heads;
mod hostile;
mod inserts;
mod refusals;
mod samples;
mod splits;
