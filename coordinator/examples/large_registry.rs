//! A registry of 1,000 tasks of 16 channels, 16,000 senders in all, written through the real log and store: how large
//! it is, and how long it takes to open. `large_registry FOLDER KEY_FILE [TASKS]`; the folder is left as the data folder
//! of a group of one, node 1, for `make bench-cluster`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use harrier_coordinator::raft::{RaftOptions, Registry};
use harrier_coordinator::registry::task::TargetAddress;
use harrier_coordinator::registry::{
    CollectionFilter, CollectionMapping, Command, PartitionMapping, Reply, Sealed, ShardPair, Target, Task,
    TaskSpec, TaskState,
};
use harrier_coordinator::seal::{Sealer, SealingKey, TargetSecrets};

const TASKS: usize = 1_000;
const CHANNELS: usize = 16;
/// Proposals under way at once.
const BATCH: usize = 32;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, key_file, rest @ ..] = arguments.as_slice() else {
        return println!("usage: large_registry FOLDER KEY_FILE [TASKS]");
    };
    let tasks = rest.first().map_or(TASKS, |text| text.parse().unwrap());
    let sealer = Sealer::new(&SealingKey::load_or_generate(Path::new(key_file)).unwrap());
    let mut secrets = TargetSecrets::default();
    secrets.token = Some("root:Milvus".to_owned());
    let sealed = secrets.seal(&sealer).unwrap();
    let folder = PathBuf::from(folder);
    let registry = Registry::open(options(&folder, true)).await.unwrap();
    let begin = Instant::now();
    for first in (0..tasks).step_by(BATCH) {
        let batch = (first..tasks.min(first + BATCH)).map(|number| add(&registry, number, &sealed));
        for reply in futures::future::join_all(batch).await {
            assert_eq!(reply, Reply::Done);
        }
    }
    let senders = registry.read(|state| state.senders.len());
    println!("{tasks} tasks, {senders} senders written in {:.1} s", begin.elapsed().as_secs_f64());
    registry.shutdown().await;
    drop(registry);
    open(&folder, "opened, the log to be read").await;
    // Now everything is in the snapshot but the last entries.
    let registry =
        Registry::open(RaftOptions { snapshot_entries: 8, ..options(&folder, false) }).await.unwrap();
    while registry.status().role != "leader" || registry.status().snapshot_index == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let nothing = Command::TaskStarted { task_id: "none".to_owned() };
        let _ = registry.propose(nothing).await;
    }
    let state = registry.read(Clone::clone);
    println!("state as JSON: {} bytes", serde_json::to_vec(&state).unwrap().len());
    registry.shutdown().await;
    drop(registry);
    open(&folder, "opened, from a snapshot").await;
}

/// A folder that is opened, until the node leads.
async fn open(folder: &Path, what: &str) {
    let begin = Instant::now();
    let registry = Registry::open(options(folder, false)).await.unwrap();
    let opened = begin.elapsed().as_secs_f64();
    registry.leadership().wait_for(Option::is_some).await.unwrap();
    let leads = begin.elapsed().as_secs_f64();
    println!("{what}: {opened:.2} s, leads after {leads:.2} s; folder {} bytes", size(folder));
    registry.shutdown().await;
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| entry.metadata().unwrap().len()).sum()
}

fn options(folder: &Path, bootstrap: bool) -> RaftOptions {
    RaftOptions {
        data_dir: folder.to_owned(),
        bootstrap,
        propose_timeout_ms: 60_000,
        ..RaftOptions::default()
    }
}

/// A task with one collection of 16 shards, each on a pchannel of its own.
async fn add(registry: &Registry, number: usize, sealed: &Sealed) -> Reply {
    let task_id = format!("{number:032x}");
    let create = create(number, &task_id, sealed);
    assert_eq!(registry.propose(create).await.unwrap(), Reply::Done);
    let map = Command::MapCollection { mapping: Box::new(mapping(number, &task_id)) };
    assert_eq!(registry.propose(map).await.unwrap(), Reply::Done);
    registry.propose(Command::TaskStarted { task_id }).await.unwrap()
}

fn create(number: usize, task_id: &str, sealed: &Sealed) -> Command {
    let uri = format!("http://target-{number}.example:19530");
    let target_id = format!("{number:016x}");
    let filter =
        CollectionFilter { name: "*".to_owned(), positions: Default::default(), use_start_position: false };
    let spec = TaskSpec {
        target: TargetAddress { uri: uri.clone(), ..TargetAddress::default() },
        collection_infos: vec![filter],
        ..TaskSpec::default()
    };
    let task = Task {
        id: task_id.to_owned(),
        spec,
        secrets: sealed.clone(),
        target_id: target_id.clone(),
        state: TaskState::Initial,
        created_ms: 1,
        state_changed_ms: 1,
    };
    let target = Target { id: target_id, addresses: [uri].into(), collection_ids: Default::default() };
    Command::CreateTask { task: Box::new(task), target, task_count_max: u32::MAX }
}

fn mapping(number: usize, task_id: &str) -> CollectionMapping {
    let (source_id, target_id) = (450_000_000_000 + number as i64, 460_000_000_000 + number as i64);
    let pair = |channel: usize| ShardPair {
        source_vchannel: format!("by-dev-rootcoord-dml_{channel}_{source_id}v{channel}"),
        source_pchannel: format!("by-dev-rootcoord-dml_{channel}"),
        target_vchannel: format!("standby-rootcoord-dml_{channel}_{target_id}v{channel}"),
        target_pchannel: format!("standby-rootcoord-dml_{channel}"),
        start_position: vec![7; 8],
        replay_until: 0,
    };
    let partition = PartitionMapping {
        source_name: "_default".to_owned(),
        target_id: target_id + 1,
        target_name: "_default".to_owned(),
        dropped: false,
    };
    CollectionMapping {
        generation: 0,
        task_id: task_id.to_owned(),
        source_id,
        source_db: "default".to_owned(),
        source_name: format!("collection_{number}"),
        target_id,
        target_db: "default".to_owned(),
        target_name: format!("collection_{number}"),
        primary_field_id: 100,
        created_ts: 450_000_000_000_000_000,
        due_tick: 0,
        shards: (0..CHANNELS).map(pair).collect(),
        partitions: [(source_id + 1, partition)].into(),
        dropped: false,
    }
}
