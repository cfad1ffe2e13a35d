//! What is on disk today must be readable for ever, and must not change by accident.
//!
//! `tests/golden` holds, for every kind of value, one file per form that it ever had: `{name}.{number}`, the highest
//! number being what this build writes. When a form changes on purpose, `HARRIER_WRITE_GOLDEN=1 cargo test golden`
//! writes the next number; the older files stay and must still decode.

use std::fs;
use std::path::PathBuf;

use openraft::{CommittedLeaderId, EntryPayload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::samples::{begin_creations, create_task, every_command, map_collection, note_metadata};
use crate::raft::Peer;
use crate::raft::format;
use crate::raft::types::{LogEntry, LogId, Membership, SnapshotMeta, Vote};
use crate::registry::{self, Command, Entry, State};

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden"].iter().collect()
}

/// Compares with the newest file, and decodes and encodes the others.
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, value: &T) {
    let encoded = format::encode(value).unwrap();
    let file = |number: usize| folder().join(format!("{name}.{number}"));
    let count = (1..).take_while(|number| file(*number).exists()).count();
    for number in 1..=count {
        let old = fs::read(file(number)).unwrap();
        let decoded: Result<T, _> = format::decode(&old);
        assert!(decoded.is_ok(), "{name}.{number} must stay readable: {decoded:?}");
        if number == count && old == encoded {
            assert_eq!(&decoded.unwrap(), value);
            return;
        }
    }
    assert!(
        std::env::var_os("HARRIER_WRITE_GOLDEN").is_some(),
        "{name} is not written as in {name}.{count}; if that is meant, run with HARRIER_WRITE_GOLDEN=1 and check the \
         new file in:\n{}",
        String::from_utf8_lossy(&encoded)
    );
    fs::create_dir_all(folder()).unwrap();
    fs::write(file(count + 1), encoded).unwrap();
}

fn log_id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(3, 1), index)
}

fn membership() -> openraft::Membership<u64, Peer> {
    let peer = Peer { grpc_address: "one:8445".into(), http_address: "one:8444".into() };
    openraft::Membership::new(vec![[1].into()], std::collections::BTreeMap::from([(1, peer)]))
}

#[test]
fn entries_of_every_command() {
    for (index, (name, command)) in (10..).zip(every_command()) {
        let entry = Entry { time_ms: 1_700_000_000_000, command };
        check(
            &format!("entry_{name}"),
            &LogEntry { log_id: log_id(index), payload: EntryPayload::Normal(entry) },
        );
    }
}

#[test]
fn entries_of_the_group() {
    check("entry_blank", &LogEntry { log_id: log_id(1), payload: EntryPayload::Blank });
    let payload = EntryPayload::Membership(membership());
    check("entry_membership", &LogEntry { log_id: log_id(2), payload });
}

#[test]
fn votes_and_log_ids() {
    check("vote", &Vote::new_committed(3, 1));
    check("log_id", &log_id(17));
    check("committed", &Some(log_id(17)));
}

#[test]
fn snapshots() {
    // Without the last two commands, which empty the maps again.
    let mut state = State::default();
    let commands = every_command();
    for (time_ms, (_, command)) in (1_700_000_000_000..).zip(commands.into_iter().take(7)) {
        registry::apply(&mut state, &Entry { time_ms, command });
    }
    let drop =
        Command::DropPartitions { task_id: "a".into(), source_collection_id: 44, partitions: [45].into() };
    registry::apply(&mut state, &Entry { time_ms: 1_700_000_000_010, command: drop });
    registry::apply(&mut state, &Entry { time_ms: 1_700_000_000_011, command: begin_creations() });
    // What is left of a deleted task that was creating.
    let Command::BeginCreations { mut creations } = begin_creations() else { unreachable!() };
    creations.iter_mut().for_each(|creation| creation.task_id = "b".into());
    let delete = Command::DeleteTask { task_id: "b".into() };
    for command in [create_task("b"), Command::BeginCreations { creations }, delete] {
        registry::apply(&mut state, &Entry { time_ms: 1_700_000_000_012, command });
    }
    assert!(!state.parting.is_empty());
    assert!(!state.drops.is_empty() && !state.creations.is_empty());
    assert!(!state.tasks.is_empty() && !state.mappings.is_empty() && !state.shards.is_empty());
    check("snapshot", &state);
    let origin = registry::Restored { cluster_id: "c0ffee".into(), backup_ms: 17, restored_ms: 18 };
    check("snapshot_restored", &registry::restored(state, origin));
    let mut with_metadata = State::default();
    for command in [create_task("a"), map_collection(), note_metadata()] {
        registry::apply(&mut with_metadata, &Entry { time_ms: 1_700_000_000_013, command });
    }
    assert_eq!(with_metadata.metadata["a"].len(), 9);
    check("snapshot_metadata", &with_metadata);
    check("snapshot_members", &State { member_ids: [1, 2, 3].into(), ..State::default() });
    check(
        "snapshot_meta",
        &SnapshotMeta {
            last_log_id: Some(log_id(17)),
            last_membership: Membership::new(Some(log_id(2)), membership()),
            snapshot_id: "3-1-17".into(),
        },
    );
}

#[test]
fn other_formats_are_refused() {
    let newer = format::decode::<u64>(&[format::VERSION + 1, b'1']).unwrap_err();
    assert!(matches!(newer, format::FormatError::Newer(_)));
    assert!(matches!(format::decode::<u64>(&[]), Err(format::FormatError::Empty)));
    assert!(matches!(format::decode::<u64>(&[0, b'1']), Err(format::FormatError::Unknown(0))));
    assert!(matches!(format::decode::<u64>(&[format::VERSION, b'x']), Err(format::FormatError::Json(_))));
}
