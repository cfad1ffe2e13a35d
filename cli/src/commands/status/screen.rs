//! What is printed: what does not go on stands first, what is left out is counted.

use std::collections::BTreeSet;

use serde_json::Value;

use super::text::{ago, bytes, left, plain, right, seconds, short, span, table};

/// Lines of each list, where nobody asks for all of them.
pub const LINES_DEFAULT: usize = 16;
/// Longest reason in one line, in characters.
const REASON_CHARS_MAX: usize = 110;

/// The screen.
pub fn of(status: &Value, lines_max: usize) -> String {
    let now_ms = status["time"].as_u64().unwrap_or(0);
    let mut screen = group(&status["group"], now_ms);
    if status["complete"] != true {
        screen += "\nthis is what one node knows; workers, tasks and senders are known to a leader alone\n";
        return screen;
    }
    screen += &workers(status, lines_max);
    screen += &tasks(status, lines_max, now_ms);
    screen += &senders(status, lines_max, now_ms);
    screen + &counters(status, now_ms)
}

fn group(group: &Value, now_ms: u64) -> String {
    let leader = match &group["leader"] {
        Value::Null => "no leader".to_owned(),
        leader if group["leading_since"].is_null() => format!("leader: node {leader}"),
        leader => format!("leader: node {leader} for {}", ago(&group["leading_since"], now_ms)),
    };
    let mut text = format!("cluster {}, term {}, {leader}\n", plain(&group["cluster_id"]), group["term"]);
    text += &format!(
        "log of node {}: last entry {}, committed {}, applied {}, snapshot {}\n\n",
        group["node_id"],
        group["last_log_index"],
        plain(&group["commit_index"]),
        group["applied_index"],
        group["snapshot_index"]
    );
    let columns = [right("NODE"), left("ROLE"), left("GRPC"), left("HTTP"), right("BEHIND"), left("ANSWERS")];
    let row = |member: &Value| {
        let since = ago(&member["since"], now_ms);
        vec![
            plain(&member["node_id"]),
            if member["leader"] == true { "leader".to_owned() } else { plain(&member["role"]) },
            plain(&member["grpc_address"]),
            plain(&member["http_address"]),
            plain(&member["behind"]),
            match member["reachable"].as_bool() {
                Some(true) => format!("for {since}"),
                Some(false) => format!("NOT for {since}"),
                None => "-".to_owned(),
            },
        ]
    };
    text + &table(&columns, &rows(&group["members"], row))
}

fn workers(status: &Value, lines_max: usize) -> String {
    let columns = [
        left("WORKER"),
        left("PROCESS"),
        left("ADDRESS"),
        left("VERSION"),
        left("STATE"),
        right("LEASE AGE"),
        right("SENDERS"),
        right("BUFFERED"),
    ];
    let row = |worker: &Value| {
        vec![
            short(&worker["worker_id"]),
            cut(&plain(&worker["description"]), 24),
            plain(&worker["address"]),
            plain(&worker["version"]),
            worker_state(worker),
            worker["lease_age_ms"].as_u64().map_or("-".to_owned(), span),
            plain(&worker["senders"]),
            bytes(&worker["buffered_bytes"]),
        ]
    };
    let total = status["totals"]["workers"].as_u64().unwrap_or(0);
    section("workers", total, &status["workers"], lines_max, |shown| table(&columns, &rows(shown, row)))
}

fn worker_state(worker: &Value) -> String {
    let missed: BTreeSet<String> =
        items(&worker["unreachable"]).iter().map(|one| plain(&one["what"])).collect();
    let missed: Vec<String> = missed.into_iter().collect();
    match (missed.is_empty(), worker["draining"] == true) {
        (false, _) => format!("no {}", missed.join(", no ")),
        (true, true) => "draining".to_owned(),
        (true, false) => "accepting".to_owned(),
    }
}

