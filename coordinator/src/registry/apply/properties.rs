//! What must hold after any sequence of commands, also senseless ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::*;
use super::fixtures::{mapping_of, spec, target, task};

const TASKS: [&str; 3] = ["t", "t/u", "v"];

fn command() -> impl Strategy<Value = Command> {
    let task_id = || proptest::sample::select(&TASKS).prop_map(str::to_owned);
    let collection = 100..103_i64;
    prop_oneof![
        1 => (task_id(), any::<bool>()).prop_map(|(id, paused)| create(&id, paused)),
        1 => task_id().prop_map(|task_id| Command::DeleteTask { task_id }),
        2 => task_id().prop_map(|task_id| Command::PauseTask { task_id }),
        2 => task_id().prop_map(|task_id| Command::ResumeTask { task_id }),
        1 => task_id().prop_map(|task_id| Command::TaskStarted { task_id }),
        3 => (task_id(), collection.clone(), 0..2_u32, 0..8_u8).prop_map(|(id, collection, pchannel, gone)| {
            let mapping = mapping_of(&id, collection, pchannel);
            Command::MapCollection { mapping: Box::new(CollectionMapping { dropped: gone == 0, ..mapping }) }
        }),
        2 => (task_id(), collection.clone(), 0..2_u32, 0..3_u32, any::<bool>()).prop_map(
            |(id, collection, pchannel, generation, other)| remap(&id, collection, pchannel, generation, other)
        ),
        1 => (task_id(), collection.clone(), any::<bool>()).prop_map(|(id, collection, dropped)| {
            map_partition(id, collection, dropped)
        }),
        1 => (task_id(), collection.clone(), "[ab]").prop_map(|(task_id, source_collection_id, name)| {
            Command::RenameMapping {
                task_id,
                source_collection_id,
                source_name: name.clone(),
                target_name: name,
            }
        }),
        1 => (task_id(), collection.clone(), 0..2_i64).prop_map(|(task_id, collection, id)| {
            let item = |id| MetadataItem::Index { collection, name: "i".into(), id };
            Command::NoteMetadata { task_id, known: [item(id)].into(), forgotten: [item(1 - id)].into() }
        }),
        1 => (task_id(), collection).prop_map(|(task_id, source_collection_id)| {
            Command::DropMapping { task_id, source_collection_id }
        }),
        1 => (task_id(), 100..103_i64).prop_map(|(task_id, source_collection_id)| {
            Command::DropPartitions { task_id, source_collection_id, partitions: [1].into() }
        }),
        2 => (task_id(), 100..103_i64, any::<bool>()).prop_map(|(id, collection, whole)| {
            Command::BeginCreations { creations: vec![creation(id, collection, whole)] }
        }),
        1 => drop_of().prop_map(|id| Command::EndCreation { id }),
        2 => (task_id(), any::<bool>(), 100..103_i64, 0..3_u32).prop_map(|(id, parting, collection, pchannel)| {
            settle(&id, parting, collection, pchannel)
        }),
        1 => task_id().prop_map(|id| Command::ForgetParting { parting_id: parting_id(&id, 0) }),
        2 => drop_of().prop_map(|drop_id| Command::DroppedAtTarget { drop_id }),
        4 => (0..2_u32, 0..6_u64, 0..4_u8).prop_map(|(pchannel, epoch, owner)| assign(pchannel, epoch, owner)),
        8 => report().prop_map(|report| Command::Checkpoint { senders: vec![report] }),
    ]
}

fn creation(task_id: String, source_collection_id: i64, whole: bool) -> PendingCreation {
    let mapping = mapping_of(&task_id, source_collection_id, 0);
    PendingCreation {
        task_id,
        source_collection_id,
        source_db: mapping.source_db,
        source_name: mapping.source_name,
        target_db: mapping.target_db,
        target_name: mapping.target_name,
        created_ts: mapping.created_ts,
        partition: (!whole).then(|| CreatedPartition { source_id: 1, name: "p".into() }),
        settled: false,
    }
}

fn drop_of() -> impl Strategy<Value = DropId> {
    let task_id = proptest::sample::select(&TASKS);
    (task_id, 100..103_i64, any::<bool>())
        .prop_map(|(task_id, collection, whole)| drop_id(task_id, collection, (!whole).then_some(1)))
}

