//! The age of the source's ticks at the moment they can be read: the part of the lag that is the source's own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use harrier_milvus::tso;
use harrier_worker::message::{Head, read_head};
use serde_json::{Value, json};

use super::log_range::Channel;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    channel: Channel,
    /// How long to watch.
    #[arg(long)]
    seconds: u64,
}

/// Follows the channel; ages in milliseconds.
pub async fn run(arguments: Arguments) -> Result<Value> {
    let channel = arguments.channel.open().await?;
    let mut ages_ms = Vec::new();
    let mut problem = None;
    let following = channel.follow(|message| match read_head(&message.payload) {
        Ok(Head::TimeTick { ts }) => ages_ms.push(now_ms() - tso::physical_ms(ts) as f64),
        Ok(_) => {}
        Err(error) => problem = Some(error),
    });
    if let Ok(ended) = tokio::time::timeout(Duration::from_secs(arguments.seconds), following).await {
        ended?;
    }
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    ensure!(!ages_ms.is_empty(), "the source wrote no tick");
    ages_ms.sort_by(f64::total_cmp);
    let at = |percent: usize| ages_ms.get((ages_ms.len() - 1) * percent / 100).copied();
    Ok(json!({ "ticks": ages_ms.len(), "p50_ms": at(50), "p99_ms": at(99), "max_ms": at(100) }))
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}
