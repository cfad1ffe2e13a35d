//! A small registry for the tests of this folder.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use harrier_proto::harrier::v1::TargetConnection;

use super::desired::Connections;
use crate::registry::task::TargetAddress;
use crate::registry::{
    Assign, CollectionFilter, CollectionMapping, Command, Entry, PartitionMapping, Reply, SenderCheckpoint,
    ShardPair, State, Target, Task, TaskSpec, TaskState, apply,
};
use crate::seal::{Sealer, SealingKey, TargetSecrets};

pub(crate) const TASK: &str = "task-1";
pub(crate) const TARGET: &str = "00000000000000aa";
pub(crate) const SENDER: &str = "00000000000000aa/target-dml_0";
pub(crate) const SHARD: &str = "task-1/source-dml_0_100v0";

pub(crate) fn commit(state: &mut State, command: Command) {
    let reply = apply(state, &Entry { time_ms: state.last_entry_ms + 1, command });
    assert_eq!(reply, Reply::Done);
}

pub(crate) fn create_task(id: &str) -> Command {
    let spec = TaskSpec {
        target: TargetAddress { uri: "http://target:19530".to_owned(), ..TargetAddress::default() },
        collection_infos: vec![CollectionFilter {
            name: format!("{id}_*"),
            positions: BTreeMap::new(),
            use_start_position: false,
        }],
        db_collections: BTreeMap::new(),
        every_database: false,
        exclude: Vec::new(),
        rpc_channel: String::new(),
        rpc_channel_position: String::new(),
        name_mapping: Vec::new(),
        enable_user_role: false,
        buffer_period_s: 2,
        buffer_bytes: 1_000,
        disable_auto_start: false,
        gives_way: false,
    };
    let task = Task {
        id: id.to_owned(),
        spec,
        secrets: TargetSecrets::default().seal(&sealer()).unwrap(),
        target_id: TARGET.to_owned(),
        state: TaskState::Initial,
        created_ms: 0,
        state_changed_ms: 0,
    };
    let target = Target {
        id: TARGET.to_owned(),
        addresses: ["target:19530".to_owned()].into(),
        collection_ids: [1].into(),
    };
    Command::CreateTask { task: Box::new(task), target, task_count_max: 100 }
}

/// One shard from `source-dml_{pchannel}` to `target-dml_{pchannel}`.
pub(crate) fn map_collection(task_id: &str, source_id: i64, pchannel: u32) -> Command {
    let partition = PartitionMapping {
        source_name: "_default".to_owned(),
        target_id: source_id * 10 + 1,
        target_name: "_default".to_owned(),
        dropped: false,
    };
    Command::MapCollection {
        mapping: Box::new(CollectionMapping {
            task_id: task_id.to_owned(),
            source_id,
            source_db: "default".to_owned(),
            source_name: format!("c{source_id}"),
            target_id: source_id * 10,
            target_db: "default".to_owned(),
            target_name: format!("c{source_id}"),
            primary_field_id: 100,
            created_ts: 11,
            due_tick: 0,
            shards: vec![ShardPair {
                source_vchannel: format!("source-dml_{pchannel}_{source_id}v0"),
                source_pchannel: format!("source-dml_{pchannel}"),
                target_vchannel: format!("target-dml_{pchannel}_{}v0", source_id * 10),
                target_pchannel: format!("target-dml_{pchannel}"),
                start_position: b"start".to_vec(),
                replay_until: 0,
            }],
            partitions: BTreeMap::from([(source_id + 1, partition)]),
            dropped: false,
            generation: 0,
        }),
    }
}

pub(crate) fn assign(state: &mut State, sender_id: &str, owner: Option<&str>) {
    let assign = Assign {
        sender_id: sender_id.to_owned(),
        expected_epoch: state.senders[sender_id].epoch,
        owner: owner.map(str::to_owned),
    };
    commit(state, Command::AssignSenders { assignments: vec![assign] });
}

/// The sender's owner has sent the first tick that was due.
pub(crate) fn first_tick(state: &mut State, sender_id: &str) {
    let sender = &state.senders[sender_id];
    let checkpoint = SenderCheckpoint {
        ticked_version: sender.due_version,
        ..SenderCheckpoint::silent(sender_id, sender)
    };
    commit(state, Command::Checkpoint { senders: vec![checkpoint] });
}

/// One task, one collection, one sender with an owner.
pub(crate) fn running(owner: &str) -> State {
    let mut state = State::default();
    commit(&mut state, create_task(TASK));
    commit(&mut state, map_collection(TASK, 100, 0));
    commit(&mut state, Command::TaskStarted { task_id: TASK.to_owned() });
    assign(&mut state, SENDER, Some(owner));
    state
}

pub(crate) fn connections(tasks: &[&str]) -> Connections {
    let connection = |task_id: &&str| {
        let connection = TargetConnection {
            target_id: TARGET.to_owned(),
            uri: "http://target:19530".to_owned(),
            token: format!("token of {task_id}"),
            ..TargetConnection::default()
        };
        ((*task_id).to_owned(), Arc::new(connection))
    };
    tasks.iter().map(connection).collect()
}

pub(crate) fn sealer() -> Sealer {
    Sealer::new(&SealingKey::from_text("test", "11".repeat(32).as_bytes()).unwrap())
}