fn create(id: &str, paused: bool) -> Command {
    let mut spec = spec(&[id.replace('/', "_").as_str()]);
    spec.disable_auto_start = paused;
    Command::CreateTask {
        task: Box::new(task(id, spec)),
        target: target("00000000000000aa"),
        task_count_max: 2,
    }
}

fn map_partition(task_id: String, source_collection_id: i64, dropped: bool) -> Command {
    let partition =
        PartitionMapping { source_name: "p".into(), target_id: 5, target_name: "p".into(), dropped };
    let partitions = BTreeMap::from([(1, partition)]);
    Command::MapPartitions { task_id, source_collection_id, partitions }
}

/// The collection, or only its partition, was dropped at the target and created again.
fn remap(task_id: &str, collection: i64, pchannel: u32, generation: u32, other: bool) -> Command {
    let mut mapping = mapping_of(task_id, collection, pchannel);
    mapping.generation = generation;
    mapping.target_id += if other { i64::from(generation) } else { 0 };
    let partition =
        PartitionMapping { source_name: "p".into(), target_id: 6, target_name: "p".into(), dropped: false };
    mapping.partitions.insert(1, partition);
    Command::RemapCollection { mapping: Box::new(mapping) }
}

fn settle(task_id: &str, parting: bool, collection: i64, pchannel: u32) -> Command {
    Command::SettleCreation {
        account: if parting { parting_id(task_id, 0) } else { task_id.to_owned() },
        id: drop_id(task_id, collection, None),
        target_id: "00000000000000aa".into(),
        target_pchannels: (pchannel > 0).then(|| format!("target-dml_{pchannel}")).into_iter().collect(),
    }
}

fn sender_name(pchannel: u32) -> SenderId {
    sender_id("00000000000000aa", &format!("target-dml_{pchannel}"))
}

fn assign(pchannel: u32, expected_epoch: u64, owner: u8) -> Command {
    let owner = (owner > 0).then(|| format!("worker-{owner}"));
    let assign = Assign { sender_id: sender_name(pchannel), expected_epoch, owner };
    Command::AssignSenders { assignments: vec![assign] }
}

fn report() -> impl Strategy<Value = SenderCheckpoint> {
    let shard = (proptest::sample::select(&TASKS), 100..103_i64, 0..50_u64, 0..50_u64, any::<bool>())
        .prop_map(|(task, collection, tick, confirmed, end)| ShardProgress {
            shard_id: shard_id(task, &format!("source-dml_0_{collection}v0")),
            position: tick.to_le_bytes().to_vec(),
            tick,
            replay_until: confirmed,
            joined: end,
            confirmed,
            windows: Vec::new(),
            end: if end { ShardFinal::Yes } else { ShardFinal::No },
        });
    let shards = proptest::collection::vec(shard, 0..4);
    (
        0..2_u32,
        0..6_u64,
        0..10_u64,
        0..99_u64,
        0..99_u64,
        (0..3_u64, 0..20_u64),
        prop::bool::weighted(0.2),
        (shards, proptest::collection::vec(drop_of(), 0..4)),
    )
        .prop_map(
            |(
                pchannel,
                epoch,
                input_version,
                clock,
                horizon,
                (takeover_clock, ticked_version),
                stopped,
                (shards, told_drops),
            )| {
                SenderCheckpoint {
                    sender_id: sender_name(pchannel),
                    epoch,
                    input_version,
                    clock,
                    horizon,
                    takeover_clock,
                    tick: clock,
                    stopped,
                    shards,
                    settled_version: input_version,
                    told_drops,
                    ticked_version,
                    number: 0,
                }
            },
        )
}

/// Makes random commands hit more often: epochs, versions and ids that are right at this moment.
fn aim(state: &State, command: &mut Command) {
    match command {
        Command::SettleCreation { account, id, .. } if account.contains("/deleted/") => {
            let open = state.parting.iter().find(|(_, parting)| !parting.creations.is_empty());
            if let Some((parting_id, parting)) = open {
                account.clone_from(parting_id);
                id.clone_from(parting.creations.keys().next().expect("not empty"));
            }
        }
        Command::ForgetParting { parting_id } => {
            if let Some(known) = state.parting.keys().next() {
                parting_id.clone_from(known);
            }
        }
        Command::AssignSenders { assignments } => {
            for assign in assignments.iter_mut().filter(|assign| assign.expected_epoch > 1) {
                assign.expected_epoch = state.senders.get(&assign.sender_id).map_or(0, |sender| sender.epoch);
            }
        }
        Command::Checkpoint { senders } => {
            for report in senders.iter_mut().filter(|report| report.epoch > 1) {
                if let Some(sender) = state.senders.get(&report.sender_id) {
                    report.epoch = sender.epoch;
                    if report.input_version > 3 {
                        report.input_version = sender.input_version;
                    }
                }
            }
        }
        _ => {}
    }
}

