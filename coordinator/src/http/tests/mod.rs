//! The whole router over a real registry in a temporary folder. Only the target is played.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod body_table;
mod cluster;
mod create_rows;
mod create_table;
mod life;
mod limits;
mod played_log;
mod positions;
mod retention;
mod scrape;
mod secrets;
mod server;
