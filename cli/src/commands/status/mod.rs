//! `harrier status`: the group, its workers, tasks and senders on one screen.

mod screen;
mod text;

use std::time::Duration;

use anyhow::bail;
use axum::http::Method;
use serde_json::Value;

use crate::api;
use crate::args::StatusArguments;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Lists that come in pages.
const LISTS: [&str; 3] = ["workers", "tasks", "senders"];

/// Runs the subcommand.
#[allow(clippy::print_stdout)] // the answer of a command-line tool
pub fn run(arguments: &StatusArguments) -> anyhow::Result<()> {
    let address = api::address(&arguments.api.api).to_owned();
    let (status, problem) = api::block_on(ask(&address, arguments.all))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        let lines_max = if arguments.all { usize::MAX } else { screen::LINES_DEFAULT };
        print!("{}", screen::of(&status, lines_max));
    }
    match problem {
        // What was printed is what that node knows; scripts must not take it for the state of the group.
        Some(problem) => bail!("{problem}"),
        None => Ok(()),
    }
}

/// The `data` of the answer, and what is the matter if it is not whole.
async fn ask(address: &str, all: bool) -> anyhow::Result<(Value, Option<String>)> {
    let mut status = page(address, "/cluster").await?;
    if status["code"] != 200 {
        let problem = api::message(&status).to_owned();
        return match status["data"].take() {
            Value::Null => bail!("{problem}"),
            partial => Ok((partial, Some(problem))),
        };
    }
    let mut data = status["data"].take();
    while all && data["next"].as_object().is_some_and(|next| !next.is_empty()) {
        let mut more = page(address, &format!("/cluster?{}", following(&data))).await?;
        if more["code"] != 200 {
            bail!("{}", api::message(&more));
        }
        append(&mut data, more["data"].take());
    }
    Ok((data, None))
}

async fn page(address: &str, path: &str) -> anyhow::Result<Value> {
    api::send((Method::GET, address, path), Vec::new(), ANSWER_TIMEOUT).await
}

/// The parameters of the next page. A list that is complete goes on behind its end, and is empty.
fn following(data: &Value) -> String {
    let ids = ["worker_id", "task_id", "sender_id"];
    let parameters = LISTS.iter().zip(ids).filter_map(|(list, id)| {
        let next = data["next"][format!("{list}_after")].as_str();
        let last = next.or_else(|| data[list].as_array()?.last()?[id].as_str())?;
        Some(format!("{list}_after={}", api::percent_encoded(last)))
    });
    parameters.collect::<Vec<_>>().join("&")
}

fn append(data: &mut Value, mut page: Value) {
    for list in LISTS {
        if let (Some(known), Some(more)) = (data[list].as_array_mut(), page[list].as_array_mut()) {
            known.append(more);
        }
    }
    data["next"] = page["next"].take();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_are_asked_for_behind_the_last_and_joined() {
        let mut data = json!({
            "workers": [{ "worker_id": "w1" }], "tasks": [{ "task_id": "a b" }], "senders": [{ "sender_id": "t/p1" }],
            "next": { "senders_after": "t/p1" },
        });
        assert_eq!(following(&data), "workers_after=w1&tasks_after=a%20b&senders_after=t/p1");
        append(
            &mut data,
            json!({ "workers": [], "tasks": [], "senders": [{ "sender_id": "t/p2" }], "next": {} }),
        );
        assert_eq!(data["senders"].as_array().map(Vec::len), Some(2));
        assert_eq!((data["workers"].as_array().map(Vec::len), &data["next"]), (Some(1), &json!({})));
    }
}
