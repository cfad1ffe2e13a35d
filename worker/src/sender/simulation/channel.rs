//! One target pchannel and the source logs that feed it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use harrier_milvus::log::{LogMessage, LogTail};
use harrier_milvus::tso::{self, Timestamp};
use harrier_proto::milvus::ReplicateMessageRequest;

use super::log::SimLog;
use super::model::forget;
use super::model::history::{self, History, Row};
use super::model::random::Random;
use super::model::target::{self, Target};

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
    /// Of the last row.
    newest_row: Timestamp,
    dropped: BTreeSet<usize>,
    /// How far the target's clock is off, in milliseconds.
    clock_off_ms: i64,
    /// Rises with whatever may change the rows that are visible.
    version: u64,
    seen: RefCell<Seen>,
}

/// What was visible at a version, and whether that was right.
#[derive(Default)]
struct Seen {
    rows: Option<(u64, Rc<Rows>)>,
    difference: Option<(u64, Option<String>)>,
}

type Rows = BTreeMap<Row, usize>;

/// How far the target's clock may be off at first.
const CLOCKS_OFF_MS: [i64; 4] = [0, 0, -1_000, -3_000];

/// How long the source writes.
const WRITING_MS: u64 = 4000;

impl SimChannel {
    /// What the source writes, drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        let history = History::lasting(&mut Random::new(seed), Some(WRITING_MS));
        let last = history.logs.iter().filter_map(|log| log.last());
        let end_ms = last.map(|logged| logged.at_ms).max().unwrap_or_default();
        let clock_off_ms = CLOCKS_OFF_MS[Random::new(!seed).index(CLOCKS_OFF_MS.len())];
        let newest_row = history.rows.iter().map(|row| row.value.cast_unsigned()).max().unwrap_or(0);
        Self {
            history,
            target: Target::default(),
            messages: 0,
            end_ms,
            newest_row,
            dropped: BTreeSet::new(),
            clock_off_ms,
            version: 1,
            seen: RefCell::default(),
        }
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
        self.log(channel).map(|log| log.read(number(after), now_ms, count)).unwrap_or_default()
    }

    /// The end of a source channel, as a log answers it: everything from the last tick on.
    pub(super) fn tail(&self, channel: &str, now_ms: u64) -> LogTail {
        let nothing = || LogTail { position: None, messages: Vec::new() };
        self.log(channel).map_or_else(nothing, |log| log.tail(now_ms))
    }

    fn log(&self, channel: &str) -> Option<SimLog<'_>> {
        let number: usize = channel.strip_prefix("src-dml_")?.parse().ok()?;
        self.history.logs.get(number).map(|log| SimLog::new(log, self.begin_ms()))
    }

    /// Puts the target's clock forward. It never goes back.
    pub const fn put_clock_forward(&mut self, forward_ms: u64) {
        self.clock_off_ms = self.clock_off_ms.saturating_add_unsigned(forward_ms);
    }

    /// The target's clock.
    pub fn clock(&self, unix_ms: u64) -> Timestamp {
        tso::compose(unix_ms.saturating_add_signed(self.clock_off_ms), 0)
    }

    /// Whether the target refuses a call because it lies too far ahead of its clock.
    pub fn refuses(&self, call: &ReplicateMessageRequest, unix_ms: u64) -> bool {
        Target::refuses(call, unix_ms.saturating_add_signed(self.clock_off_ms))
    }

    /// The target executes the first `count` messages of a call; answers the position of the last one.
    pub fn execute(&mut self, call: &ReplicateMessageRequest, count: usize) -> u64 {
        self.target.execute(call, count);
        self.version += 1;
        self.messages += call.msgs.len().min(count) as u64;
        self.messages
    }

    /// The target executes some messages of a call that everybody has given up.
    pub fn execute_late(&mut self, call: &ReplicateMessageRequest, from: usize, to: usize) {
        self.target.execute_late(call, from, to);
        self.version += 1;
        self.messages += to.saturating_sub(from) as u64;
    }

    /// The target seals what grows; answers the position of its last message.
    pub fn flush(&mut self) -> u64 {
        self.target.flush();
        self.version += 1;
        self.messages
    }

    /// kill -9 of the target: it reads again what grew.
    pub fn restart(&mut self) {
        self.target.restart();
        self.version += 1;
    }

    /// The target writes a message of its own, as it does for each collection that it creates.
    pub const fn write_own(&mut self) {
        self.messages += 1;
    }

    /// The coordinators begin again with a backup: they may not know yet what was dropped after it.
    pub fn coordinators_forget(&mut self) {
        self.target.forgiving = true;
    }

    /// The newest timestamp of a row that the source has.
    pub const fn newest_row(&self) -> Timestamp {
        self.newest_row
    }

    /// Largest timestamp that ever reached the target.
    pub const fn newest(&self) -> Timestamp {
        self.target.newest
    }

    /// Drops a collection at the target.
    pub fn drop_collection(&mut self, number: usize, created_ts: Timestamp) {
        forget(&mut self.target, number, created_ts);
        self.version += 1;
    }

    /// The source drops a collection: its rows are no longer expected.
    pub fn dropped_at_source(&mut self, number: usize) {
        self.version += u64::from(self.dropped.insert(number));
    }

    fn visible(&self) -> Rc<Rows> {
        let mut seen = self.seen.borrow_mut();
        match &seen.rows {
            Some((version, rows)) if *version == self.version => rows.clone(),
            _ => {
                let rows = Rc::new(self.target.visible());
                seen.rows = Some((self.version, rows.clone()));
                rows
            }
        }
    }

    /// What is wrong with the target's rows, once everything has arrived.
    pub fn difference(&self) -> Option<String> {
        if let Some((version, difference)) = &self.seen.borrow().difference
            && *version == self.version
        {
            return difference.clone();
        }
        let difference = self.compare();
        self.seen.borrow_mut().difference = Some((self.version, difference.clone()));
        difference
    }

    fn compare(&self) -> Option<String> {
        let expected: BTreeSet<&Row> =
            self.history.rows.iter().filter(|row| !self.dropped.contains(&row.shard)).collect();
        let found = self.visible();
        let missing: Vec<_> = expected.iter().filter(|row| !found.contains_key(row)).collect();
        let wrong: Vec<_> =
            found.iter().filter(|(row, count)| !expected.contains(row) || **count != 1).collect();
        let equal = missing.is_empty() && wrong.is_empty();
        (!equal).then(|| format!("missing {missing:?}, too many {wrong:?}"))
    }

    /// A row that is said to be at the target (`confirmed`) and is not.
    pub fn not_there(&self, shard: usize, confirmed: Timestamp) -> Option<String> {
        let visible = self.visible();
        let touched = |key: i64| {
            let mut writes = self.history.writes.iter();
            writes.any(|write| write.shard == shard && write.ts > confirmed && write.keys.contains(&key))
        };
        let said = self.history.rows.iter().filter(|row| {
            row.shard == shard && row.value.cast_unsigned() <= confirmed && !self.dropped.contains(&shard)
        });
        let mut absent = said.filter(|row| !visible.contains_key(row)).filter(|row| !touched(row.key));
        absent.next().map(|row| format!("{row:?} is said to be there"))
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
