//! One command of every kind, with every field set.

use std::collections::BTreeMap;

use crate::registry::task::{NameMapping, TargetAddress};
use crate::registry::*;

pub(super) fn create_task(id: &str) -> Command {
    let filter = CollectionFilter {
        name: format!("collection_of_{id}"),
        positions: BTreeMap::from([("by-dev-rootcoord-dml_0_44v0".to_owned(), "CgNkbWw=".to_owned())]),
        use_start_position: true,
    };
    let spec = TaskSpec {
        target: TargetAddress {
            uri: "https://standby:19530".into(),
            host: String::new(),
            port: 0,
            enable_tls: true,
            connect_timeout: 10,
            server_name: "standby".into(),
            server_pem_path: "server.pem".into(),
            ca_pem_path: "ca.pem".into(),
            client_pem_path: "client.pem".into(),
            client_key_path: "client.key".into(),
            channel_num: 16,
            ignore_partition: false,
        },
        collection_infos: vec![filter.clone()],
        db_collections: BTreeMap::from([(format!("db_of_{id}"), vec![filter])]),
        every_database: false,
        exclude: vec!["default.tmp_*".into()],
        rpc_channel: "by-dev-replicate-msg".into(),
        rpc_channel_position: "CgA=".into(),
        name_mapping: vec![NameMapping {
            source_db: format!("db_of_{id}"),
            target_db: format!("db_of_{id}"),
            collections: BTreeMap::from([("a".to_owned(), format!("b_{id}"))]),
        }],
        enable_user_role: false,
        buffer_period_s: 1,
        buffer_bytes: 1024,
        disable_auto_start: false,
        gives_way: false,
    };
    let task = Task {
        id: id.to_owned(),
        spec,
        secrets: Sealed { key_id: "0a1b2c3d".into(), nonce: vec![1; 12], ciphertext: vec![2; 20] },
        target_id: "0123456789abcdef".into(),
        state: TaskState::Initial,
        created_ms: 0,
        state_changed_ms: 0,
    };
    let target = Target {
        id: "0123456789abcdef".into(),
        addresses: ["standby:19530".to_owned()].into(),
        collection_ids: [440, 441].into(),
    };
    Command::CreateTask { task: Box::new(task), target, task_count_max: 100 }
}

pub(super) fn map_collection() -> Command {
    let partition = PartitionMapping {
        source_name: "_default".into(),
        target_id: 450,
        target_name: "_default".into(),
        dropped: false,
    };
    Command::MapCollection {
        mapping: Box::new(CollectionMapping {
            task_id: "a".into(),
            source_id: 44,
            source_db: "default".into(),
            source_name: "orders".into(),
            target_id: 442,
            target_db: "default".into(),
            target_name: "orders".into(),
            primary_field_id: 100,
            created_ts: 445_000_000_000_000_001,
            due_tick: 445_000_000_000_000_002,
            shards: vec![ShardPair {
                source_vchannel: "by-dev-rootcoord-dml_0_44v0".into(),
                source_pchannel: "by-dev-rootcoord-dml_0".into(),
                target_vchannel: "by-dev-rootcoord-dml_7_442v0".into(),
                target_pchannel: "by-dev-rootcoord-dml_7".into(),
                start_position: vec![9, 0, 0, 0, 0, 0, 0, 0],
                replay_until: 5,
            }],
            partitions: BTreeMap::from([(45, partition)]),
            dropped: false,
            generation: 0,
        }),
    }
}

fn remap_collection() -> Command {
    let Command::MapCollection { mut mapping } = map_collection() else { unreachable!() };
    (mapping.target_id, mapping.generation) = (443, 1);
    Command::RemapCollection { mapping }
}

pub(super) fn checkpoint(clock: u64) -> Command {
    let progress = ShardProgress {
        shard_id: "a/by-dev-rootcoord-dml_0_44v0".into(),
        position: vec![200, 1, 0, 0, 0, 0, 0, 0],
        tick: clock,
        replay_until: 0,
        joined: true,
        confirmed: clock,
        windows: vec![UncertainWindow {
            position: vec![190, 1, 0, 0, 0, 0, 0, 0],
            tick: clock,
            left_ms: 60_000,
            returns: 1,
        }],
        end: ShardFinal::No,
    };
    Command::Checkpoint {
        senders: vec![SenderCheckpoint {
            sender_id: "0123456789abcdef/by-dev-rootcoord-dml_7".into(),
            epoch: 1,
            input_version: 1,
            clock,
            horizon: clock + 1_000,
            takeover_clock: 1,
            tick: clock,
            stopped: false,
            shards: vec![progress],
            settled_version: 1,
            told_drops: vec!["44/a".into()],
            ticked_version: 1,
            number: 0,
        }],
    }
}

pub(super) fn begin_creations() -> Command {
    let whole = PendingCreation {
        task_id: "a".into(),
        source_collection_id: 44,
        source_db: "default".into(),
        source_name: "orders".into(),
        target_db: "default".into(),
        target_name: "orders".into(),
        created_ts: 445_000_000_000_000_001,
        partition: None,
        settled: false,
    };
    let partition = Some(CreatedPartition { source_id: 47, name: "new".into() });
    Command::BeginCreations { creations: vec![whole.clone(), PendingCreation { partition, ..whole }] }
}

