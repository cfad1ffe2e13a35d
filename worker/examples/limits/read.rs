//! The bare log reader.

use anyhow::Result;
use bytes::Bytes;
use serde_json::{Value, json};

use super::log_range::{Channel, parse_position};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    channel: Channel,
    /// Position to read behind, as `end` prints it.
    #[arg(long, value_parser = parse_position)]
    after: Bytes,
}

/// Reads and forgets.
pub async fn run(arguments: Arguments) -> Result<Value> {
    let channel = arguments.channel.open().await?;
    let (mut messages, mut bytes) = (0_u64, 0_usize);
    let spent = channel
        .read(arguments.after, |message| {
            messages += 1;
            bytes += message.payload.len();
        })
        .await?;
    Ok(json!({ "messages": messages, "bytes": bytes, "seconds": spent.as_secs_f64() }))
}