fn check_senders(before: &State, after: &State) {
    assert!(after.last_epoch >= before.last_epoch && after.last_entry_ms >= before.last_entry_ms);
    for (id, old) in &before.senders {
        let new = &after.senders[id];
        assert!(new.clock >= old.clock && new.horizon >= old.horizon && new.tick >= old.tick);
        assert!(new.epoch >= old.epoch && new.input_version >= old.input_version);
        if new.epoch > old.epoch {
            assert!(new.epoch > before.last_epoch, "an epoch is given once");
            assert!(old.stopped || new.unclean, "without a goodbye the next owner begins unclean");
        }
    }
    for sender in after.senders.values() {
        assert!(sender.horizon >= sender.clock && sender.epoch <= after.last_epoch);
        if sender.owner.is_some() {
            assert!(!sender.stopped && sender.owner == sender.last_owner);
        }
    }
}

fn check_shards(before: &State, after: &State) {
    for (id, shard) in &after.shards {
        assert!(after.senders.contains_key(&shard.sender_id));
        let sender = &after.senders[&shard.sender_id];
        if shard.phase == ShardPhase::Stopping {
            assert!(!sender.stopped, "somebody may still tell the end of {id}");
        }
        let Some(old) = before.shards.get(id).filter(|old| old.active_since == shard.active_since) else {
            continue;
        };
        assert!(shard.confirmed >= old.confirmed);
        if old.position != shard.position {
            assert_ne!(old.phase, ShardPhase::Stopped, "nobody works on {id}");
        }
    }
    let active = |state: &State, sender: &SenderId| -> Vec<ShardId> {
        let inputs = state
            .shards
            .iter()
            .filter(|(_, shard)| &shard.sender_id == sender && shard.phase == ShardPhase::Active);
        inputs.map(|(id, _)| id.clone()).collect()
    };
    for (id, old) in &before.senders {
        if active(before, id) != active(after, id) {
            assert!(after.senders[id].input_version > old.input_version, "the inputs of {id} changed");
        }
    }
}

fn check_drops(before: &State, after: &State) {
    for (id, drop) in &after.drops {
        let mapping = &after.mappings[&drop.task_id][&drop.source_collection_id];
        if id.contains('#') {
            let named =
                |id: i64| mapping.partitions.values().any(|known| !known.dropped && known.target_id == id);
            let is_lost = match &drop.partition {
                None => drop.target_collection_id != mapping.target_id,
                Some(partition) => {
                    drop.target_collection_id != mapping.target_id || !named(partition.target_id)
                }
            };
            assert!(is_lost && drop.stage == DropStage::Telling, "the target still has what {id} ends");
        } else {
            assert_eq!(drop.partition.is_none(), mapping.dropped, "of {id}");
        }
        assert!(!drop.senders.is_empty());
        for (sender_id, version) in &drop.senders {
            assert!(*version <= after.senders[sender_id].input_version);
        }
        if let Some(old) = before.drops.get(id) {
            assert!(old.stage == drop.stage || drop.stage == DropStage::Telling);
        }
    }
    for (id, old) in &before.senders {
        let told = |state: &State| -> Vec<DropId> {
            let drops = state.running_drops().filter(|(_, drop)| drop.senders.contains_key(id));
            drops.map(|(id, drop)| format!("{id} {:?}", drop.stage)).collect()
        };
        if told(before) != told(after) {
            assert!(after.senders[id].input_version > old.input_version, "the drops of {id} changed");
        }
    }
}

/// Only of tasks that there are, and of nothing that a mapping names.
/// What goes with a collection goes when it goes.
fn check_metadata(state: &State) {
    for (task_id, items) in &state.metadata {
        assert!(state.tasks.contains_key(task_id) && !items.is_empty());
        let living = |id| state.mappings[task_id].get(&id).is_some_and(|mapping| !mapping.dropped);
        assert!(items.iter().filter_map(MetadataItem::part_of).all(living));
    }
}

