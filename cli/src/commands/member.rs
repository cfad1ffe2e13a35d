//! `harrier member list | add | remove`: asks any member, over its HTTP API.

use std::time::{Duration, Instant};

use anyhow::bail;
use axum::http::Method;
use serde_json::{Value, json};

use crate::api;
use crate::args::MemberCommand;

const PATH: &str = "/cluster/members";
/// A new member may have much to catch up with; the coordinators have their own, shorter limit.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// How long an election may take on a machine that is busy.
const LEADER_TIMEOUT: Duration = Duration::from_secs(15);
const LEADER_PAUSE: Duration = Duration::from_millis(500);

/// Runs the subcommand.
pub fn run(command: &MemberCommand) -> anyhow::Result<()> {
    api::block_on(ask(command))
}

#[allow(clippy::print_stdout)] // the answer of a command-line tool
async fn ask(command: &MemberCommand) -> anyhow::Result<()> {
    match command {
        MemberCommand::List { api } => {
            let data = send(Method::GET, &api.api, PATH, Vec::new()).await?;
            print!("{}", table(&data));
        }
        MemberCommand::Add { grpc_address, api } => {
            let body = json!({ "grpc_address": grpc_address }).to_string().into_bytes();
            let data = send(Method::POST, &api.api, PATH, body).await?;
            println!("node {} is a member now", data["member"]["node_id"]);
        }
        MemberCommand::Remove { node_id, api } => {
            send(Method::DELETE, &api.api, &format!("{PATH}/{node_id}"), Vec::new()).await?;
            println!("node {node_id} is no member any more; stop it, its id is never used again");
        }
    }
    Ok(())
}

/// The `data` of the answer; its message as an error. While there is no leader it asks again: every request can be
/// repeated.
async fn send(method: Method, api: &str, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
    let begin = Instant::now();
    loop {
        let value = api::send((method.clone(), api, path), body.clone(), ANSWER_TIMEOUT).await?;
        if value["code"] == 200 {
            return Ok(value["data"].clone());
        }
        if value["code"] != 503 || begin.elapsed() > LEADER_TIMEOUT {
            bail!("{}", api::message(&value));
        }
        tokio::time::sleep(LEADER_PAUSE).await;
    }
}

fn table(data: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let mut lines = format!("cluster {}\n", text(&data["cluster_id"]));
    lines += &format!("{:>8}  {:8} {:24} {:24} {:>12}\n", "node_id", "role", "grpc", "http", "log");
    for member in data["members"].as_array().into_iter().flatten() {
        let role = if member["leader"] == true { "leader".to_owned() } else { text(&member["role"]) };
        lines += &format!(
            "{:>8}  {:8} {:24} {:24} {:>12}\n",
            text(&member["node_id"]),
            role,
            text(&member["grpc_address"]),
            text(&member["http_address"]),
            text(&member["matched_index"])
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_member() {
        let data = json!({ "cluster_id": "c0ffee", "members": [
            { "node_id": 1, "grpc_address": "a:1", "http_address": "a:2", "role": "voter", "leader": true, "matched_index": 7 },
            { "node_id": 2, "grpc_address": "b:1", "http_address": "b:2", "role": "learner", "leader": false, "matched_index": null },
        ]});
        let table = table(&data);
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["cluster", "c0ffee"]);
        assert_eq!(lines[2], ["1", "leader", "a:1", "a:2", "7"]);
        assert_eq!(lines[3], ["2", "learner", "b:1", "b:2", "-"]);
    }
}
