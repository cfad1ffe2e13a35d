//! Files that are whole, and files that are not; what a group makes of one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::registry::{Entry, apply};
use crate::seal::SealingKey;

fn sealer(byte: u8) -> Sealer {
    Sealer::new(&SealingKey::from_text("test", format!("{byte:02x}").repeat(32).as_bytes()).unwrap())
}

/// A registry with a task whose credentials are sealed with that key.
fn state(key: u8) -> State {
    let mut state = State::default();
    let mut command = crate::leader::create_task_for_tests("a");
    if let registry::Command::CreateTask { task, .. } = &mut command {
        task.secrets = sealer(key).seal(br#"{"token":"root:hunter2"}"#).unwrap();
    }
    apply(&mut state, &Entry { time_ms: 1, command });
    state
}

fn encoded() -> Vec<u8> {
    Backup::encode("c1".to_owned(), 1_700_000_000_000, 42, &state(1)).unwrap()
}

#[test]
fn what_is_written_is_read_and_secrets_stay_sealed() {
    let bytes = encoded();
    let backup = Backup::decode(&bytes).unwrap();
    assert_eq!(backup.state.tasks.len(), 1);
    let Header { cluster_id, created_ms, log_index, tasks, key_ids, .. } = &backup.header;
    assert_eq!((cluster_id.as_str(), *created_ms, *log_index, *tasks), ("c1", 1_700_000_000_000, 42, 1));
    assert_eq!(key_ids.len(), 1);
    assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
    backup.check_key(&sealer(1)).unwrap();
    let refused = backup.check_key(&sealer(2)).unwrap_err().to_string();
    assert!(refused.contains(key_ids.first().unwrap()), "{refused}");
}

#[test]
fn a_file_that_is_not_whole_is_refused_wherever_it_was_cut_or_altered() {
    let bytes = encoded();
    for length in 0..bytes.len() {
        let error = Backup::decode(&bytes[..length]).unwrap_err();
        let told = matches!(
            error,
            BackupError::NotABackup | BackupError::Truncated { .. } | BackupError::Damaged { .. }
        );
        assert!(told, "{length}: {error}");
    }
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert!(Backup::decode(&altered).is_err(), "byte {at} was altered");
    }
    let mut longer = bytes.clone();
    longer.push(b' ');
    assert!(matches!(Backup::decode(&longer), Err(BackupError::Damaged { .. })));
    let cut = Backup::decode(&bytes[..bytes.len() - 10]).unwrap_err().to_string();
    assert!(cut.contains("cut off"), "{cut}");
}

#[test]
fn other_files_and_newer_ones_say_what_they_are() {
    for other in [&b""[..], b"hello", b"harrier-backup\n", b"\n", &[0; 1000]] {
        assert!(matches!(Backup::decode(other), Err(BackupError::NotABackup)), "{other:?}");
    }
    let newer = String::from_utf8(encoded()).unwrap().replacen("harrier-backup 1 ", "harrier-backup 7 ", 1);
    let error = Backup::decode(newer.as_bytes()).unwrap_err();
    assert!(matches!(error, BackupError::Newer { found: 7, known: 1 }));
    assert!(error.to_string().contains("newer version of harrier"));
}

#[test]
fn a_file_is_for_its_owner_and_replaces_nothing_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry.backup");
    write_file(&path, b"one", false).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let refused = write_file(&path, b"two", false).unwrap_err();
    assert!(matches!(refused, BackupError::Exists { .. }) && refused.to_string().contains("--force"));
    assert_eq!(fs::read(&path).unwrap(), b"one");
    write_file(&path, b"two", true).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    let nowhere = write_file(&folder.path().join("no/such/folder"), b"x", false).unwrap_err();
    assert!(matches!(nowhere, BackupError::Io { .. }));
}
