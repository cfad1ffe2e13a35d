//! What a worker is told to do, built from the state. Pure.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use harrier_proto::harrier::v1::{
    self, DropAssignment, HorizonGrant, PartitionAssignment, SenderAssignment, ShardAssignment,
    ShardCheckpoint, TargetConnection,
};

use super::board::split_shard_id;
use super::pace::{Counts, paces};
use super::release::Assignment;
use crate::registry::{
    CollectionMapping, DropId, DropStage, PendingDrop, Sender, SenderId, ShardId, ShardPair, ShardPhase,
    ShardState, State, Task, UncertainWindow,
};

/// Connections to targets, by the task whose credentials they use (`State::accounts`).
pub type Connections = BTreeMap<String, Arc<TargetConnection>>;

/// The senders of every worker, without what moves all the time (clocks, horizons, positions).
#[derive(Default)]
pub(crate) struct Desired {
    workers: BTreeMap<String, WorkerDesired>,
    counts: Counts,
}

/// The senders of one worker.
#[derive(Default)]
pub(crate) struct WorkerDesired {
    senders: Vec<SenderInputs>,
    /// What it should speak of: its senders, and those that were taken away and whose last word was not heard.
    expected: Vec<Assignment>,
    counts: Counts,
}

struct SenderInputs {
    sender_id: SenderId,
    epoch: u64,
    input_version: u64,
    /// Of which task, living or deleted, the credentials are that open the connection.
    account: String,
    connection: Arc<TargetConnection>,
    shards: Vec<ShardId>,
    /// Those that it has to tell.
    drops: Vec<DropId>,
}

impl Desired {
    /// Senders without a connection (its secrets cannot be opened, a file is missing) are left out: nobody could
    /// run them.
    pub(crate) fn build(state: &State, connections: &Connections) -> Self {
        let mut shards: BTreeMap<&str, Vec<&ShardId>> = BTreeMap::new();
        for (shard_id, shard) in &state.shards {
            if shard.phase == ShardPhase::Active {
                shards.entry(&shard.sender_id).or_default().push(shard_id);
            }
        }
        let mut drops: BTreeMap<&str, Vec<(&DropId, &PendingDrop)>> = BTreeMap::new();
        for (drop_id, drop) in state.running_drops() {
            for sender_id in drop.senders.keys() {
                drops.entry(sender_id).or_default().push((drop_id, drop));
            }
        }
        let mut desired = Self::default();
        for (sender_id, sender) in &state.senders {
            let holder = sender.owner.as_ref().or(sender.last_owner.as_ref().filter(|_| !sender.stopped));
            let Some(holder) = holder else { continue };
            let of_sender = shards.get(sender_id.as_str()).map_or(&[][..], Vec::as_slice);
            let dropped = drops.get(sender_id.as_str()).map_or(&[][..], Vec::as_slice);
            let inputs = sender_inputs(state, (sender_id, sender), (of_sender, dropped), connections);
            let told = sender.owner.as_ref().and(inputs);
            // It cannot speak of a sender that it was not told of for want of a connection.
            if sender.owner.is_none() || told.is_some() {
                let worker = desired.workers.entry(holder.clone()).or_default();
                worker.expected.push((sender_id.clone(), sender.epoch));
                if told.is_some() {
                    let tasks = of_sender.iter().map(|shard_id| split_shard_id(shard_id).0);
                    worker.counts.add(&sender.target_id, tasks);
                }
                worker.senders.extend(told);
            }
        }
        for worker in desired.workers.values() {
            desired.counts.add_all(&worker.counts);
        }
        desired
    }

    /// How fast a worker may write.
    pub(crate) fn paces(&self, state: &State, worker_id: &str) -> Vec<v1::Pace> {
        let Some(own) = self.workers.get(worker_id) else { return Vec::new() };
        let workers: Vec<&Counts> = self.workers.values().map(|worker| &worker.counts).collect();
        let number = self.workers.keys().take_while(|other| *other != worker_id).count();
        paces(state, (&own.counts, &self.counts), (&workers, number))
    }

    pub(crate) fn of(&self, worker_id: &str) -> Option<&WorkerDesired> {
        self.workers.get(worker_id)
    }
}

