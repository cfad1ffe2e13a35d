//! How long a checkpoint takes: `cargo test -p harrier-coordinator --lib speed -- --ignored --nocapture`.

use std::io::Write;
use std::time::Instant;

use tempfile::tempdir;

use super::*;
use crate::raft::tests::samples::{checkpoint, every_command};
use crate::registry::Command;

#[tokio::test]
#[ignore = "measures; asserts nothing"]
async fn checkpoints() {
    let data_dir = tempdir().unwrap();
    let registry = Registry::open(options(data_dir.path())).await.unwrap();
    leads(&registry).await;
    for (_, command) in every_command().into_iter().take(5) {
        registry.propose(command).await.unwrap();
    }
    let Command::Checkpoint { senders } = checkpoint(1) else { unreachable!() };
    for (sender_count, shard_count, rounds) in [(1, 1, 200_u32), (16, 30, 50), (128, 80, 10)] {
        let mut sender = senders[0].clone();
        sender.shards = vec![sender.shards[0].clone(); shard_count];
        let batch = vec![sender; sender_count];
        let started = Instant::now();
        for _ in 0..rounds {
            registry.propose(Command::Checkpoint { senders: batch.clone() }).await.unwrap();
        }
        let each = started.elapsed() / rounds;
        writeln!(std::io::stdout(), "{sender_count} senders with {shard_count} shards: {each:?}").unwrap();
    }
    registry.shutdown().await;

    let path = data_dir.path().join("plain");
    let mut file = std::fs::File::create(path).unwrap();
    let started = Instant::now();
    for _ in 0..200 {
        file.write_all(&[1; 4096]).unwrap();
        file.sync_data().unwrap();
    }
    writeln!(std::io::stdout(), "a bare write with fsync: {:?}", started.elapsed() / 200).unwrap();
}
