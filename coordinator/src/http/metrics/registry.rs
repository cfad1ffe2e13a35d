//! Gauges that are read off the registry when somebody scrapes. Nothing here is remembered between scrapes: what is
//! stuck shows a lag that rises, because now moves and the confirmed tick does not.

use std::time::Duration;

use harrier_milvus::tso;

use super::text::{Exposition, Kind};
use crate::http::lag;
use crate::http::position::task_shards;
use crate::http::task_view::state_name;
use crate::registry::{Sender, State, TaskState};

/// Tasks by state, and the state of each.
pub(super) fn tasks(exposition: &mut Exposition, registry: &State) {
    let mut family = exposition.family("milvus_cdc_task_num", Kind::Gauge, "number of tasks by state");
    for state in [TaskState::Initial, TaskState::Running, TaskState::Paused] {
        let count = registry.tasks.values().filter(|task| task.state == state).count();
        family.sample(&[("task_state", state_name(state))], count);
    }
    let help = "state of a task: 0 Initial, 1 Running, 2 Paused";
    let mut family = exposition.family("milvus_cdc_task_state", Kind::Gauge, help);
    for task in registry.tasks.values() {
        family.sample(&[("task_id", &task.id)], state_number(task.state));
    }
}

fn state_number(state: TaskState) -> u8 {
    match state {
        TaskState::Initial => 0,
        TaskState::Running => 1,
        TaskState::Paused => 2,
    }
}

/// How far behind each task and each of its channel shards is.
pub(super) fn lag(exposition: &mut Exposition, registry: &State, now_ms: u64) {
    let help = "seconds since the newest source time up to which everything of the channel shard is at the target; \
                before the first one, seconds since the task was created";
    let mut family = exposition.family("harrier_lag_seconds", Kind::Gauge, help);
    for task in registry.tasks.values() {
        for (vchannel, shard) in task_shards(registry, &task.id) {
            family.sample(
                &[("task_id", &task.id), ("vchannel_name", vchannel)],
                lag::of_shard(task, shard, now_ms),
            );
        }
    }
    let help = "largest lag of the task's channel shards; without any, 0 once the task runs";
    let mut family = exposition.family("harrier_task_lag_seconds", Kind::Gauge, help);
    for task in registry.tasks.values() {
        family.sample(&[("task_id", &task.id)], lag::of_task(registry, task, now_ms));
    }
    caught_up(exposition, registry);
}

/// How long the source's log will keep what each channel shard has yet to read.
pub(super) fn log_left(exposition: &mut Exposition, registry: &State, now_ms: u64, kept: Duration) {
    let help = "seconds until the source's log may drop what the channel shard has yet to read";
    let mut family = exposition.family("harrier_log_left_seconds", Kind::Gauge, help);
    for task in registry.tasks.values() {
        for (vchannel, shard) in task_shards(registry, &task.id) {
            let left = (kept.as_secs_f64() - lag::of_shard(task, shard, now_ms)).max(0.0);
            family.sample(&[("task_id", &task.id), ("vchannel_name", vchannel)], left);
        }
    }
}

fn caught_up(exposition: &mut Exposition, registry: &State) {
    let help = "1 when the channel shard has caught up with its source channel";
    let mut family = exposition.family("harrier_shard_caught_up", Kind::Gauge, help);
    for task in registry.tasks.values() {
        for (vchannel, shard) in task_shards(registry, &task.id) {
            family.sample(&[("task_id", &task.id), ("vchannel_name", vchannel)], u8::from(shard.joined));
        }
    }
}

/// Who writes to which target channel, under which epoch, and up to when.
pub(super) fn senders(exposition: &mut Exposition, registry: &State) {
    let help = "time of the last tick that the target channel acknowledged, in epoch milliseconds";
    let mut family = exposition.family("milvus_cdc_center_tt", Kind::Gauge, help);
    for sender in registry.senders.values() {
        let labels =
            [("channel_name", sender.target_pchannel.as_str()), ("target_id", sender.target_id.as_str())];
        family.sample(&labels, tso::physical_ms(sender.tick));
    }
    let help = "number of the last assignment of the target channel";
    let mut family = exposition.family("harrier_sender_epoch", Kind::Gauge, help);
    for sender in registry.senders.values() {
        family.sample(&sender_labels(sender), sender.epoch);
    }
    let help = "1 for the worker that owns the target channel";
    let mut family = exposition.family("harrier_sender_owner", Kind::Gauge, help);
    for sender in registry.senders.values() {
        if let Some(owner) = &sender.owner {
            let [target_id, target_pchannel] = sender_labels(sender);
            family.sample(&[target_id, target_pchannel, ("worker_id", owner)], 1);
        }
    }
    let help = "1 for the target channel, and its owner, that the channel shard is written by";
    let mut family = exposition.family("harrier_shard_owner", Kind::Gauge, help);
    for task in registry.tasks.values() {
        for (vchannel, shard) in task_shards(registry, &task.id) {
            let Some(sender) = registry.senders.get(&shard.sender_id) else { continue };
            let [target_id, target_pchannel] = sender_labels(sender);
            let owner = ("worker_id", sender.owner.as_deref().unwrap_or_default());
            let shard = [("task_id", task.id.as_str()), ("vchannel_name", vchannel)];
            family.sample(&[shard[0], shard[1], target_id, target_pchannel, owner], 1);
        }
    }
}

fn sender_labels(sender: &Sender) -> [(&str, &str); 2] {
    [("target_id", &sender.target_id), ("target_pchannel", &sender.target_pchannel)]
}
