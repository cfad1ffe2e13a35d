//! The reader against a broker that holds one recorded topic, over real connections.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod broker;

use std::cmp::Ordering;
use std::time::Duration;

use broker::{Broker, Topic};

use super::PulsarLog;
use super::position::Position;
use crate::log::read_in_tests::{BYTES, until_error, up_to};
use crate::log::{LogAccess, LogError, LogMessage, LogSource, Start};
use crate::reach::Answer;
use crate::source::LogKind;

/// Entries per ledger.
const LEDGERS: [(i64, i64); 4] = [(3, 3), (4, 1), (9, 5), (12, 2)];

fn log(broker: &Broker) -> PulsarLog {
    let address = broker.address.to_string();
    PulsarLog::new(LogAccess { kind: LogKind::Pulsar, address, ..LogAccess::default() })
}

fn shown(messages: &[LogMessage]) -> Vec<String> {
    let at = |message: &LogMessage| Position::decode("c", &message.position).unwrap().to_string();
    messages
        .iter()
        .map(|message| format!("{} {}", at(message), String::from_utf8_lossy(&message.payload)))
        .collect()
}

fn start_behind(messages: &[LogMessage]) -> Start {
    messages.last().map_or(Start::Oldest, |last| Start::After(last.position.clone()))
}

#[tokio::test]
async fn a_reader_that_is_cut_off_after_any_entry_reads_the_topic() {
    let topic = Topic::of(&LEDGERS);
    let expected = topic.shown();
    for entries in 1..=topic.entries.len() {
        let broker = Broker::start(topic.clone()).await;
        broker.state().cut_after = Some(entries);
        let log = log(&broker);
        let mut read: Vec<LogMessage> = Vec::new();
        let mut opened = 0;
        while read.len() < expected.len() {
            opened += 1;
            assert!(opened < 50, "it goes on, cut after {entries}: {:?}", shown(&read));
            let mut reader = log.open("c", start_behind(&read)).await.unwrap();
            let (more, error) = up_to(&mut *reader, expected.len() - read.len()).await;
            assert!(matches!(error, None | Some(LogError::Transient(_))), "{error:?}");
            read.extend(more);
        }
        assert_eq!(shown(&read), expected, "cut after {entries}");
        assert!(read.is_sorted_by(|a, b| log.compare(&a.position, &b.position) == Ordering::Less));
    }
}

#[tokio::test]
async fn reading_begins_behind_any_message_also_within_a_batch() {
    let topic = Topic::of(&LEDGERS);
    let expected = topic.shown();
    let broker = Broker::start(topic).await;
    let log = log(&broker);
    let mut reader = log.open("c", Start::Oldest).await.unwrap();
    let mut all = Vec::new();
    while all.len() < expected.len() {
        all.extend(reader.next(1).await.unwrap());
    }
    for (index, message) in all.iter().enumerate().take(all.len() - 1) {
        let mut reader = log.open("c", Start::After(message.position.clone())).await.unwrap();
        let mut read = Vec::new();
        while read.len() < expected.len() - index - 1 {
            read.extend(reader.next(BYTES).await.unwrap());
        }
        assert_eq!(shown(&read), &expected[index + 1..]);
    }
}

