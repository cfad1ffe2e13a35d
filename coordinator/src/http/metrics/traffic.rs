//! Counters of what went from log to target, as the leader summed them up from the workers' reports.

use std::collections::BTreeMap;

use harrier_milvus::tso;

use super::text::{Exposition, Kind};
use crate::leader::TrafficCounter;
use crate::registry::TaskId;

/// All families that are made of traffic.
pub(super) fn render(exposition: &mut Exposition, traffic: &[TrafficCounter]) {
    newest(exposition, traffic);
    bytes(exposition, traffic);
    rows(exposition, traffic);
    per_task(
        exposition,
        "harrier_replayed_rows_total",
        "rows that were sent in the idempotent form, because they might have been at the target already",
        traffic,
        |counter| counter.count.replayed_rows,
    );
    per_task(
        exposition,
        "harrier_discarded_messages_total",
        "messages of dropped collections and partitions, and second copies, passed over",
        traffic,
        |counter| counter.count.discarded,
    );
}

/// Changes asked of the targets of tasks.
pub(super) fn api_calls(exposition: &mut Exposition, calls: &BTreeMap<(TaskId, &'static str), u64>) {
    let help = "changes (DDL) asked of the task's target, by Milvus' name of the request";
    let mut family = exposition.family("milvus_cdc_api_execute_total", Kind::Counter, help);
    for ((task_id, api_type), count) in calls {
        family.sample(&[("task_id", task_id), ("api_type", api_type)], *count);
    }
}

fn newest(exposition: &mut Exposition, traffic: &[TrafficCounter]) {
    let mut series: BTreeMap<_, u64> = BTreeMap::new();
    for TrafficCounter { key, count } in traffic {
        let newest = series.entry((&key.task_id, &key.source_vchannel, key.op_type)).or_default();
        *newest = (*newest).max(count.newest_timestamp);
    }
    let help = "time of the newest message that was read from the source or written to the target, in epoch milliseconds";
    let mut family = exposition.family("milvus_cdc_replicate_tt", Kind::Gauge, help);
    for ((task_id, vchannel, op_type), newest) in series {
        let labels = [("task_id", task_id.as_str()), ("vchannel_name", vchannel), ("op_type", op_type)];
        family.sample(&labels, tso::physical_ms(newest));
    }
}

fn bytes(exposition: &mut Exposition, traffic: &[TrafficCounter]) {
    let mut series: BTreeMap<_, u64> = BTreeMap::new();
    for TrafficCounter { key, count } in traffic {
        let labels = (&key.task_id, &key.source_vchannel, key.op_type, key.message_type);
        *series.entry(labels).or_default() += count.bytes;
    }
    let help = "bytes of the messages";
    let mut family = exposition.family("milvus_cdc_replicate_data_size", Kind::Counter, help);
    for ((task_id, vchannel, op_type, message_type), bytes) in series {
        let labels = [
            ("task_id", task_id.as_str()),
            ("vchannel_name", vchannel),
            ("op_type", op_type),
            ("msg_type", message_type_label(message_type)),
        ];
        family.sample(&labels, bytes);
    }
}

fn rows(exposition: &mut Exposition, traffic: &[TrafficCounter]) {
    let mut series: BTreeMap<_, u64> = BTreeMap::new();
    for TrafficCounter { key, count } in traffic {
        if matches!(key.message_type, "insert" | "delete") {
            let collection = (key.source_collection_id, &key.collection_name);
            *series.entry((&key.task_id, collection, key.op_type, key.message_type)).or_default() +=
                count.rows;
        }
    }
    let help = "rows that were inserted, keys that were deleted";
    let mut family = exposition.family("milvus_cdc_replicate_data_cnt", Kind::Counter, help);
    for ((task_id, (collection_id, collection_name), op_type, api_type), rows) in series {
        let labels = [
            ("task_id", task_id.as_str()),
            ("collection_id", &collection_id.to_string()),
            ("collection_name", collection_name),
            ("op_type", op_type),
            ("api_type", api_type),
        ];
        family.sample(&labels, rows);
    }
}

fn per_task(
    exposition: &mut Exposition,
    name: &'static str,
    help: &str,
    traffic: &[TrafficCounter],
    value: impl Fn(&TrafficCounter) -> u64,
) {
    let mut series: BTreeMap<&str, u64> = BTreeMap::new();
    for counter in traffic {
        *series.entry(&counter.key.task_id).or_default() += value(counter);
    }
    let mut family = exposition.family(name, Kind::Counter, help);
    for (task_id, sum) in series {
        family.sample(&[("task_id", task_id)], sum);
    }
}

/// Existing dashboards filter by Milvus' own spelling of message types.
fn message_type_label(message_type: &str) -> &str {
    match message_type {
        "insert" => "Insert",
        "delete" => "Delete",
        "timetick" => "TimeTick",
        "drop_collection" => "DropCollection",
        "drop_partition" => "DropPartition",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use harrier_milvus::tso;

    use super::super::text::Exposition;
    use super::render;
    use crate::leader::{TrafficCount, TrafficCounter, TrafficKey};

    fn counter(
        message_type: &'static str,
        op_type: &'static str,
        collection: &str,
        ms: u64,
    ) -> TrafficCounter {
        TrafficCounter {
            key: TrafficKey {
                task_id: "t".into(),
                source_vchannel: "ch_1v0".into(),
                source_collection_id: 1,
                collection_name: collection.into(),
                message_type,
                op_type,
            },
            count: TrafficCount {
                messages: 1,
                bytes: 100,
                rows: 10,
                newest_timestamp: tso::compose(ms, 5),
                replayed_rows: 2,
                discarded: 1,
            },
        }
    }

    #[test]
    fn one_series_per_label_set_in_the_spelling_of_existing_dashboards() {
        // The same collection under two names: it was renamed meanwhile.
        let traffic = [
            counter("insert", "read", "a", 1000),
            counter("insert", "read", "b", 3000),
            counter("timetick", "read", "a", 2000),
            counter("delete", "write", "a", 500),
        ];
        let mut exposition = Exposition::new(100);
        render(&mut exposition, &traffic);
        let text = exposition.finish();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                r#"milvus_cdc_replicate_tt{task_id="t",vchannel_name="ch_1v0",op_type="read"} 3000"#,
                r#"milvus_cdc_replicate_tt{task_id="t",vchannel_name="ch_1v0",op_type="write"} 500"#,
                r#"milvus_cdc_replicate_data_size{task_id="t",vchannel_name="ch_1v0",op_type="read",msg_type="Insert"} 200"#,
                r#"milvus_cdc_replicate_data_size{task_id="t",vchannel_name="ch_1v0",op_type="read",msg_type="TimeTick"} 100"#,
                r#"milvus_cdc_replicate_data_size{task_id="t",vchannel_name="ch_1v0",op_type="write",msg_type="Delete"} 100"#,
                r#"milvus_cdc_replicate_data_cnt{task_id="t",collection_id="1",collection_name="a",op_type="read",api_type="insert"} 10"#,
                r#"milvus_cdc_replicate_data_cnt{task_id="t",collection_id="1",collection_name="a",op_type="write",api_type="delete"} 10"#,
                r#"milvus_cdc_replicate_data_cnt{task_id="t",collection_id="1",collection_name="b",op_type="read",api_type="insert"} 10"#,
                r#"harrier_replayed_rows_total{task_id="t"} 8"#,
                r#"harrier_discarded_messages_total{task_id="t"} 4"#,
            ]
        );
    }
}