fn tasks(status: &Value, lines_max: usize, now_ms: u64) -> String {
    let columns = [
        left("TASK"),
        left("STATE"),
        left("TARGET"),
        right("LAG"),
        right("COLLECTIONS"),
        right("HELD"),
        right("SENDERS"),
    ];
    let row = |task: &Value| {
        vec![
            cut(&plain(&task["task_id"]), 32),
            plain(&task["state"]),
            cut(&plain(&task["target"]), 28),
            seconds(&task["lag_seconds"]),
            plain(&task["collections"]),
            plain(&task["held_collections"]),
            plain(&task["senders"]),
        ]
    };
    let total = status["totals"]["tasks"].as_u64().unwrap_or(0);
    section("tasks", total, &troubled_first(&status["tasks"]), lines_max, |shown| {
        let mut text = table(&columns, &rows(shown, row));
        text += &reasons(shown, |task| cut(&plain(&task["task_id"]), 32), now_ms);
        text
    })
}

fn senders(status: &Value, lines_max: usize, now_ms: u64) -> String {
    let idle = |sender: &&Value| sender["state"] == "idle";
    let listed = items(&status["senders"]);
    let resting = listed.iter().filter(idle).count();
    let busy: Vec<Value> = listed.iter().filter(|sender| !idle(sender)).cloned().collect();
    let columns = [
        left("SENDER"),
        left("TARGET"),
        left("OWNER"),
        right("EPOCH"),
        left("STATE"),
        right("LAG"),
        right("CLOCK"),
        right("SHARDS"),
        right("TASKS"),
        left(""),
    ];
    let row = |sender: &Value| {
        vec![
            plain(&sender["target_pchannel"]),
            short(&sender["target_id"]),
            short(&sender["owner"]),
            plain(&sender["epoch"]),
            plain(&sender["state"]),
            seconds(&sender["lag_seconds"]),
            ago(&sender["clock_time"], now_ms),
            plain(&sender["shards"]),
            plain(&sender["task_count"]),
            if sender["uncertain"] == true { "uncertain".to_owned() } else { String::new() },
        ]
    };
    let total = status["totals"]["senders"].as_u64().unwrap_or(0);
    let total = total.saturating_sub(resting as u64);
    let mut text = section("senders", total, &troubled_first(&busy.into()), lines_max, |shown| {
        let mut text = table(&columns, &rows(shown, row));
        text += &reasons(shown, |sender| plain(&sender["target_pchannel"]), now_ms);
        text
    });
    if resting > 0 {
        text += &format!("  {resting} senders have nothing to do\n");
    }
    text
}

/// Of failovers: so many fit, with large counts.
const CAUSES_PER_LINE: usize = 4;

fn counters(status: &Value, now_ms: u64) -> String {
    let since = ago(&status["failovers"]["since"], now_ms);
    let causes = status["failovers"]["by_cause"].as_object().into_iter().flatten();
    let causes: Vec<String> = causes.map(|(cause, count)| format!("{cause} {count}")).collect();
    let lines: Vec<String> = causes.chunks(CAUSES_PER_LINE).map(|line| line.join(", ")).collect();
    let uncertain = &status["uncertain"];
    format!(
        "\nfailovers, last {since}: {}\nuncertain windows: {} opened, {} open now, {} rows sent again\n",
        lines.join(",\n  "),
        uncertain["windows_opened"],
        uncertain["open"],
        uncertain["rows_replayed"]
    )
}

/// A list under its heading, and how many of it are not shown.
fn section(
    name: &str,
    total: u64,
    list: &Value,
    lines_max: usize,
    show: impl FnOnce(&Value) -> String,
) -> String {
    let list = items(list);
    if list.is_empty() {
        return if total == 0 { format!("\nno {name}\n") } else { format!("\n{total} {name}\n") };
    }
    let shown: Vec<Value> = list.iter().take(lines_max).cloned().collect();
    let left_out = total.saturating_sub(shown.len() as u64);
    let mut text = format!("\n{}", show(&shown.into()));
    if left_out > 0 {
        text += &format!("  and {left_out} more {name} (--all shows them)\n");
    }
    text
}

