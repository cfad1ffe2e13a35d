//! Changes asked of targets (DDL), counted for metrics. Lost with the leader: counters begin again at zero.

use std::collections::{BTreeMap, BTreeSet};

use crate::registry::TaskId;

/// Calls by task and Milvus' name of the request. The names are few, so the tasks bound it.
#[derive(Default)]
pub(crate) struct ApiCalls {
    counts: BTreeMap<(TaskId, &'static str), u64>,
}

impl ApiCalls {
    pub(crate) fn count(&mut self, task_id: &str, api_type: &'static str) {
        let count = self.counts.entry((task_id.to_owned(), api_type)).or_default();
        *count = count.saturating_add(1);
    }

    /// Forgets the tasks that are gone.
    pub(crate) fn retain_tasks(&mut self, tasks: &BTreeSet<TaskId>) {
        self.counts.retain(|(task_id, _), _| tasks.contains(task_id));
    }

    pub(crate) fn snapshot(&self) -> BTreeMap<(TaskId, &'static str), u64> {
        self.counts.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_task_and_request_and_go_with_the_task() {
        let mut calls = ApiCalls::default();
        calls.count("a", "CreateCollection");
        calls.count("a", "CreateCollection");
        calls.count("b", "CreateDatabase");
        assert_eq!(calls.snapshot()[&("a".to_owned(), "CreateCollection")], 2);
        calls.retain_tasks(&BTreeSet::from(["b".to_owned()]));
        assert_eq!(calls.snapshot().into_keys().collect::<Vec<_>>(), [("b".to_owned(), "CreateDatabase")]);
    }
}
