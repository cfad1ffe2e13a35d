//! `harrier restore`: a new group that begins with a backup.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use harrier_coordinator::backup;

use crate::args::RestoreArguments;
use crate::sealing;

/// Runs the subcommand.
#[allow(clippy::print_stdout)] // the answer of a command-line tool
pub fn run(arguments: &RestoreArguments) -> anyhow::Result<()> {
    let mut layers = arguments.file.layers();
    arguments.coordinator.apply(&mut layers);
    layers.flag("coordinator.node_id", arguments.node_id);
    let config = layers.load()?;
    let backup = backup::read_file(&arguments.from)
        .with_context(|| format!("cannot restore {}", arguments.from.display()))?;
    let sealer = sealing::sealer(&config, false)?;
    backup.check_key(&sealer).context("the sealing key does not fit the backup")?;
    let (tasks, former) = (backup.state.tasks.len(), backup.header.cluster_id.clone());
    let data_dir = &config.coordinator.data_dir;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let cluster_id =
        backup.restore(data_dir, config.coordinator.node_id, u64::try_from(now_ms).unwrap_or(u64::MAX))?;
    println!(
        "restored {tasks} tasks of the cluster {former} into {}; this is the new cluster {cluster_id}",
        data_dir.display()
    );
    println!(
        "make sure that no coordinator of the old cluster runs, then start `harrier coordinator` with node_id {} on this \
         folder; add further members with empty folders",
        config.coordinator.node_id
    );
    Ok(())
}
