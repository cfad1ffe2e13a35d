//! One target pchannel and the source logs that feed it.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::log::{LogMessage, LogTail};
use harrier_milvus::tso::Timestamp;
use harrier_proto::milvus::ReplicateMessageRequest;

use super::model::forget;
use super::model::history::{self, History};
use super::model::random::Random;
use super::model::target::{self, Target};
use crate::message::{self, Head};

/// A collection of one shard, as the catalogs of source and target know it.
#[derive(Clone, Debug)]
pub struct SimCollection {
    /// Number of its shard within the channel.
    pub number: usize,
    /// Id at the source.
    pub source_id: i64,
    /// Id at the target.
    pub target_id: i64,
    /// Source pchannel.
    pub source_pchannel: String,
    /// Source vchannel.
    pub source_vchannel: String,
    /// Target vchannel.
    pub target_vchannel: String,
    /// Partition ids: at the source, at the target.
    pub partitions: Vec<(i64, i64)>,
}

/// A target pchannel, what the source wrote for it, and what the target has of it.
pub struct SimChannel {
    history: History,
    target: Target,
    /// Messages on the channel: each has a position.
    messages: u64,
    /// When the last row is on the logs, in unix milliseconds.
    end_ms: u64,
    dropped: BTreeSet<usize>,
}

/// How long the source writes.
const WRITING_MS: u64 = 4000;
/// How long its ticks go on behind that.
const TICKING_MS: u64 = 90_000;

impl SimChannel {
    /// What the source writes, drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut history = History::lasting(&mut Random::new(seed), Some(WRITING_MS));
        let last = history.logs.iter().filter_map(|log| log.last());
        let end_ms = last.map(|logged| logged.at_ms).max().unwrap_or_default();
        history.tick_on(end_ms + TICKING_MS);
        Self { history, target: Target::default(), messages: 0, end_ms, dropped: BTreeSet::new() }
    }

    /// When the source's first write can be, in unix milliseconds.
    pub fn begin_ms(&self) -> u64 {
        self.history.shape.begin_ms
    }

    /// When the last row is on the logs, in unix milliseconds.
    pub fn end_ms(&self) -> u64 {
        self.end_ms
    }

    /// All collections that are carried by the channel.
    pub fn collections(&self) -> Vec<SimCollection> {
        let shape = &self.history.shape;
        let collection = |number: usize| {
            let source_vchannel = history::vchannel(shape, number);
            SimCollection {
                number,
                source_id: 1000 + number.cast_signed() as i64,
                target_id: 2000 + number.cast_signed() as i64,
                source_pchannel: history::channel_name(shape.shards[number]),
                source_vchannel,
                target_vchannel: target::target_vchannel(number),
                partitions: (0..shape.partitions)
                    .map(|partition| {
                        (
                            history::source_partition(number, partition),
                            target::target_partition(number, partition),
                        )
                    })
                    .collect(),
            }
        };
        (0..shape.shards.len()).map(collection).collect()
    }

    /// What is on a source channel behind `after` by now, at most `count` messages.
    pub(super) fn read(&self, channel: &str, after: &[u8], now_ms: u64, count: usize) -> Vec<LogMessage> {
        let Some(log) = self.log(channel) else { return Vec::new() };
        let there = log.iter().skip(number(after)).take_while(|logged| logged.at_ms <= now_ms);
        there.take(count).map(|logged| logged.message.clone()).collect()
    }

    /// The end of a source channel, as a log answers it: everything from the last tick on.
    pub(super) fn tail(&self, channel: &str, now_ms: u64) -> LogTail {
        let log = self.log(channel).map(Vec::as_slice).unwrap_or_default();
        let there: Vec<&LogMessage> =
            log.iter().take_while(|logged| logged.at_ms <= now_ms).map(|logged| &logged.message).collect();
        let is_tick =
            |message: &&LogMessage| matches!(message::read_head(&message.payload), Ok(Head::TimeTick { .. }));
        let from = there.iter().rposition(is_tick).unwrap_or(0);
        let messages: Vec<LogMessage> = there[from..].iter().map(|message| (*message).clone()).collect();
        LogTail { position: messages.last().map(|message| message.position.clone()), messages }
    }

    fn log(&self, channel: &str) -> Option<&Vec<history::Logged>> {
        let number: usize = channel.strip_prefix("src-dml_")?.parse().ok()?;
        self.history.logs.get(number)
    }

    /// The target executes the first `count` messages of a call; answers the position of the last one.
    pub fn execute(&mut self, call: &ReplicateMessageRequest, count: usize) -> u64 {
        self.target.execute(call, count);
        self.messages += call.msgs.len().min(count) as u64;
        self.messages
    }

    /// The target executes some messages of a call that everybody has given up.
    pub fn execute_late(&mut self, call: &ReplicateMessageRequest, from: usize, to: usize) {
        self.target.execute_late(call, from, to);
        self.messages += to.saturating_sub(from) as u64;
    }

    /// The target writes a message of its own, as it does for each collection that it creates.
    pub fn write_own(&mut self) {
        self.messages += 1;
    }

    /// The newest timestamp of a row that the source has.
    pub fn newest_row(&self) -> Timestamp {
        self.history.rows.iter().map(|row| row.value.cast_unsigned()).max().unwrap_or(0)
    }

    /// Largest timestamp that ever reached the target.
    pub fn newest(&self) -> Timestamp {
        self.target.newest
    }

    /// Drops a collection at the target.
    pub fn drop_collection(&mut self, number: usize, created_ts: Timestamp) {
        forget(&mut self.target, number, created_ts);
    }

    /// The source drops a collection: its rows are no longer expected.
    pub fn dropped_at_source(&mut self, number: usize) {
        self.dropped.insert(number);
    }

    /// What is wrong with the target's rows, once everything has arrived.
    pub fn difference(&self) -> Option<String> {
        let there = self.history.rows.iter().filter(|row| !self.dropped.contains(&row.shard));
        let expected: BTreeMap<_, _> = there.map(|row| (row.clone(), 1)).collect();
        let found = self.target.visible();
        let missing: Vec<_> = expected.keys().filter(|row| !found.contains_key(row)).collect();
        let wrong: Vec<_> = found.iter().filter(|(row, count)| expected.get(row) != Some(count)).collect();
        let equal = missing.is_empty() && wrong.is_empty();
        (!equal).then(|| format!("missing {missing:?}, too many {wrong:?}"))
    }

    /// A row that is said to be at the target (`confirmed`) and is not.
    pub fn not_there(&self, shard: usize, confirmed: Timestamp) -> Option<String> {
        let visible = self.target.visible();
        let touched = |key: i64| {
            let mut writes = self.history.writes.iter();
            writes.any(|write| write.shard == shard && write.ts > confirmed && write.keys.contains(&key))
        };
        let said = self.history.rows.iter().filter(|row| {
            row.shard == shard && row.value.cast_unsigned() <= confirmed && !self.dropped.contains(&shard)
        });
        let absent = said.filter(|row| !touched(row.key)).find(|row| !visible.contains_key(row));
        absent.map(|row| format!("{row:?} is said to be there"))
    }
}

/// Positions of the model count from 1; before everything: 0.
pub(super) fn number(position: &[u8]) -> usize {
    let bytes: [u8; 8] = position.try_into().unwrap_or_default();
    usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX)
}

/// Positions in the order of the log.
pub(super) fn order(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    number(a).cmp(&number(b))
}
