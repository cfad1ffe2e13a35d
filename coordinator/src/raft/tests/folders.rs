//! Folders that must not be opened, and what their refusal says.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use redb::ReadableDatabase;
use tempfile::tempdir;

use super::samples::create_task;
use super::*;

const FILE: &str = "registry.redb";

async fn refusal(options: RaftOptions) -> OpenError {
    match Registry::open(options).await {
        Ok(_) => panic!("this folder must not open"),
        Err(error) => error,
    }
}

/// A folder with one task in it, closed.
async fn founded() -> tempfile::TempDir {
    let data_dir = tempdir().unwrap();
    let registry = Registry::open(options(data_dir.path())).await.unwrap();
    leads(&registry).await;
    registry.propose(create_task("a")).await.unwrap();
    registry.shutdown().await;
    data_dir
}

#[tokio::test]
async fn an_empty_folder_is_not_founded_by_accident() {
    let data_dir = tempdir().unwrap();
    let waiting = RaftOptions { bootstrap: false, ..options(data_dir.path()) };
    let error = refusal(waiting.clone()).await;
    assert!(matches!(error, OpenError::NoSecret));
    assert!(error.to_string().contains("--bootstrap") && error.to_string().contains("cluster.secret_file"));

    let registry = Registry::open(RaftOptions { secret: Some(secret()), ..waiting }).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(registry.is_outside() && registry.cluster_id().is_none());
    assert_eq!(registry.status().role, "learner");
    let refused = registry.propose(create_task("a")).await;
    assert!(matches!(refused, Err(ProposeError::NotLeader { leader: None, .. })), "{refused:?}");
    registry.shutdown().await;
}

#[tokio::test]
async fn only_the_owner_may_read_the_folder() {
    let parent = tempdir().unwrap();
    let data_dir = parent.path().join("deep/data");
    let registry = Registry::open(options(&data_dir)).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data_dir), 0o700);
    assert_eq!(mode(&data_dir.join(FILE)), 0o600);
    registry.shutdown().await;
}

#[tokio::test]
async fn two_processes_do_not_share_a_folder() {
    let data_dir = tempdir().unwrap();
    let registry = Registry::open(options(data_dir.path())).await.unwrap();
    let error = refusal(options(data_dir.path())).await;
    assert!(matches!(error, OpenError::InUse { .. }));
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    registry.shutdown().await;
}

#[tokio::test]
async fn a_folder_belongs_to_one_node() {
    let data_dir = founded().await;
    let error = refusal(RaftOptions { node_id: 2, ..options(data_dir.path()) }).await;
    assert!(matches!(error, OpenError::OtherNode { found: 1, configured: 2, .. }), "{error}");
}

#[tokio::test]
async fn a_newer_format_is_left_alone() {
    for in_value in [false, true] {
        let data_dir = founded().await;
        let database = redb::Database::open(data_dir.path().join(FILE)).unwrap();
        let transaction = database.begin_write().unwrap();
        if in_value {
            disk::put_meta(&transaction, disk::key::VOTE, &[99, b'{', b'}']).unwrap();
        } else {
            disk::put_meta(&transaction, disk::key::FORMAT, &[99]).unwrap();
        }
        transaction.commit().unwrap();
        drop(database);

        let error = refusal(options(data_dir.path())).await;
        assert!(matches!(error, OpenError::NewerFormat { found: 99, known: 1, .. }), "{error}");
        assert!(error.to_string().contains("newer version of harrier"));
    }
}

#[tokio::test]
async fn damage_is_found_at_the_door() {
    let data_dir = founded().await;
    let path = data_dir.path().join(FILE);
    let sound = fs::read(&path).unwrap();
    // Where the bytes of the task are; every copy of them.
    let needle = b"collection_of_a";
    let hits: Vec<usize> =
        (0..sound.len() - needle.len()).filter(|at| &sound[*at..*at + needle.len()] == needle).collect();
    assert!(!hits.is_empty());

    let mut rotten = sound.clone();
    hits.iter().for_each(|at| rotten[*at] ^= 1);
    let mut headless = sound.clone();
    headless[..512].fill(0);
    let short = sound[..sound.len() / 3].to_vec();
    for (name, bytes) in [
        ("rotten", rotten),
        ("headless", headless),
        ("short", short),
        ("empty", Vec::new()),
        ("text", b"hello, this is no registry at all".repeat(200)),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = refusal(options(data_dir.path())).await;
        assert!(matches!(error, OpenError::Damaged { .. }), "{name}: {error}");
        assert!(
            error.to_string().contains("harrier member remove")
                && error.to_string().contains("harrier restore")
        );
    }

    fs::write(&path, sound).unwrap();
    let registry = Registry::open(options(data_dir.path())).await.unwrap();
    leads(&registry).await;
    assert!(registry.read(|state| state.tasks.contains_key("a")));
    registry.shutdown().await;
}

#[tokio::test]
async fn a_hole_in_the_log_is_damage() {
    let data_dir = founded().await;
    let database = redb::Database::open(data_dir.path().join(FILE)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(disk::LOG).unwrap().remove(1).unwrap();
    transaction.commit().unwrap();
    assert!(database.begin_read().is_ok());
    drop(database);
    let error = refusal(options(data_dir.path())).await;
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn timeouts_that_do_not_fit_are_named() {
    let data_dir = tempdir().unwrap();
    let error = refusal(RaftOptions { heartbeat_ms: 5_000, ..options(data_dir.path()) }).await;
    assert!(matches!(error, OpenError::Settings(_)), "{error}");
}
