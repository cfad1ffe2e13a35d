//! A stretch of one channel of the source's log.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use harrier_milvus::client::{CollectionDescription, Endpoint, MilvusClient};
use harrier_milvus::log::{LogAccess, LogMessage, LogSource, Start, open_source};
use harrier_milvus::source::LogKind;
use serde_json::{Value, json};

/// What the worker asks for in one read.
const READ_BYTES_MAX: usize = 1 << 20;

/// The channel that carries a collection of one shard.
#[derive(clap::Args)]
pub struct Channel {
    /// `host:port` of the source Milvus.
    #[arg(long)]
    source: String,
    /// `host:port` of its log.
    #[arg(long)]
    log: String,
    /// `nats`, `pulsar` or `kafka`.
    #[arg(long, default_value = "nats")]
    log_kind: String,
    /// Database of the collection.
    #[arg(long)]
    pub database: String,
    /// The collection.
    #[arg(long)]
    pub collection: String,
}

/// The channel, found and opened.
pub struct OpenChannel {
    source: Arc<dyn LogSource>,
    /// What the source says of the collection.
    pub collection: CollectionDescription,
}

impl Channel {
    /// Where the channel ends now.
    pub async fn end(self) -> Result<Value> {
        let open = self.open().await?;
        Ok(json!({ "end": hex(&open.end().await?) }))
    }

    /// Asks the source which channel it is.
    pub async fn open(&self) -> Result<OpenChannel> {
        let client = MilvusClient::connect(&Endpoint::new(&self.source)).await?;
        let collection = client.describe_collection(&self.database, &self.collection).await?;
        let kind = LogKind::of(&self.log_kind).context("--log-kind is nats, pulsar or kafka")?;
        let access = LogAccess { kind, address: self.log.clone(), ..LogAccess::default() };
        Ok(OpenChannel { source: open_source(&access), collection })
    }
}

impl OpenChannel {
    fn pchannel(&self) -> Result<&str> {
        let shard = self.collection.shards.first().context("the collection has no shard")?;
        Ok(&shard.pchannel)
    }

    async fn end(&self) -> Result<Bytes> {
        let tail = self.source.tail(self.pchannel()?).await?;
        tail.position.context("the channel is empty")
    }

    /// Hands every message that comes from now on to `take`; ends only with an error.
    pub async fn follow(&self, mut take: impl FnMut(LogMessage)) -> Result<()> {
        let end = self.end().await?;
        let mut reader = self.source.open(self.pchannel()?, Start::After(end)).await?;
        loop {
            reader.next(READ_BYTES_MAX).await?.into_iter().for_each(&mut take);
        }
    }

    /// Hands every message behind `after`, up to the end of the channel as it is now, to `take`. Returns how long
    /// it took, from opening the channel on.
    pub async fn read(&self, after: Bytes, mut take: impl FnMut(LogMessage)) -> Result<Duration> {
        let end = self.end().await?;
        let started = Instant::now();
        let mut reader = self.source.open(self.pchannel()?, Start::After(after)).await?;
        loop {
            for message in reader.next(READ_BYTES_MAX).await? {
                let last = self.source.compare(&message.position, &end) != Ordering::Less;
                take(message);
                if last {
                    return Ok(started.elapsed());
                }
            }
        }
    }
}

/// A position as an argument of this program.
pub fn parse_position(text: &str) -> Result<Bytes, String> {
    let digit_pairs = text.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        digit_pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    bytes.map(Bytes::from).ok_or_else(|| "expected hexadecimal digits, as `end` prints them".to_owned())
}

fn hex(position: &[u8]) -> String {
    position.iter().map(|byte| format!("{byte:02x}")).collect()
}
