//! `harrier task limit`: how fast a task, or everything that is written to its target, may go. Changed while it runs.

use std::time::Duration;

use anyhow::bail;
use axum::http::Method;
use serde_json::{Map, Value};

use crate::api;
use crate::args::{LimitArguments, TaskCommand};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Runs the subcommand.
#[allow(clippy::print_stdout)] // the answer of a command-line tool
pub fn run(command: &TaskCommand) -> anyhow::Result<()> {
    let TaskCommand::Limit(arguments) = command;
    println!("{}", api::block_on(limit(arguments))?);
    Ok(())
}

async fn limit(arguments: &LimitArguments) -> anyhow::Result<String> {
    let address = api::address(&arguments.api.api);
    let path = format!("/cluster/tasks/{}", api::percent_encoded(&arguments.task));
    let task = send((Method::GET, address, &path), Vec::new()).await?;
    let target_id = task["target_id"].as_str().unwrap_or_default();
    let (what, key, path) = match arguments.target {
        true => {
            (format!("target {target_id}"), "target_limits", format!("/cluster/targets/{target_id}/limits"))
        }
        false => (format!("task {}", arguments.task), "limits", format!("{path}/limits")),
    };
    let mut body = Map::new();
    for (name, rate) in
        [("bytes_per_second", &arguments.bytes_per_second), ("rows_per_second", &arguments.rows_per_second)]
    {
        if let Some(rate) = rate {
            body.insert(name.to_owned(), rate.0.into());
        }
    }
    let limits = if body.is_empty() {
        task[key].clone()
    } else {
        send((Method::POST, address, &path), Value::Object(body).to_string().into_bytes()).await?
    };
    let shown = |name: &str| match limits[name].as_u64().unwrap_or_default() {
        0 => "no limit".to_owned(),
        rate => rate.to_string(),
    };
    Ok(format!(
        "{what}: bytes per second: {}, rows per second: {}",
        shown("bytes_per_second"),
        shown("rows_per_second")
    ))
}

async fn send(request: (Method, &str, &str), body: Vec<u8>) -> anyhow::Result<Value> {
    let mut answer = api::send(request, body, ANSWER_TIMEOUT).await?;
    if answer["code"] != 200 {
        bail!("{}", api::message(&answer));
    }
    Ok(answer["data"].take())
}

/// So many per second; 0 = no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(u64);

impl std::str::FromStr for Rate {
    type Err = String;

    /// A number, with k, M or G behind it if that is shorter; or `none`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(0));
        }
        let (digits, factor) = match text.char_indices().last() {
            Some((end, 'k')) => (&text[..end], 1_000),
            Some((end, 'M')) => (&text[..end], 1_000_000),
            Some((end, 'G')) => (&text[..end], 1_000_000_000),
            _ => (text, 1),
        };
        let number: Option<u64> = digits.parse().ok();
        number
            .and_then(|number| number.checked_mul(factor))
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no rate, expected a number such as 500k or 20M, or none"))
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn rates_as_people_write_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("none", Some(0)),
            ("1500", Some(1500)),
            ("20M", Some(20_000_000)),
            ("2k", Some(2000)),
        ] {
            assert_eq!(text.parse::<Rate>().ok().map(|rate| rate.0), expected, "{text}");
        }
        for wrong in ["", "M", "-1", "1.5M", "20MB", "99999999999G"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
