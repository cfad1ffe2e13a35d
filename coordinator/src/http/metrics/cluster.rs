//! The coordinators, the workers, and what does not go on at present.

use std::collections::BTreeMap;

use harrier_milvus::error::ErrorClass;

use super::text::{Exposition, Kind};
use crate::http::lag::seconds_since;
use crate::leader::{HeldCollection, SenderInfo, TaskReason, WorkerInfo};
use crate::raft::RaftStatus;
use crate::registry::TaskId;

/// The node's place in the group.
pub(super) fn raft(exposition: &mut Exposition, status: &RaftStatus) {
    let mut family = exposition.family("harrier_raft_role", Kind::Gauge, "1 for the role that this node has");
    family.sample(&[("role", status.role)], 1);
    exposition.single(
        "harrier_raft_term",
        Kind::Gauge,
        "term of the group that this node knows",
        status.term,
    );
    let help = "1 when this node knows a leader";
    exposition.single("harrier_raft_leader_known", Kind::Gauge, help, u8::from(status.leader.is_some()));
    let help = "index of the last entry on this node's disk";
    exposition.single("harrier_raft_last_log_index", Kind::Gauge, help, status.last_log_index);
    let help = "index of the last entry that was applied";
    exposition.single("harrier_raft_applied_index", Kind::Gauge, help, status.applied_index);
    let help = "index of the last entry that the snapshot covers";
    exposition.single("harrier_raft_snapshot_index", Kind::Gauge, help, status.snapshot_index);
    let help = "elections that this node called because the leader's process was gone";
    exposition.single("harrier_raft_successions_total", Kind::Counter, help, status.successions);
}

/// Which workers there are, how much they hold, and when they were heard of.
pub(super) fn workers(exposition: &mut Exposition, workers: &[WorkerInfo], now_ms: u64) {
    let mut family =
        exposition.family("harrier_workers", Kind::Gauge, "number of workers with a lease, by state");
    for (state, draining) in [("accepting", false), ("draining", true)] {
        let count = workers.iter().filter(|worker| worker.draining == draining).count();
        family.sample(&[("state", state)], count);
    }
    let help = "bytes in the worker's buffers";
    let mut family = exposition.family("harrier_worker_buffered_bytes", Kind::Gauge, help);
    for worker in workers {
        family.sample(&[("worker_id", &worker.worker_id)], worker.buffered_bytes);
    }
    let help = "seconds since the worker's last heartbeat";
    let mut family = exposition.family("harrier_worker_heartbeat_age_seconds", Kind::Gauge, help);
    for worker in workers {
        family.sample(&[("worker_id", &worker.worker_id)], seconds_since(worker.last_seen_ms, now_ms));
    }
}

/// What keeps tasks, senders and channel shards from going on, by class.
pub(super) fn errors(
    exposition: &mut Exposition,
    tasks: &BTreeMap<String, TaskReason>,
    senders: &[SenderInfo],
    now_ms: u64,
) {
    let of_tasks = tasks.values();
    let of_senders = senders.iter().filter_map(|sender| sender.error.as_ref());
    let of_shards = senders.iter().flat_map(|sender| &sender.shards).filter_map(|shard| shard.held.as_ref());
    let help = "tasks, senders and channel shards that an error keeps from going on at present, by class";
    let mut family = exposition.family("harrier_errors", Kind::Gauge, help);
    let scopes: [(&str, Vec<&TaskReason>); 3] =
        [("task", of_tasks.collect()), ("sender", of_senders.collect()), ("shard", of_shards.collect())];
    for (scope, reasons) in scopes {
        for class in ErrorClass::ALL {
            let count = reasons.iter().filter(|reason| reason.class == class).count();
            family.sample(&[("scope", scope), ("class", class.as_str())], count);
        }
    }
    let help = "seconds for which the task has had the reason that `get` shows";
    let mut family = exposition.family("harrier_task_reason_seconds", Kind::Gauge, help);
    for (task_id, reason) in tasks {
        let labels = [("task_id", task_id.as_str()), ("class", reason.class.as_str())];
        family.sample(&labels, seconds_since(reason.since_ms, now_ms));
    }
    let help = "partitions of the source that a task's channel shards wait for";
    let mut family = exposition.family("harrier_missing_partitions", Kind::Gauge, help);
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    for shard in senders.iter().flat_map(|sender| &sender.shards) {
        *missing.entry(shard.task_id()).or_default() += shard.missing_partitions.len();
    }
    for (task_id, count) in missing {
        family.sample(&[("task_id", task_id)], count);
    }
}

