//! `harrier backup`: a copy of the registry in a file.

use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::Method;
use harrier_coordinator::backup::{Backup, write_file};

use crate::api;
use crate::args::BackupArguments;

/// Megabytes, perhaps over a slow network.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Runs the subcommand.
#[allow(clippy::print_stdout)] // the answer of a command-line tool
pub fn run(arguments: &BackupArguments) -> anyhow::Result<()> {
    let bytes = api::block_on(fetch(api::address(&arguments.api.api)))?;
    // What cannot be restored is no backup.
    let header = Backup::decode(&bytes)?.header;
    write_file(&arguments.out, &bytes, arguments.force)?;
    println!(
        "wrote {} tasks of the cluster {} to {} ({} bytes)",
        header.tasks,
        header.cluster_id,
        arguments.out.display(),
        bytes.len()
    );
    if !header.key_ids.is_empty() {
        let keys: Vec<&str> = header.key_ids.iter().map(String::as_str).collect();
        println!(
            "its credentials are sealed with the key {}, which is not in it: keep a copy of the key elsewhere",
            keys.join(", ")
        );
    }
    Ok(())
}

async fn fetch(address: &str) -> anyhow::Result<Vec<u8>> {
    let answer = api::raw((Method::GET, address, "/cluster/backup"), Vec::new(), ANSWER_TIMEOUT).await?;
    let is_json = answer.headers.get("content-type").is_some_and(|kind| kind == "application/json");
    if is_json {
        let refusal = serde_json::from_slice(&answer.body).context("the answer is no backup")?;
        bail!("{}", api::message(&refusal));
    }
    Ok(answer.body.to_vec())
}
