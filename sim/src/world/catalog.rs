//! What a leader's catalog sync does: it maps collections and partitions, and drops them at the target once nothing of
//! them is on its way any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use harrier_coordinator::registry::{Command, DropStage, PartitionMapping, ShardPair, State, TaskState};
use harrier_coordinator::simulation::{connections, create_task, map_collection};
use harrier_milvus::tso;
use harrier_proto::harrier::v1::{SenderReport, TargetConnection};
use harrier_worker::simulation::{SimChannel, SimCollection};

use super::World;
use super::mail::Letter;
use crate::random::Random;

/// One collection of the source.
struct Known {
    task_id: String,
    sender_id: String,
    collection: SimCollection,
    /// When the catalog shows it.
    mapped_from_ms: u64,
    /// So many of its partitions are mapped with it; the others when a worker misses them.
    partitions: usize,
    /// When the source drops it.
    dropped_from_ms: Option<u64>,
}

pub(super) struct Catalog {
    known: Vec<Known>,
    pub(super) connections: BTreeMap<String, Arc<TargetConnection>>,
    /// By task and source collection.
    missing: BTreeMap<(String, i64), BTreeSet<i64>>,
    /// A pause of a task, or its end, is asked for at these times.
    pauses: BTreeMap<u64, String>,
}

impl Catalog {
    pub(super) fn new(
        channels: &BTreeMap<String, SimChannel>,
        random: &mut Random,
        duration_ms: u64,
    ) -> Self {
        let mut known = Vec::new();
        for (number, (sender_id, channel)) in channels.iter().enumerate() {
            for collection in channel.collections() {
                let late = random.chance(50);
                known.push(Known {
                    task_id: format!("task{number}"),
                    sender_id: sender_id.clone(),
                    mapped_from_ms: if late { random.below(duration_ms) } else { 0 },
                    partitions: 1 + random.index(collection.partitions.len()),
                    dropped_from_ms: random.chance(15).then(|| random.below(duration_ms * 2)),
                    collection,
                });
            }
        }
        let tasks: Vec<String> = (0..channels.len()).map(|number| format!("task{number}")).collect();
        let mut pauses = BTreeMap::new();
        for task_id in &tasks {
            for _ in 0..random.below(3) {
                pauses.insert(random.below(duration_ms), task_id.clone());
            }
        }
        Self { known, connections: connections(&tasks), missing: BTreeMap::new(), pauses }
    }

    pub(super) fn first_commands(&self) -> Vec<Command> {
        let tasks: BTreeMap<&String, &str> = self
            .known
            .iter()
            .map(|known| (&known.task_id, known.sender_id.split_once('/').unwrap().0))
            .collect();
        let create = tasks.iter().map(|(task_id, target_id)| create_task(task_id, target_id));
        let start = tasks.keys().map(|task_id| Command::TaskStarted { task_id: (*task_id).clone() });
        create.chain(start).collect()
    }

    /// Whether everything that was asked of it is done.
    pub(super) fn is_done(&self, state: &State) -> bool {
        let is_dropped = |known: &Known| {
            let mappings = state.mappings.get(&known.task_id);
            let mapping = mappings.and_then(|mappings| mappings.get(&known.collection.source_id));
            mapping.is_none_or(|mapping| mapping.dropped)
        };
        let drops = self.known.iter().filter(|known| known.dropped_from_ms.is_some());
        self.pauses.is_empty() && drops.into_iter().all(is_dropped)
    }
}

impl World {
    /// One round: what has to be committed, and drops at the targets.
    pub(super) fn sync_catalog(&mut self) -> Vec<Command> {
        let mut commands = self.pause_and_resume();
        let state = &self.group.state;
        for known in &self.catalog.known {
            if state.tasks[&known.task_id].state == TaskState::Paused || self.now_ms < known.mapped_from_ms {
                continue;
            }
            let source_id = known.collection.source_id;
            let mapping = state.mappings.get(&known.task_id).and_then(|mappings| mappings.get(&source_id));
            let is_dropped = known.dropped_from_ms.is_some_and(|at_ms| at_ms <= self.now_ms);
            match mapping {
                None if !is_dropped => commands.push(known.map(self.begin_ms)),
                Some(mapping) if is_dropped && !mapping.dropped => {
                    self.targets
                        .channels
                        .get_mut(&known.sender_id)
                        .unwrap()
                        .dropped_at_source(known.collection.number);
                    commands.push(Command::DropMapping {
                        task_id: known.task_id.clone(),
                        source_collection_id: source_id,
                    });
                }
                Some(mapping) if !mapping.dropped => {
                    let missing = self.catalog.missing.remove(&(known.task_id.clone(), source_id));
                    commands.extend(missing.map(|ids| known.map_partitions(&ids)));
                }
                // Never mapped, and gone.
                None => {
                    self.targets
                        .channels
                        .get_mut(&known.sender_id)
                        .unwrap()
                        .dropped_at_source(known.collection.number);
                }
                Some(_) => {}
            }
        }
        self.drop_at_targets();
        commands
    }