impl WorkerDesired {
    /// Identifies what the worker is told: equal content, equal version, also from another leader. Never 0.
    pub(crate) fn version(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for inputs in &self.senders {
            (&inputs.sender_id, inputs.epoch, inputs.input_version, &inputs.account).hash(&mut hasher);
        }
        hasher.finish().max(1)
    }

    pub(crate) fn expected(&self) -> &[Assignment] {
        &self.expected
    }

    /// Whether the worker still owns all of it, unchanged.
    pub(crate) fn is_current(&self, state: &State, worker_id: &str) -> bool {
        self.senders.iter().all(|inputs| {
            state.senders.get(&inputs.sender_id).is_some_and(|sender| {
                sender.owner.as_deref() == Some(worker_id)
                    && sender.epoch == inputs.epoch
                    && sender.input_version == inputs.input_version
            })
        })
    }

    /// How far each clock may go, as committed.
    pub(crate) fn horizons(&self, state: &State) -> Vec<HorizonGrant> {
        let grant = |inputs: &SenderInputs| {
            let sender = state.senders.get(&inputs.sender_id)?;
            Some(HorizonGrant {
                sender_id: inputs.sender_id.clone(),
                epoch: sender.epoch,
                horizon: sender.horizon,
            })
        };
        self.senders.iter().filter_map(grant).collect()
    }

    /// The whole set.
    pub(crate) fn assignments(&self, state: &State) -> Vec<SenderAssignment> {
        self.senders.iter().filter_map(|inputs| sender_assignment(state, inputs)).collect()
    }
}

fn sender_inputs(
    state: &State,
    (sender_id, sender): (&SenderId, &Sender),
    (shards, drops): (&[&ShardId], &[(&DropId, &PendingDrop)]),
    connections: &Connections,
) -> Option<SenderInputs> {
    let of_shards = shards.iter().map(|shard_id| split_shard_id(shard_id).0);
    let task_ids = of_shards.chain(drops.iter().map(|(_, drop)| drop.task_id.as_str()));
    let tasks: BTreeMap<&str, &Task> = task_ids.filter_map(|id| Some((id, state.tasks.get(id)?))).collect();
    // A first tick is owed to the target, not to a task: whoever can reach it may bring it.
    let anybody =
        state.accounts().filter(|(_, task)| sender.owes_tick() && task.target_id == sender.target_id);
    let (account, connection) =
        proved_last(tasks, connections).or_else(|| proved_last(anybody.collect(), connections))?;
    Some(SenderInputs {
        sender_id: sender_id.clone(),
        epoch: sender.epoch,
        input_version: sender.input_version,
        account: account.to_owned(),
        connection: Arc::clone(connection),
        shards: shards.iter().map(|shard_id| (*shard_id).clone()).collect(),
        drops: drops
            .iter()
            .filter(|(_, drop)| drop.stage == DropStage::Telling)
            .map(|(drop_id, _)| (*drop_id).clone())
            .collect(),
    })
}

/// The connection with the credentials that were proved last.
fn proved_last<'a>(
    accounts: BTreeMap<&'a str, &Task>,
    connections: &'a Connections,
) -> Option<(&'a str, &'a Arc<TargetConnection>)> {
    let connected = accounts.into_iter().filter_map(|(id, task)| Some((id, task, connections.get(id)?)));
    let (id, _, connection) = connected.max_by_key(|(id, task, _)| (task.created_ms, *id))?;
    Some((id, connection))
}

fn sender_assignment(state: &State, inputs: &SenderInputs) -> Option<SenderAssignment> {
    let sender = state.senders.get(&inputs.sender_id)?;
    let shards = inputs.shards.iter().filter_map(|shard_id| shard_assignment(state, shard_id));
    Some(SenderAssignment {
        sender_id: inputs.sender_id.clone(),
        epoch: sender.epoch,
        input_version: sender.input_version,
        settled_version: sender.settled_version,
        target_pchannel: sender.target_pchannel.clone(),
        target: Some((*inputs.connection).clone()),
        clock: sender.clock,
        horizon: sender.horizon,
        unclean: sender.unclean,
        takeover_clock: sender.takeover_clock,
        shards: shards.collect(),
        drops: inputs.drops.iter().filter_map(|drop_id| drop_assignment(state, drop_id)).collect(),
        restored: sender.restored,
        due_tick: sender.due_tick,
        due_version: if sender.owes_tick() { sender.due_version } else { 0 },
    })
}

