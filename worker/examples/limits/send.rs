//! Bare calls with rows that were merged before the clock started.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use harrier_milvus::client::{Endpoint, MilvusClient};
use serde_json::{Value, json};

use super::log_range::{Channel, parse_position};
use super::packs::{Limits, Packs};
use super::target_copy::TargetCopy;

const CALL_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    channel: Channel,
    /// Position to read behind, as `end` prints it.
    #[arg(long, value_parser = parse_position)]
    after: Bytes,
    /// `host:port` of the target Milvus.
    #[arg(long)]
    target: String,
    /// Database and collection at the target that take the rows; the collection is made if it is missing, and
    /// must be nobody else's.
    #[arg(long)]
    copy_database: String,
    #[arg(long)]
    copy: String,
    #[command(flatten)]
    limits: Limits,
}

/// Writes the rows behind a position once, one call after the other.
pub async fn run(arguments: Arguments) -> Result<Value> {
    let channel = arguments.channel.open().await?;
    let target = MilvusClient::connect(&Endpoint::new(&arguments.target)).await?;
    let copy =
        TargetCopy::prepare(&target, &arguments.copy_database, &arguments.copy, &channel.collection).await?;
    let mut packs = Packs::new(channel.collection.id, &copy, arguments.limits);
    let mut problem = None;
    channel
        .read(arguments.after, |message| {
            if problem.is_none() {
                problem = packs.take(&message).err();
            }
        })
        .await?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    let made = packs.finish();
    ensure!(made.rows > 0, "there are no rows behind this position");
    let calls = made.calls.len();
    let mut calls_left = made.calls.into_iter();
    // The tick before the rows: it also opens the connection.
    if let Some(first) = calls_left.next() {
        target.replicate(first, CALL_TIMEOUT.into()).await?;
    }
    let started = Instant::now();
    for call in calls_left {
        target.replicate(call, CALL_TIMEOUT.into()).await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(json!({
        "rows": made.rows, "bytes": made.bytes, "inserts": made.inserts, "calls": calls - 1, "seconds": seconds,
    }))
}
