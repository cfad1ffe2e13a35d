//! The registry on its disk.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cluster;
mod crash;
mod faults;
mod folders;
mod golden;
mod group;
mod members;
mod registry;
mod restore;
mod samples;
mod suite;

use std::path::Path;
use std::time::Duration;

use harrier_cluster::ClusterSecret;
use tokio::sync::watch;

use super::*;
use crate::registry::State;

fn secret() -> ClusterSecret {
    ClusterSecret::from_text("test", b"the-secret-of-the-tests").unwrap()
}

fn options(data_dir: &Path) -> RaftOptions {
    RaftOptions {
        data_dir: data_dir.to_owned(),
        bootstrap: true,
        election_ms_min: 50,
        election_ms_max: 100,
        heartbeat_ms: 20,
        ..RaftOptions::default()
    }
}

/// Waits until the node leads.
async fn leads(registry: &Registry) -> watch::Receiver<Option<u64>> {
    let mut leadership = registry.leadership();
    let found = tokio::time::timeout(Duration::from_secs(20), leadership.wait_for(Option::is_some)).await;
    found.expect("the node leads in time").expect("the node runs");
    leadership
}

async fn wait(mut is_so: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to pass in time");
}