fn drop_assignment(state: &State, drop_id: &DropId) -> Option<DropAssignment> {
    let drop = state.drops.get(drop_id)?;
    let partition = drop.partition.as_ref();
    Some(DropAssignment {
        drop_id: drop_id.clone(),
        target_collection_id: drop.target_collection_id,
        target_partition_id: partition.map(|partition| partition.target_id).unwrap_or_default(),
        target_db_name: drop.target_db.clone(),
        target_collection_name: drop.target_name.clone(),
        target_partition_name: partition.map(|partition| partition.target_name.clone()).unwrap_or_default(),
        created_ts: drop.created_ts,
    })
}

fn shard_assignment(state: &State, shard_id: &ShardId) -> Option<ShardAssignment> {
    let shard = state.shards.get(shard_id)?;
    let (task_id, vchannel) = split_shard_id(shard_id);
    let task = state.tasks.get(task_id)?;
    let mapping = state.mappings.get(task_id)?.get(&shard.source_collection_id)?;
    let pair = mapping.shards.iter().find(|pair| pair.source_vchannel == vchannel)?;
    Some(shard_of(shard_id, shard, task, mapping, pair))
}

fn shard_of(
    shard_id: &ShardId,
    shard: &ShardState,
    task: &Task,
    mapping: &CollectionMapping,
    pair: &ShardPair,
) -> ShardAssignment {
    let partitions = mapping.partitions.iter().map(|(source_id, partition)| PartitionAssignment {
        source_partition_id: *source_id,
        source_partition_name: partition.source_name.clone(),
        target_partition_id: partition.target_id,
        target_partition_name: partition.target_name.clone(),
        dropped: partition.dropped,
    });
    ShardAssignment {
        shard_id: shard_id.clone(),
        task_id: task.id.clone(),
        source_pchannel: pair.source_pchannel.clone(),
        source_vchannel: pair.source_vchannel.clone(),
        target_vchannel: pair.target_vchannel.clone(),
        source_collection_id: mapping.source_id,
        target_collection_id: mapping.target_id,
        collection_name: mapping.source_name.clone(),
        target_db_name: mapping.target_db.clone(),
        target_collection_name: mapping.target_name.clone(),
        primary_field_id: mapping.primary_field_id,
        partitions: partitions.collect(),
        checkpoint: Some(ShardCheckpoint {
            position: shard.position.clone().into(),
            tick: shard.tick,
            replay_until: shard.replay_until,
            joined: shard.joined,
            windows: shard.windows.iter().map(uncertain_window).collect(),
        }),
        ignore_partition: task.spec.target.ignore_partition,
        buffer_period_ms: u64::from(task.spec.buffer_period_s) * 1_000,
        buffer_bytes: task.spec.buffer_bytes,
        mapping_generation: mapping.generation,
    }
}

