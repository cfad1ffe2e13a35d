//! The senders: who writes which target channel, and how far.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::tso;
use serde::Serialize;

use super::query::{Next, Query};
use crate::http::lag;
use crate::leader::{LeaderView, SenderInfo, TaskReason};
use crate::planner::{Place, Waiting};
use crate::registry::{self, SenderId, ShardPhase, ShardState, State};

/// Tasks that are named of one sender.
const TASKS_MAX: usize = 100;

/// Something that does not go on.
#[derive(Debug, Serialize)]
pub(super) struct Trouble {
    /// `operator`, `transient` or `bug`.
    class: &'static str,
    message: String,
    /// Unix milliseconds; `None`: not known.
    since: Option<u64>,
}

impl Trouble {
    pub(super) fn of(reason: &TaskReason) -> Self {
        Self { class: reason.class.as_str(), message: reason.message.clone(), since: Some(reason.since_ms) }
    }
}

/// One sender.
#[derive(Debug, Serialize)]
pub(super) struct Sender {
    sender_id: String,
    /// Addresses of the target, as tasks name it.
    target: BTreeSet<String>,
    target_id: String,
    target_pchannel: String,
    /// `starting`, `running`, `stopping`, `waiting` (for a worker, or a former owner's last word) or `idle` (nothing to
    /// do).
    state: &'static str,
    /// Worker id.
    owner: Option<String>,
    epoch: u64,
    /// The largest timestamp that was put on the wire, in unix milliseconds.
    clock_time: u64,
    /// The last tick that the target acknowledged, in unix milliseconds.
    tick_time: u64,
    /// The largest lag of its channel shards; `None` without any.
    lag_seconds: Option<f64>,
    shards: usize,
    /// Of these, how many are held.
    held_shards: usize,
    /// Something may be at the target already, and is being sent again.
    uncertain: bool,
    /// How often that was so.
    uncertain_windows: u64,
    /// What keeps it, or one of its shards, from going on.
    reason: Option<Trouble>,
    /// The tasks that use it, the first hundred.
    tasks: Vec<String>,
    task_count: usize,
}

/// The shards that feed each sender.
pub(super) struct Inputs<'a> {
    by_sender: BTreeMap<&'a str, Vec<Input<'a>>>,
}

struct Input<'a> {
    task_id: &'a str,
    shard: &'a ShardState,
}

impl<'a> Inputs<'a> {
    pub(super) fn of(registry: &'a State) -> Self {
        let mut by_sender: BTreeMap<&str, Vec<Input<'_>>> = BTreeMap::new();
        for (shard_id, shard) in &registry.shards {
            if shard.phase == ShardPhase::Active {
                let task_id = shard_id.rsplit_once('/').map_or("", |(task_id, _)| task_id);
                by_sender.entry(&shard.sender_id).or_default().push(Input { task_id, shard });
            }
        }
        Self { by_sender }
    }

    fn of_sender(&self, sender_id: &str) -> &[Input<'a>] {
        self.by_sender.get(sender_id).map_or(&[], Vec::as_slice)
    }

    /// Senders with a window that is open.
    pub(super) fn uncertain(&self) -> usize {
        self.by_sender.values().filter(|inputs| is_uncertain(inputs)).count()
    }
}

fn is_uncertain(inputs: &[Input<'_>]) -> bool {
    inputs.iter().any(|input| input.shard.replay_until > input.shard.tick)
}

/// The senders that are asked for.
pub(super) fn page(
    (leader, waiting): (&LeaderView, &BTreeMap<SenderId, Waiting>),
    (registry, inputs): (&State, &Inputs<'_>),
    query: &Query,
    next: &mut Next,
    now_ms: u64,
) -> Vec<Sender> {
    if !query.senders {
        return Vec::new();
    }
    let (page, more) = query.page(&registry.senders, query.senders_after.as_ref());
    next.senders_after = more;
    let windows = leader.uncertain_windows();
    let view = |(sender_id, sender): (&String, &registry::Sender)| {
        let of_sender = inputs.of_sender(sender_id);
        let info = leader.sender(sender_id).filter(|info| info.epoch == sender.epoch);
        let waits = waiting.get(sender_id).filter(|_| sender.owner.is_none());
        let tasks: BTreeSet<&str> = of_sender.iter().map(|input| input.task_id).collect();
        let lag =
            |input: &Input<'_>| Some(lag::of_shard(registry.tasks.get(input.task_id)?, input.shard, now_ms));
        Sender {
            sender_id: sender_id.clone(),
            target: registry
                .targets
                .get(&sender.target_id)
                .map(|target| target.addresses.clone())
                .unwrap_or_default(),
            target_id: sender.target_id.clone(),
            target_pchannel: sender.target_pchannel.clone(),
            state: state_of(sender, info.as_ref(), waits.is_some() || !of_sender.is_empty()),
            owner: sender.owner.clone(),
            epoch: sender.epoch,
            clock_time: tso::physical_ms(sender.clock),
            tick_time: tso::physical_ms(sender.tick),
            lag_seconds: of_sender.iter().filter_map(lag).reduce(f64::max),
            shards: of_sender.len(),
            held_shards: info.as_ref().map_or(0, |info| held(info).count()),
            uncertain: is_uncertain(of_sender),
            uncertain_windows: windows.get(sender_id).copied().unwrap_or(0),
            reason: reason(info.as_ref(), waits),
            tasks: tasks.iter().take(TASKS_MAX).map(|task_id| (*task_id).to_owned()).collect(),
            task_count: tasks.len(),
        }
    };
    page.into_iter().map(view).collect()
}

/// What became of the assignment. An owner that has not reported yet is starting it.
fn state_of(sender: &registry::Sender, info: Option<&SenderInfo>, has_work: bool) -> &'static str {
    match (&sender.owner, info) {
        (Some(_), Some(info)) => info.phase,
        (Some(_), None) => "starting",
        (None, _) if has_work => "waiting",
        (None, _) if !sender.stopped && sender.last_owner.is_some() => "stopping",
        (None, _) => "idle",
    }
}

fn held(info: &SenderInfo) -> impl Iterator<Item = &TaskReason> {
    info.shards.iter().filter_map(|shard| shard.held.as_ref())
}

fn reason(info: Option<&SenderInfo>, waits: Option<&Waiting>) -> Option<Trouble> {
    let reported = info.and_then(|info| info.error.as_ref().or_else(|| held(info).next()));
    reported.map(Trouble::of).or_else(|| {
        let message = match waits? {
            Waiting::NoWorker => "no worker accepts senders".to_owned(),
            Waiting::FinalWord { worker_id, cut_off_from } => {
                let why = match cut_off_from {
                    None => "",
                    Some(Place::Log) => ", which does not reach the source's log",
                    Some(Place::Target(_)) => ", which does not reach the target",
                };
                format!("waits for the last word of worker {worker_id}{why}")
            }
        };
        Some(Trouble { class: "transient", message, since: None })
    })
}
