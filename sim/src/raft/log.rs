//! The log of one member: a snapshot, the entries behind it, and how far they are on disk.

use std::sync::Arc;

use harrier_coordinator::registry::{Entry, State};

use super::{Message, Node};

/// Entries that stay behind a snapshot.
const KEPT: u64 = 10;

/// An entry and the term of the leader that made it.
#[derive(Clone)]
pub(crate) struct Logged {
    pub(crate) term: u64,
    /// `None`: what a term begins with.
    pub(crate) entry: Option<Arc<Entry>>,
}

/// Everything up to an entry.
pub(crate) struct Snapshot {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) state: State,
}

/// A log. Entries count from 1.
pub(crate) struct Log {
    pub(crate) snapshot: Arc<Snapshot>,
    /// Index of the first entry that is kept.
    first: u64,
    entries: Vec<Logged>,
    /// The last entry on disk.
    pub(super) synced: u64,
}

impl Log {
    pub(super) fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { first: snapshot.index + 1, entries: Vec::new(), synced: snapshot.index, snapshot }
    }

    /// Term and index of the last entry.
    pub(crate) fn last(&self) -> (u64, u64) {
        match self.entries.last() {
            Some(last) => (last.term, self.first + self.entries.len() as u64 - 1),
            None => (self.snapshot.term, self.snapshot.index),
        }
    }

    pub(crate) fn get(&self, index: u64) -> Option<&Logged> {
        let at = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.entries.get(at)
    }

    pub(super) fn term_at(&self, index: u64) -> Option<u64> {
        let in_snapshot = index == self.snapshot.index;
        self.get(index).map(|logged| logged.term).or(in_snapshot.then_some(self.snapshot.term))
    }

    pub(super) fn append(&mut self, logged: Logged) {
        self.entries.push(logged);
    }

    pub(super) fn sync(&mut self) {
        self.synced = self.last().1;
    }

    pub(super) fn crash(&mut self) {
        self.cut_from(self.synced + 1);
    }

    fn cut_from(&mut self, index: u64) {
        self.entries.truncate(usize::try_from(index.saturating_sub(self.first)).unwrap());
        self.synced = self.synced.min(index - 1);
    }

    /// The entries that follow `previous`, as the leader has them.
    pub(super) fn take(&mut self, previous: u64, entries: &[Logged], commit: u64) -> bool {
        let mut changed = false;
        for (index, logged) in (previous + 1..).zip(entries) {
            match self.term_at(index) {
                Some(term) if term == logged.term => continue,
                Some(_) => {
                    assert!(index > commit, "a decided entry is to be replaced");
                    self.cut_from(index);
                }
                None if index <= self.snapshot.index => continue,
                None => {}
            }
            assert_eq!(self.last().1 + 1, index, "a gap in the log");
            self.entries.push(logged.clone());
            changed = true;
        }
        changed
    }

    /// A snapshot of everything up to `index`, taken here.
    pub(crate) fn compact(&mut self, index: u64, state: State) {
        // What others have decided may not be on this disk yet.
        let Some(term) = self.term_at(index).filter(|_| index <= self.synced) else { return };
        self.snapshot = Arc::new(Snapshot { index, term, state });
        let first = self.first.max((index + 1).saturating_sub(KEPT));
        self.entries.drain(..usize::try_from(first - self.first).unwrap());
        self.first = first;
    }

    /// A snapshot of the leader, in place of everything.
    pub(super) fn install(&mut self, snapshot: Arc<Snapshot>) {
        *self = Self::new(snapshot);
    }

    /// What a follower gets that is to have `next` next.
    pub(super) fn message_for(&self, next: u64, node: &Node, round: u64) -> Message {
        let (term, leader) = (node.term, node.id);
        let Some(previous_term) = self.term_at(next - 1).filter(|_| next >= self.first) else {
            return Message::Install { term, leader, snapshot: self.snapshot.clone(), round };
        };
        let to = (self.last().1 + 1).min(next + node.habits.entries_max);
        let entries = (next..to).filter_map(|index| self.get(index).cloned()).collect();
        Message::Append {
            term,
            leader,
            previous: (previous_term, next - 1),
            entries,
            commit: node.commit,
            round,
        }
    }
}