pub(super) fn note_metadata() -> Command {
    let grant = harrier_milvus::catalog::Grant {
        role: "reader".into(),
        object: "Collection".into(),
        object_name: "orders".into(),
        db: "default".into(),
        privilege: "Search".into(),
    };
    let known = [
        MetadataItem::Index { collection: 44, name: "fast".into(), id: 61 },
        MetadataItem::Load { collection: 44, replicas: 1 },
        MetadataItem::Property { collection: 44, key: "collection.ttl.seconds".into() },
        MetadataItem::Alias { db: "default".into(), alias: "best".into(), collection: 44 },
        MetadataItem::Database { id: 7, db: "sales".into() },
        MetadataItem::User { name: "ann".into() },
        MetadataItem::Role { name: "reader".into() },
        MetadataItem::Member { user: "ann".into(), role: "reader".into() },
        MetadataItem::Grant { grant },
    ];
    let forgotten = MetadataItem::Index { collection: 44, name: "fast".into(), id: 60 };
    Command::NoteMetadata {
        task_id: "a".to_owned(),
        known: known.into_iter().collect(),
        forgotten: [forgotten].into(),
    }
}

/// Names and commands; applied in this order they make a state in which every map has something.
pub(super) fn every_command() -> Vec<(&'static str, Command)> {
    let task_id = || "a".to_owned();
    let gone = PartitionMapping {
        source_name: "old".into(),
        target_id: 0,
        target_name: String::new(),
        dropped: true,
    };
    let assign = Assign {
        sender_id: "0123456789abcdef/by-dev-rootcoord-dml_7".into(),
        expected_epoch: 0,
        owner: Some("00112233445566778899aabbccddeeff".into()),
    };
    let partitions = BTreeMap::from([(46, gone)]);
    let commands = vec![
        ("create_task", create_task("a")),
        ("map_collection", map_collection()),
        (
            "map_partitions",
            Command::MapPartitions { task_id: task_id(), source_collection_id: 44, partitions },
        ),
        ("task_started", Command::TaskStarted { task_id: task_id() }),
        ("assign_senders", Command::AssignSenders { assignments: vec![assign] }),
        ("checkpoint", checkpoint(445_000_000_000_000_002)),
        ("pause_task", Command::PauseTask { task_id: task_id() }),
        ("resume_task", Command::ResumeTask { task_id: task_id() }),
        ("drop_mapping", Command::DropMapping { task_id: task_id(), source_collection_id: 44 }),
        ("delete_task", Command::DeleteTask { task_id: task_id() }),
        (
            "drop_partitions",
            Command::DropPartitions { task_id: task_id(), source_collection_id: 44, partitions: [45].into() },
        ),
        ("dropped_at_target", Command::DroppedAtTarget { drop_id: "44/a".into() }),
        ("begin_creations", begin_creations()),
        ("end_creation", Command::EndCreation { id: "44.47/a".into() }),
        (
            "settle_creation",
            Command::SettleCreation {
                account: task_id(),
                id: "48/a".into(),
                target_id: "0123456789abcdef".into(),
                target_pchannels: ["by-dev-rootcoord-dml_8".to_owned()].into(),
            },
        ),
        ("forget_parting", Command::ForgetParting { parting_id: parting_id("a", 1_700_000_000_000) }),
        ("remap_collection", remap_collection()),
        (
            "rename_mapping",
            Command::RenameMapping {
                task_id: task_id(),
                source_collection_id: 44,
                source_name: "moved".into(),
                target_name: "moved_there".into(),
            },
        ),
        (
            "pass_over",
            Command::PassOver {
                task_id: task_id(),
                collections: BTreeMap::from([(49, "default.renamed".to_owned())]),
            },
        ),
        (
            "set_limits",
            Command::SetLimits {
                limited: Limited::Target("0123456789abcdef".into()),
                limits: Limits { bytes_per_second: 1_000_000, rows_per_second: 1_000 },
            },
        ),
        ("note_metadata", note_metadata()),
    ];
    for (_, command) in &commands {
        // A new kind of command fails to compile here until it has its sample above.
        match command {
            Command::CreateTask { .. }
            | Command::MapCollection { .. }
            | Command::RemapCollection { .. }
            | Command::MapPartitions { .. }
            | Command::TaskStarted { .. }
            | Command::AssignSenders { .. }
            | Command::Checkpoint { .. }
            | Command::PauseTask { .. }
            | Command::ResumeTask { .. }
            | Command::DropMapping { .. }
            | Command::DropPartitions { .. }
            | Command::BeginCreations { .. }
            | Command::EndCreation { .. }
            | Command::SettleCreation { .. }
            | Command::ForgetParting { .. }
            | Command::RenameMapping { .. }
            | Command::PassOver { .. }
            | Command::SetLimits { .. }
            | Command::NoteMetadata { .. }
            | Command::DroppedAtTarget { .. }
            | Command::DeleteTask { .. } => {}
        }
    }
    commands
}
