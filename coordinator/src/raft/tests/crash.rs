//! kill -9 amid writing: what was acknowledged is there afterwards.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};

use tempfile::tempdir;

use super::samples::create_task;
use super::*;

const DATA_DIR: &str = "HARRIER_CRASH_TEST_DATA_DIR";
const ACKNOWLEDGED: &str = "acknowledged ";

/// Not a test by itself: what the killed process does.
#[tokio::test]
async fn child_writes_until_it_is_killed() {
    let Some(data_dir) = std::env::var_os(DATA_DIR) else { return };
    let often = RaftOptions { snapshot_entries: 20, ..options(&PathBuf::from(data_dir)) };
    let registry = Registry::open(often).await.unwrap();
    leads(&registry).await;
    for number in registry.read(|state| state.tasks.len()).. {
        registry.propose(create_task(&format!("task-{number}"))).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{ACKNOWLEDGED}{number}").unwrap();
        out.flush().unwrap();
    }
}

/// Lets a process write until it has acknowledged `upto`, and kills it; the last number that it acknowledged.
fn write_and_kill(data_dir: &Path, upto: usize) -> usize {
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "raft::tests::crash::child_writes_until_it_is_killed", "--nocapture"])
        .env(DATA_DIR, data_dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut numbers = lines
        .by_ref()
        .map(Result::unwrap)
        .filter_map(|line| line.strip_prefix(ACKNOWLEDGED).map(|number| number.parse::<usize>().unwrap()));
    let reached = numbers.find(|number| *number >= upto);
    child.kill().unwrap();
    // It may have acknowledged more before the signal came.
    let last = numbers.last().or(reached);
    child.wait().unwrap();
    last.expect("the process wrote")
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let data_dir = tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 1..=3 {
        acknowledged = write_and_kill(data_dir.path(), acknowledged + 15 * round);
    }
    let registry = Registry::open(options(data_dir.path())).await.unwrap();
    leads(&registry).await;
    for number in 0..=acknowledged {
        assert!(registry.read(|state| state.tasks.contains_key(&format!("task-{number}"))), "task-{number}");
    }
    registry.shutdown().await;
}
