//! What of the tasks' metadata is not at their targets, and what targets refused. Lost with the leader: the next one
//! finds it anew, and counters begin again at zero.

use std::collections::{BTreeMap, BTreeSet};

use super::reason::TaskReason;
use crate::catalog_sync::MetadataProblem;
use crate::registry::TaskId;

/// One thing that is not at the target as it is at the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataRemark {
    /// Milvus' name of the request that would bring it.
    pub operation: &'static str,
    /// What it is about, with its names at the target.
    pub object: String,
    /// What is in the way, since when, and what to do.
    pub reason: TaskReason,
}

/// All of them.
#[derive(Default)]
pub(crate) struct MetadataTable {
    remarks: BTreeMap<TaskId, Vec<MetadataRemark>>,
    refused: BTreeMap<(TaskId, &'static str), u64>,
}

impl MetadataTable {
    /// What was there before for the same reason keeps its beginning.
    pub(crate) fn set(&mut self, task_id: &str, problems: &[MetadataProblem], now_ms: u64) {
        let former = self.remarks.remove(task_id).unwrap_or_default();
        let remark = |problem: &MetadataProblem| {
            let MetadataProblem { operation, object, message, class } = problem.clone();
            let same = |before: &&MetadataRemark| before.operation == operation && before.object == object;
            let before = former.iter().find(same).map(|before| &before.reason);
            let reason = TaskReason { class, message, since_ms: now_ms }.continuing(before);
            MetadataRemark { operation, object, reason }
        };
        let remarks: Vec<MetadataRemark> = problems.iter().map(remark).collect();
        if !remarks.is_empty() {
            self.remarks.insert(task_id.to_owned(), remarks);
        }
    }

    pub(crate) fn count_refused(&mut self, task_id: &str, operation: &'static str) {
        let count = self.refused.entry((task_id.to_owned(), operation)).or_default();
        *count = count.saturating_add(1);
    }

    /// Forgets the tasks that are gone, and what was said of those that do not run.
    pub(crate) fn retain_tasks(&mut self, tasks: &BTreeSet<TaskId>, running: &BTreeSet<TaskId>) {
        self.refused.retain(|(task_id, _), _| tasks.contains(task_id));
        self.remarks.retain(|task_id, _| running.contains(task_id));
    }

    pub(crate) fn remarks(&self) -> BTreeMap<TaskId, Vec<MetadataRemark>> {
        self.remarks.clone()
    }

    pub(crate) fn refused(&self) -> BTreeMap<(TaskId, &'static str), u64> {
        self.refused.clone()
    }
}

#[cfg(test)]
mod tests {
    use harrier_milvus::error::ErrorClass;

    use super::*;

    fn problem(object: &str, message: &str) -> MetadataProblem {
        let (object, message) = (object.to_owned(), message.to_owned());
        MetadataProblem { operation: "CreateIndex", object, message, class: ErrorClass::Operator }
    }

    #[test]
    fn what_stays_keeps_its_beginning_and_what_is_mended_goes() {
        let mut table = MetadataTable::default();
        table.set("a", &[problem("x", "odd"), problem("y", "odd")], 10);
        table.set("a", &[problem("y", "odd"), problem("z", "odd")], 20);
        let found = table.remarks().remove("a").unwrap_or_default();
        let since: Vec<_> = found.iter().map(|one| (one.object.as_str(), one.reason.since_ms)).collect();
        assert_eq!(since, [("y", 10), ("z", 20)]);
        table.set("a", &[], 30);
        assert!(table.remarks().is_empty());
    }

    #[test]
    fn a_task_that_is_paused_says_nothing_and_one_that_is_gone_is_not_counted() {
        let mut table = MetadataTable::default();
        let tasks = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        table.set("a", &[problem("x", "odd")], 10);
        table.count_refused("a", "CreateIndex");
        table.count_refused("a", "CreateIndex");
        table.retain_tasks(&tasks(&["a"]), &tasks(&[]));
        assert!(table.remarks().is_empty());
        assert_eq!(table.refused()[&("a".to_owned(), "CreateIndex")], 2);
        table.retain_tasks(&tasks(&[]), &tasks(&[]));
        assert!(table.refused().is_empty());
    }
}