fn check_creations(state: &State) {
    for (id, creation) in &state.creations {
        assert_eq!(*id, creation.id());
        assert!(state.tasks.contains_key(&creation.task_id));
        let mappings = state.mappings.get(&creation.task_id);
        if let Some(mapping) = mappings.and_then(|of_task| of_task.get(&creation.source_collection_id)) {
            let partition = creation.partition.as_ref().expect("the collection is mapped");
            assert!(!mapping.dropped && !mapping.partitions.contains_key(&partition.source_id));
        }
    }
}

fn check_tasks(state: &State) {
    check_metadata(state);
    assert!(state.tasks.len() <= 2);
    for task_id in state.mappings.keys() {
        assert!(state.tasks.contains_key(task_id));
    }
    for mappings in state.mappings.values() {
        for mapping in mappings.values() {
            let paused = state.tasks[&mapping.task_id].state == TaskState::Paused;
            for pair in &mapping.shards {
                let shard = state.shards.get(&shard_id(&mapping.task_id, &pair.source_vchannel));
                assert_eq!(shard.is_none(), mapping.dropped);
                if let Some(shard) = shard {
                    assert_eq!(shard.phase == ShardPhase::Active, !paused);
                }
            }
        }
    }
}

/// What was created at a target gets its first tick: somebody is asked for it until it is there.
fn check_first_ticks(before: &State, command: &Command, after: &State) {
    for (id, old) in &before.senders {
        let new = &after.senders[id];
        assert!(new.due_tick >= old.due_tick && new.due_version >= old.due_version);
        assert!(new.ticked_version >= old.ticked_version);
        if new.due_version > old.due_version {
            assert_eq!(new.due_version, new.input_version, "an earlier tick of {id} does not count");
        }
        let asked = |state: &State| state.owing_senders().any(|(owing, _)| owing == id);
        if asked(before) && !asked(after) {
            let has_got_it = new.ticked_version > old.ticked_version;
            assert!(has_got_it || matches!(command, Command::ForgetParting { .. }), "nobody asks {id}");
        }
    }
    for sender in after.senders.values() {
        assert!(sender.ticked_version <= sender.due_version && sender.due_version <= sender.input_version);
    }
    for parting in after.parting.values() {
        let owed = |sender: &Sender| sender.owes_tick() && sender.target_id == parting.task.target_id;
        assert!(!parting.creations.is_empty() || after.senders.values().any(owed), "all is done");
    }
    if let Command::DeleteTask { task_id } = command
        && let Some(task) = before.tasks.get(task_id)
    {
        let left = after.parting.get(&parting_id(task_id, task.created_ms));
        for (id, creation) in &before.creations {
            let open = creation.task_id == *task_id && creation.partition.is_none() && !creation.settled;
            assert!(!open || left.is_some_and(|left| left.creations.contains_key(id)), "{id} is forgotten");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_history_keeps_the_promises(history in proptest::collection::vec((command(), 0..5_u64), 1..60)) {
        let mut state = State::default();
        let mut replayed = State::default();
        for (time_ms, (mut command, jump)) in (100_u64..).zip(history) {
            aim(&state, &mut command);
            let before = state.clone();
            // Clocks of leaders differ.
            let entry = Entry { time_ms: time_ms - jump, command };
            let reply = apply(&mut state, &entry);
            if matches!(reply, Reply::Refused(_) | Reply::Existing(_)) {
                let unchanged = State { last_entry_ms: state.last_entry_ms, ..before.clone() };
                prop_assert_eq!(&state, &unchanged);
            }
            check_senders(&before, &state);
            check_shards(&before, &state);
            check_tasks(&state);
            check_drops(&before, &state);
            check_creations(&state);
            check_first_ticks(&before, &entry.command, &state);

            // The same entry, having been on disk, does the same to a state that was on disk.
            let stored: Entry = serde_json::from_slice(&serde_json::to_vec(&entry).unwrap()).unwrap();
            prop_assert_eq!(apply(&mut replayed, &stored), reply);
            replayed = serde_json::from_slice(&serde_json::to_vec(&replayed).unwrap()).unwrap();
            prop_assert_eq!(&replayed, &state);
        }
    }
}
