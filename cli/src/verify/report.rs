//! What a comparison found, told.

use std::collections::BTreeMap;

use harrier_milvus::tso::{self, Timestamp};

use super::api::Task;
use super::key::Key;
use super::scope::{Name, Pair, Scope};

/// One difference, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of which row.
    pub(super) key: Option<Key>,
    pub(super) text: String,
}

impl Difference {
    /// One that is of no single row.
    pub(super) fn of(text: String) -> Self {
        Self { key: None, text }
    }
}

/// How one collection compares.
#[derive(Debug)]
pub(super) struct Outcome {
    source_id: i64,
    source: Name,
    target: Name,
    pub(super) differences: Vec<Difference>,
    /// Rows of the source that were read.
    pub(super) rows: u64,
    /// Rows that changed all the time.
    pub(super) unsettled: u64,
    /// Why not all of it was compared.
    pub(super) incomplete: Option<String>,
    /// The source has dropped it since.
    pub(super) gone: bool,
}

impl Outcome {
    pub(super) fn of(pair: &Pair) -> Self {
        Self {
            source_id: pair.source_id,
            source: pair.source.clone(),
            target: pair.target.clone(),
            differences: Vec::new(),
            rows: 0,
            unsettled: 0,
            incomplete: None,
            gone: false,
        }
    }
}

/// What all of it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was compared and nothing differs.
    Equal,
    /// Something differs.
    Different,
    /// Nothing that was compared differs, but not everything was.
    Incomplete,
}

/// Everything.
#[derive(Debug)]
pub struct Report {
    task_id: String,
    state: String,
    at: Timestamp,
    held: BTreeMap<i64, String>,
    outcomes: Vec<Outcome>,
    /// Not compared, for there is nothing to compare with.
    missing: Vec<(Name, String)>,
}

impl Report {
    pub(super) fn new(task: &Task, at: Timestamp) -> Self {
        let unmapped = |id: &i64| !task.pairs.iter().any(|pair| pair.source_id == *id);
        Self {
            task_id: task.id.clone(),
            state: task.state.clone(),
            at,
            held: task.held.iter().map(|(id, (_, reason))| (*id, reason.clone())).collect(),
            missing: task.held.iter().filter(|(id, _)| unmapped(id)).map(|(_, held)| held.clone()).collect(),
            outcomes: Vec::new(),
        }
    }

    /// Selected, and without a copy.
    pub(super) fn scope(&mut self, scope: &Scope) {
        for name in &scope.unknown {
            if !self.missing.iter().any(|(known, _)| known == name) {
                self.missing.push((name.clone(), "the task selects it, and has no copy of it".to_owned()));
            }
        }
    }

    pub(super) fn collection(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        let differs = |outcome: &Outcome| !outcome.differences.is_empty();
        let is_open = |outcome: &Outcome| outcome.incomplete.is_some() || outcome.unsettled > 0;
        if !self.missing.is_empty() || self.outcomes.iter().any(differs) {
            Verdict::Different
        } else if self.outcomes.iter().any(is_open) {
            Verdict::Incomplete
        } else {
            Verdict::Equal
        }
    }

    /// As text, with the first differences of each collection by key.
    pub fn text(&self, shown_max: usize) -> String {
        let mut outcomes: Vec<&Outcome> = self.outcomes.iter().filter(|outcome| !outcome.gone).collect();
        outcomes.sort_by(|a, b| a.source.cmp(&b.source));
        let mut text = format!(
            "task {} ({}), source and target up to {} ms of the source\n",
            self.task_id,
            self.state,
            tso::physical_ms(self.at)
        );
        for outcome in &outcomes {
            text += &self.of_collection(outcome, shown_max);
        }
        for (name, reason) in &self.missing {
            text += &format!("different   {name}: missing at the target: {reason}\n");
        }
        let rows: u64 = outcomes.iter().map(|outcome| outcome.rows).sum();
        let verdict = match self.verdict() {
            Verdict::Equal => "equal",
            Verdict::Different => "DIFFERENT",
            Verdict::Incomplete => "NOT ALL COMPARED, no difference found",
        };
        text + &format!("{verdict}: {} collections, {rows} rows\n", outcomes.len() + self.missing.len())
    }

    fn of_collection(&self, outcome: &Outcome, shown_max: usize) -> String {
        let Outcome { source, target, rows, differences, .. } = outcome;
        let name = if source == target { source.to_string() } else { format!("{source} -> {target}") };
        let word = match (differences.is_empty(), outcome.incomplete.is_some() || outcome.unsettled > 0) {
            (false, _) => "different",
            (true, true) => "incomplete",
            (true, false) => "equal",
        };
        let mut text = format!("{word:<11} {name}: {rows} rows\n");
        for difference in differences.iter().take(shown_max) {
            text += &format!("            {}\n", difference.text);
        }
        if differences.len() > shown_max {
            text += &format!("            {} differences in all\n", differences.len());
        }
        if outcome.unsettled > 0 {
            text += &format!(
                "            {} rows change all the time, and were not settled\n",
                outcome.unsettled
            );
        }
        if let Some(reason) = &outcome.incomplete {
            text += &format!("            not compared: {reason}\n");
        }
        if let Some(reason) = self.held.get(&outcome.source_id).filter(|_| word != "equal") {
            text += &format!("            it is held: {reason}\n");
        }
        text
    }
}