#[tokio::test]
async fn what_retention_took_is_told_and_never_skipped() {
    let topic = Topic::of(&LEDGERS);
    let broker = Broker::start(topic.clone()).await;
    let log = log(&broker);
    for (ledger, entry, _) in topic.entries.iter().filter(|(ledger, ..)| *ledger < 9) {
        let position = Position::new(*ledger, *entry, super::position::Place::InBatch(0));
        broker.state().topic.entries.retain(|(ledger, ..)| *ledger >= 9);
        let error = log.open("c", Start::After(position.encode())).await.err().unwrap();
        let wanted = position.to_string();
        assert!(
            matches!(&error, LogError::PositionLost { wanted: told, oldest, .. } if *told == wanted && oldest == "9:0"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_ledger_that_goes_while_it_is_read_is_told() {
    // The reader is in the middle of ledger 3 when the broker drops it: the next that comes is of ledger 4.
    let mut topic = Topic::of(&LEDGERS);
    topic.entries.retain(|(ledger, entry, _)| *ledger != 3 || *entry < 2);
    let broker = Broker::start(topic).await;
    broker.state().trim_when_asked_again = Some(4);
    let mut reader = log(&broker).open("c", Start::Oldest).await.unwrap();
    let (read, error) = until_error(&mut *reader).await;
    assert!(shown(&read).iter().all(|text| text.starts_with("3:")), "{:?}", shown(&read));
    assert!(matches!(error, LogError::PositionLost { .. }), "{error}");
}

#[tokio::test]
async fn a_topic_that_was_made_anew_is_told() {
    let broker = Broker::start(Topic::of(&[(3, 2)])).await;
    let position = Position::new(40, 7, super::position::Place::InBatch(0));
    let opened = log(&broker).open("c", Start::After(position.encode())).await;
    assert!(matches!(opened.err(), Some(LogError::PositionLost { .. })));
}

#[tokio::test]
async fn a_topic_that_is_given_away_is_opened_again_by_the_caller() {
    let topic = Topic::of(&[(3, 4)]);
    let broker = Broker::start(topic.clone()).await;
    let log = log(&broker);
    let mut reader = log.open("c", Start::Oldest).await.unwrap();
    let mut read = Vec::new();
    while read.len() < topic.shown().len() {
        read.extend(reader.next(BYTES).await.unwrap());
    }
    broker.close_consumers();
    let (more, error) = until_error(&mut *reader).await;
    assert_eq!(more, []);
    assert!(matches!(&error, LogError::Transient(why) if why.contains("gives the topic away")), "{error}");
}

#[tokio::test]
async fn subscriptions_have_names_and_are_not_durable() {
    let broker = Broker::start(Topic::of(&LEDGERS)).await;
    let log = log(&broker);
    for _ in 0..2 {
        let mut reader = log.open("c", Start::Oldest).await.unwrap();
        reader.next(BYTES).await.unwrap();
    }
    let seen = broker.state().subscribed.clone();
    assert!(seen.len() >= 2);
    for subscribe in &seen {
        assert!(subscribe.subscription.starts_with("harrier-reader-"));
        assert_eq!((subscribe.durable, subscribe.force_topic_creation), (Some(false), Some(false)));
        assert_eq!(subscribe.topic, "persistent://public/default/c");
    }
    let mut names: Vec<_> = seen.iter().map(|subscribe| &subscribe.subscription).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), seen.len(), "each is used once");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let broker = Broker::start(Topic::of(&[(3, 1)])).await;
    let log = log(&broker);
    for (number, class) in [(3, "Auth"), (4, "Auth"), (11, "NoSuchChannel"), (6, "Transient")] {
        broker.state().refuse_subscriptions = Some(number);
        let error = log.open("c", Start::Oldest).await.err().unwrap();
        assert!(format!("{error:?}").starts_with(class), "{error:?}");
    }
}

#[tokio::test]
async fn the_tail_begins_with_the_last_tick() {
    let mut topic = Topic::of(&[(3, 2)]);
    topic.push_ticks(5, 200);
    topic.push(5, b"behind the tick");
    let broker = Broker::start(topic.clone()).await;
    let tail = log(&broker).tail("c").await.unwrap();
    assert_eq!(tail.messages.len(), 2);
    assert_eq!(tail.position.as_ref(), tail.messages.last().map(|message| &message.position));
    assert_eq!(shown(&tail.messages)[1], topic.shown().pop().unwrap());
    // Only messages, no tick: all of the newest ledger.
    let broker = Broker::start(Topic::of(&[(3, 2), (9, 3)])).await;
    let tail = log(&broker).tail("c").await.unwrap();
    assert!(shown(&tail.messages).iter().all(|text| text.starts_with("9:")), "{:?}", shown(&tail.messages));
    let broker = Broker::start(Topic::of(&[])).await;
    assert_eq!(log(&broker).tail("c").await.unwrap().position, None);
}

#[tokio::test]
async fn whether_it_is_reached_is_told() {
    let broker = Broker::start(Topic::of(&[])).await;
    assert_eq!(log(&broker).reach(Duration::from_secs(2)).await, Answer::Answered);
    let nobody = LogAccess { kind: LogKind::Pulsar, address: "127.0.0.1:1".into(), ..LogAccess::default() };
    assert_eq!(PulsarLog::new(nobody).reach(Duration::from_secs(2)).await, Answer::Refused);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let silent_log = PulsarLog::new(LogAccess { kind: LogKind::Pulsar, address, ..LogAccess::default() });
    assert_eq!(silent_log.reach(Duration::from_millis(100)).await, Answer::Silent);
}
