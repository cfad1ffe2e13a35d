//! What of the tasks' metadata is not at their targets.

use std::collections::BTreeMap;

use super::text::{Exposition, Kind};
use crate::leader::MetadataRemark;
use crate::registry::TaskId;

/// Both families.
pub(super) fn render(
    exposition: &mut Exposition,
    tasks: &[TaskId],
    remarks: &BTreeMap<TaskId, Vec<MetadataRemark>>,
    refused: &BTreeMap<(TaskId, &'static str), u64>,
) {
    let help = "things of the task's metadata that are not at its target as they are at the source";
    let mut family = exposition.family("harrier_metadata_problems", Kind::Gauge, help);
    for task_id in tasks {
        family.sample(&[("task_id", task_id)], remarks.get(task_id).map_or(0, Vec::len));
    }
    let help = "changes of metadata that the task's target refused and that were left out, by Milvus' name of the request";
    let mut family = exposition.family("harrier_metadata_refused_total", Kind::Counter, help);
    for ((task_id, operation), count) in refused {
        family.sample(&[("task_id", task_id), ("operation", operation)], *count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_without_problems_show_none() {
        let mut exposition = Exposition::new(100);
        let refused = BTreeMap::from([(("a".to_owned(), "CreateIndex"), 3)]);
        render(&mut exposition, &["a".to_owned()], &BTreeMap::new(), &refused);
        let text = exposition.finish();
        assert!(text.contains("harrier_metadata_problems{task_id=\"a\"} 0"), "{text}");
        let counted = "harrier_metadata_refused_total{task_id=\"a\",operation=\"CreateIndex\"} 3";
        assert!(text.contains(counted), "{text}");
    }
}