/// How many collections of each task are held.
pub(super) fn held(
    exposition: &mut Exposition,
    tasks: &[TaskId],
    held: &BTreeMap<TaskId, Vec<HeldCollection>>,
) {
    let help = "collections of the task that are held at present, while all others go on";
    let mut family = exposition.family("harrier_held_collections", Kind::Gauge, help);
    for task_id in tasks {
        family.sample(&[("task_id", task_id)], held.get(task_id).map_or(0, Vec::len));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use harrier_milvus::error::ErrorClass;

    use super::super::text::Exposition;
    use super::{errors, held, workers};
    use crate::leader::{HeldCollection, SenderInfo, ShardInfo, TaskReason, WorkerInfo};

    fn reason(class: ErrorClass, since_ms: u64) -> TaskReason {
        TaskReason { class, message: "why".into(), since_ms }
    }

    fn samples(render: impl FnOnce(&mut Exposition)) -> Vec<String> {
        let mut exposition = Exposition::new(100);
        render(&mut exposition);
        exposition.finish().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn errors_are_counted_by_scope_and_class() {
        let shard = ShardInfo {
            shard_id: "t/ch_1v0".into(),
            tick: 0,
            replay_until: 0,
            joined: false,
            confirmed: 0,
            held: Some(reason(ErrorClass::Operator, 1)),
            lost_at_target: false,
            missing_partitions: vec![7, 8],
        };
        let sender = SenderInfo {
            sender_id: "target/ch".into(),
            worker_id: "w".into(),
            epoch: 1,
            input_version: 1,
            phase: "running",
            clock: 0,
            wanted_horizon: 0,
            tick: 0,
            reported_ms: 0,
            error: Some(reason(ErrorClass::Transient, 1)),
            target_position: Vec::new(),
            source_ahead_ms: 0,
            shards: vec![shard],
        };
        let tasks = BTreeMap::from([("t".to_owned(), reason(ErrorClass::Operator, 1000))]);
        let found = samples(|exposition| errors(exposition, &tasks, &[sender], 3500));
        assert_eq!(found.len(), 3 * 3 + 2, "every class of every scope is there from the start");
        for line in [
            r#"harrier_errors{scope="task",class="operator"} 1"#,
            r#"harrier_errors{scope="sender",class="transient"} 1"#,
            r#"harrier_errors{scope="shard",class="operator"} 1"#,
            r#"harrier_errors{scope="shard",class="bug"} 0"#,
            r#"harrier_task_reason_seconds{task_id="t",class="operator"} 2.5"#,
            r#"harrier_missing_partitions{task_id="t"} 2"#,
        ] {
            assert!(found.iter().any(|found| found == line), "{line} in {found:#?}");
        }
    }

    #[test]
    fn a_task_without_held_collections_shows_none() {
        let collection = HeldCollection {
            source_id: 5,
            database: "default".into(),
            name: "c".into(),
            reason: reason(ErrorClass::Operator, 1),
        };
        let held_of_a = BTreeMap::from([("a".to_owned(), vec![collection.clone(), collection])]);
        let found = samples(|exposition| held(exposition, &["a".into(), "b".into()], &held_of_a));
        let expected =
            [r#"harrier_held_collections{task_id="a"} 2"#, r#"harrier_held_collections{task_id="b"} 0"#];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_worker_that_leaves_is_not_counted_as_accepting() {
        let worker = |draining| WorkerInfo {
            worker_id: format!("w{}", u8::from(draining)),
            description: String::new(),
            version: String::new(),
            address: String::new(),
            registered: true,
            draining,
            last_seen_ms: 900,
            buffered_bytes: 42,
            desired_version: 1,
        };
        let found = samples(|exposition| workers(exposition, &[worker(false), worker(true)], 1000));
        assert_eq!(
            found,
            [
                r#"harrier_workers{state="accepting"} 1"#,
                r#"harrier_workers{state="draining"} 1"#,
                r#"harrier_worker_buffered_bytes{worker_id="w0"} 42"#,
                r#"harrier_worker_buffered_bytes{worker_id="w1"} 42"#,
                r#"harrier_worker_heartbeat_age_seconds{worker_id="w0"} 0.1"#,
                r#"harrier_worker_heartbeat_age_seconds{worker_id="w1"} 0.1"#,
            ]
        );
    }
}