fn uncertain_window(window: &UncertainWindow) -> v1::UncertainWindow {
    v1::UncertainWindow {
        position: window.position.clone().into(),
        tick: window.tick,
        left_ms: window.left_ms,
        returns: window.returns,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::super::fixtures::{self, SENDER, SHARD, TASK};
    use super::*;
    use crate::registry::Command;

    #[test]
    fn an_assignment_says_everything() {
        let state = fixtures::running("w");
        let desired = Desired::build(&state, &fixtures::connections(&[TASK]));
        let assignments = desired.of("w").unwrap().assignments(&state);
        assert_eq!(assignments.len(), 1);
        let sender = &assignments[0];
        assert_eq!((sender.sender_id.as_str(), sender.target_pchannel.as_str()), (SENDER, "target-dml_0"));
        assert_eq!((sender.epoch, sender.input_version), (1, state.senders[SENDER].input_version));
        assert_eq!(sender.target.as_ref().unwrap().token, "token of task-1");
        let shard = &sender.shards[0];
        assert_eq!((shard.shard_id.as_str(), shard.source_vchannel.as_str()), (SHARD, "source-dml_0_100v0"));
        assert_eq!((shard.source_collection_id, shard.target_collection_id), (100, 1_000));
        assert_eq!((shard.buffer_period_ms, shard.buffer_bytes), (2_000, 1_000));
        assert_eq!(shard.partitions[0].target_partition_id, 1_001);
        assert_eq!(shard.checkpoint.as_ref().unwrap().position, &b"start"[..]);
    }

    #[test]
    fn the_version_follows_the_content_and_not_the_clocks() {
        let mut state = fixtures::running("w");
        let connections = fixtures::connections(&[TASK]);
        let version = |state: &State| Desired::build(state, &connections).of("w").map(WorkerDesired::version);
        let first = version(&state);
        state.senders.get_mut(SENDER).unwrap().clock = 77;
        state.shards.get_mut(SHARD).unwrap().tick = 70;
        assert_eq!(version(&state), first);
        fixtures::commit(&mut state, fixtures::map_collection(TASK, 200, 0));
        assert_ne!(version(&state), first);
        assert_eq!(version(&State::default()), None);
    }

    #[test]
    fn a_paused_task_leaves_its_sender_without_inputs_or_the_sender_goes() {
        let mut state = fixtures::running("w");
        fixtures::first_tick(&mut state, SENDER);
        fixtures::commit(&mut state, Command::PauseTask { task_id: TASK.to_owned() });
        assert!(Desired::build(&state, &fixtures::connections(&[TASK])).of("w").is_none());
    }

    #[test]
    fn a_first_tick_that_is_due_keeps_its_sender_whatever_becomes_of_the_task() {
        let mut state = fixtures::running("w");
        let due = |state: &State| {
            let accounts: Vec<&str> = state.accounts().map(|(id, _)| id).collect();
            let desired = Desired::build(state, &fixtures::connections(&accounts));
            let assignment = desired.of("w").map(|desired| desired.assignments(state)[0].clone());
            assignment.map(|sender| (sender.shards.len(), sender.due_tick, sender.due_version))
        };
        assert_eq!(due(&state), Some((1, 11, 1)));
        fixtures::commit(&mut state, Command::PauseTask { task_id: TASK.to_owned() });
        assert_eq!(due(&state), Some((0, 11, 1)));
        fixtures::commit(&mut state, Command::DeleteTask { task_id: TASK.to_owned() });
        assert_eq!(due(&state), Some((0, 11, 1)));
        fixtures::first_tick(&mut state, SENDER);
        assert_eq!(due(&state), None);
    }

    #[test]
    fn what_was_dropped_keeps_its_sender_until_its_end_is_told() {
        let mut state = fixtures::running("w");
        fixtures::first_tick(&mut state, SENDER);
        let dropped = |state: &State| {
            let desired = Desired::build(state, &fixtures::connections(&[TASK]));
            desired.of("w").map(|desired| desired.assignments(state)[0].clone())
        };
        fixtures::commit(
            &mut state,
            Command::DropMapping { task_id: TASK.to_owned(), source_collection_id: 100 },
        );
        let leaving = dropped(&state).unwrap();
        assert!(leaving.shards.is_empty() && leaving.drops.is_empty(), "the target still has it");
        let drop_id = state.drops.keys().next().unwrap().clone();
        fixtures::commit(&mut state, Command::DroppedAtTarget { drop_id });
        let telling = dropped(&state).unwrap();
        assert_eq!(telling.drops.len(), 1);
        assert_eq!((telling.drops[0].target_collection_id, telling.drops[0].target_partition_id), (1_000, 0));
        fixtures::commit(&mut state, Command::PauseTask { task_id: TASK.to_owned() });
        assert!(dropped(&state).is_none());
    }

    #[test]
    fn a_change_of_owner_is_seen() {
        let mut state = fixtures::running("w");
        let desired = Desired::build(&state, &fixtures::connections(&[TASK]));
        assert!(desired.of("w").unwrap().is_current(&state, "w"));
        fixtures::assign(&mut state, SENDER, None);
        assert!(!desired.of("w").unwrap().is_current(&state, "w"));
        let desired = Desired::build(&state, &fixtures::connections(&[TASK]));
        assert_eq!(desired.of("w").unwrap().expected(), [(SENDER.to_owned(), 1)]);
        assert!(desired.of("w").unwrap().assignments(&state).is_empty());
    }

    #[test]
    fn without_a_connection_nobody_is_asked_to_run_it() {
        let state = fixtures::running("w");
        assert!(Desired::build(&state, &Connections::new()).of("w").is_none());
    }
}