    fn drop_at_targets(&mut self) {
        let state = &self.group.state;
        let mut letters = Vec::new();
        for (drop_id, drop) in state.running_drops() {
            if drop.stage == DropStage::Leaving && drop.has_left(&state.senders) {
                let known = self.catalog.known.iter().find(|known| {
                    known.task_id == drop.task_id && known.collection.source_id == drop.source_collection_id
                });
                let known = known.unwrap();
                letters.push(Letter::DropAtTarget {
                    sender_id: known.sender_id.clone(),
                    number: known.collection.number,
                    drop_id: drop_id.clone(),
                    created_ts: drop.created_ts,
                });
            }
        }
        for letter in letters {
            // Also after its leader is gone: drops go by id, so one that comes late does no harm.
            let delay_ms = self.delay_ms();
            self.mail.post(self.now_ms + delay_ms, letter);
        }
    }

    pub(super) fn on_drop_at_target(
        &mut self,
        sender_id: &str,
        number: usize,
        drop_id: String,
        created_ts: u64,
    ) {
        self.tell(|| format!("{sender_id} drops collection {number}"));
        self.targets.channels.get_mut(sender_id).unwrap().drop_collection(number, created_ts);
        let leaving =
            self.group.state.drops.get(&drop_id).is_some_and(|drop| drop.stage == DropStage::Leaving);
        if leaving && self.group.has_leader() {
            self.commit(Command::DroppedAtTarget { drop_id });
        }
    }

    /// What an operator asks for; a task that he paused he resumes again.
    fn pause_and_resume(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        while let Some(first) = self.catalog.pauses.first_entry()
            && *first.key() <= self.now_ms
        {
            commands.push(Command::PauseTask { task_id: first.remove() });
        }
        for (task_id, task) in &self.group.state.tasks {
            if task.state == TaskState::Paused && (!self.weather.is_bad() || self.random.chance(5)) {
                commands.push(Command::ResumeTask { task_id: task_id.clone() });
            }
        }
        commands
    }

    /// What workers miss; another leader would hear of it with the next heartbeat.
    pub(super) fn note_missing(&mut self, reports: &[SenderReport]) {
        if !self.group.has_leader() {
            return;
        }
        for shard in reports.iter().flat_map(|report| &report.shards) {
            if shard.missing_partitions.is_empty() {
                continue;
            }
            let (task_id, vchannel) = shard.shard_id.split_once('/').unwrap();
            let known = self
                .catalog
                .known
                .iter()
                .find(|known| known.task_id == task_id && known.collection.source_vchannel == vchannel);
            let key = (task_id.to_owned(), known.unwrap().collection.source_id);
            self.catalog.missing.entry(key).or_default().extend(&shard.missing_partitions);
        }
    }
}

impl Known {
    fn map(&self, begin_ms: u64) -> Command {
        let collection = &self.collection;
        let pair = ShardPair {
            source_vchannel: collection.source_vchannel.clone(),
            source_pchannel: collection.source_pchannel.clone(),
            target_vchannel: collection.target_vchannel.clone(),
            target_pchannel: self.sender_id.split_once('/').unwrap().1.to_owned(),
            start_position: Vec::new(),
            replay_until: 0,
        };
        let partitions = collection.partitions.iter().take(self.partitions).map(partition).collect();
        let ids = (collection.source_id, collection.target_id);
        map_collection(&self.task_id, ids, pair, partitions, tso::compose(begin_ms - 1_000, 0))
    }

    fn map_partitions(&self, ids: &BTreeSet<i64>) -> Command {
        let wanted = self.collection.partitions.iter().filter(|(source_id, _)| ids.contains(source_id));
        Command::MapPartitions {
            task_id: self.task_id.clone(),
            source_collection_id: self.collection.source_id,
            partitions: wanted.map(partition).collect(),
        }
    }
}

fn partition((source_id, target_id): &(i64, i64)) -> (i64, PartitionMapping) {
    let mapping = PartitionMapping {
        source_name: format!("p{source_id}"),
        target_id: *target_id,
        target_name: format!("p{source_id}"),
        dropped: false,
    };
    (*source_id, mapping)
}