/// What does not go on, then what is uncertain, then what is furthest behind.
fn troubled_first(list: &Value) -> Value {
    let mut list = items(list).to_vec();
    let rank = |entry: &Value| (entry["reason"].is_null(), entry["uncertain"] != true);
    let lag = |entry: &Value| entry["lag_seconds"].as_f64().unwrap_or(0.0);
    list.sort_by(|a, b| rank(a).cmp(&rank(b)).then(lag(b).total_cmp(&lag(a))));
    list.into()
}

fn reasons(list: &Value, name: impl Fn(&Value) -> String, now_ms: u64) -> String {
    let troubled = items(list).iter().filter(|entry| !entry["reason"].is_null());
    let line = |entry: &Value| {
        let reason = &entry["reason"];
        let since = reason["since"]
            .as_u64()
            .map_or(String::new(), |_| format!(" for {}", ago(&reason["since"], now_ms)));
        let text = format!("  {}{since}: {}", name(entry), plain(&reason["message"]));
        cut(&text, REASON_CHARS_MAX) + "\n"
    };
    troubled.map(line).collect()
}

fn rows(list: &Value, row: impl Fn(&Value) -> Vec<String>) -> Vec<Vec<String>> {
    items(list).iter().map(row).collect()
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(3)).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    const WIDTH_MAX: usize = 120;

    fn sender(number: usize) -> Value {
        json!({
            "sender_id": format!("00000000000000aa/by-dev-rootcoord-dml_{number}"), "target": ["10.0.0.6:19530"],
            "target_id": "00000000000000aa", "target_pchannel": format!("by-dev-rootcoord-dml_{number}"),
            "state": "running", "owner": "0123456789abcdef0123456789abcdef", "epoch": 12_345, "clock_time": 999_900,
            "tick_time": 999_900, "lag_seconds": 0.1, "shards": 1_000, "held_shards": 0, "uncertain": false,
            "uncertain_windows": 0, "reason": null, "tasks": ["t"], "task_count": 1,
        })
    }

    fn status() -> Value {
        let member = |node_id: u64, leader: bool| {
            json!({
                "node_id": node_id, "role": "voter", "leader": leader, "grpc_address": format!("10.0.0.{node_id}:8445"),
                "http_address": format!("10.0.0.{node_id}:8444"), "matched_index": 80, "behind": 1,
                "reachable": if leader { Value::Null } else { json!(node_id == 2) }, "since": 990_000,
                "last_answer_ms": 20,
            })
        };
        json!({
            "complete": true, "time": 1_000_000,
            "group": {
                "cluster_id": "c0ffee", "node_id": 1, "role": "leader", "leader": 1, "term": 4,
                "leading_since": 400_000, "last_log_index": 81, "commit_index": 81, "applied_index": 81,
                "snapshot_index": 0, "members": [member(1, true), member(2, false), member(3, false)],
            },
            "totals": { "workers": 1, "tasks": 1, "senders": 40 },
            "failovers": { "since": 400_000, "by_cause": { "lease_expired": 2, "drained": 1 } },
            "uncertain": { "since": 400_000, "windows_opened": 5, "open": 1, "rows_replayed": 77 },
            "workers": [{
                "worker_id": "0123456789abcdef0123456789abcdef", "description": "some-host.example.org/12345",
                "version": "0.1.0", "address": "10.0.0.21:51234", "lease_age_ms": 120, "draining": false,
                "senders": 16, "buffered_bytes": 1_500_000,
            }],
            "tasks": [{
                "task_id": "30d1e325df604ebb99e14c2a335a1421", "state": "Running",
                "target": "http://some-standby.example.org:19530",
                "reason": { "class": "operator", "message": "what is the matter ".repeat(20), "since": 900_000 },
                "lag_seconds": 100.5, "collections": 1_000, "held_collections": 1, "senders": 16,
            }],
            "senders": (0..40).map(sender).collect::<Vec<_>>(), "next": {},
        })
    }

    #[test]
    fn everything_stands_on_one_screen() {
        let screen = of(&status(), LINES_DEFAULT);
        for line in screen.lines() {
            assert!(line.chars().count() <= WIDTH_MAX, "{} characters: {line}", line.chars().count());
        }
        for words in [
            "cluster c0ffee, term 4, leader: node 1 for 10 min",
            "NOT for 10.0 s",
            "01234567  some-host.example.org...  10.0.0.21:51234",
            "30d1e325df604ebb99e14c2a335a1421  Running",
            "30d1e325df604ebb99e14c2a335a1421 for 1 min: what is the matter",
            "and 24 more senders (--all shows them)",
            "failovers, last 10 min: drained 1, lease_expired 2",
            "uncertain windows: 5 opened, 1 open now, 77 rows sent again",
        ] {
            assert!(screen.contains(words), "{words} in\n{screen}");
        }
        assert!(screen.lines().count() < 50, "{screen}");
        assert_eq!(of(&status(), usize::MAX).matches("by-dev-rootcoord").count(), 40);
    }

    /// All causes with large counts did not fit into one line.
    #[test]
    fn every_cause_of_a_failover_has_its_place() {
        let mut status = status();
        let causes = [
            "balanced",
            "drained",
            "lease_expired",
            "not_run",
            "unreachable_log",
            "unreachable_target",
            "worker_left",
        ];
        status["failovers"]["by_cause"] =
            causes.iter().map(|cause| (cause.to_string(), json!(1_234_567))).collect();
        let screen = of(&status, LINES_DEFAULT);
        assert!(screen.lines().all(|line| line.chars().count() <= WIDTH_MAX), "{screen}");
        assert!(causes.iter().all(|cause| screen.contains(&format!("{cause} 1234567"))), "{screen}");
    }

    #[test]
    fn a_worker_that_is_cut_off_says_from_what() {
        let mut status = status();
        let target = json!({ "what": "target", "target_id": "a", "since": 1 });
        status["workers"][0]["unreachable"] = json!([target, target, { "what": "log", "since": 2 }]);
        let screen = of(&status, LINES_DEFAULT);
        assert!(screen.contains("no log, no target") && !screen.contains("accepting"), "{screen}");
    }

    #[test]
    fn what_does_not_go_on_stands_first_and_what_rests_is_counted() {
        let mut status = status();
        status["senders"][39]["reason"] =
            json!({ "class": "operator", "message": "no such pchannel", "since": null });
        status["senders"][30]["uncertain"] = json!(true);
        status["senders"][0]["state"] = json!("idle");
        let screen = of(&status, 2);
        let lines: Vec<&str> = screen.lines().filter(|line| line.contains("rootcoord-dml_")).collect();
        assert_eq!(lines.len(), 3, "{screen}");
        assert!(
            lines[0].contains("dml_39") && lines[1].contains("dml_30") && lines[1].ends_with("uncertain")
        );
        assert_eq!(lines[2], "  by-dev-rootcoord-dml_39: no such pchannel");
        assert!(screen.contains("and 37 more senders") && screen.contains("1 senders have nothing to do"));
    }

    #[test]
    fn a_node_without_a_leader_shows_what_it_knows_and_says_so() {
        let mut status = status();
        status["complete"] = json!(false);
        status["group"]["leader"] = Value::Null;
        let screen = of(&status, LINES_DEFAULT);
        assert!(screen.contains("no leader") && screen.contains("10.0.0.3:8445"));
        assert!(screen.contains("this is what one node knows") && !screen.contains("SENDER"), "{screen}");
    }
}
