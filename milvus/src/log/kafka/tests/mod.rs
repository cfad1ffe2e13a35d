//! The reader against a broker that holds one recorded topic, over real connections.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod broker;

use std::time::Duration;

use broker::Broker;
use secrecy::SecretString;

use super::batch::samples::Sample;
use super::{KafkaLog, position};
use crate::log::read_in_tests::{BYTES, until_error, up_to};
use crate::log::{LogAccess, LogError, LogMessage, LogSource, Start};
use crate::reach::Answer;
use crate::source::LogKind;

fn access(broker: &Broker) -> LogAccess {
    LogAccess { kind: LogKind::Kafka, address: broker.address.to_string(), ..LogAccess::default() }
}

fn log(broker: &Broker) -> KafkaLog {
    KafkaLog::new(access(broker))
}

/// Batches of one to four messages, some packed; the first offset is 5.
fn topic() -> Vec<Sample> {
    let mut first = 5;
    let mut batches = Vec::new();
    for count in [1, 3, 1, 4, 2, 1, 1] {
        let values: Vec<Vec<u8>> =
            (first..first + count).map(|n| format!("message {n}").into_bytes()).collect();
        let mut sample = Sample::of(first, &values.iter().map(Vec::as_slice).collect::<Vec<_>>());
        sample.attributes = if count == 3 { 4 } else { 0 };
        batches.push(sample);
        first += count;
    }
    batches
}

fn expected(from: i64) -> Vec<(i64, String)> {
    (from..18).map(|offset| (offset, format!("message {offset}"))).collect()
}

fn shown(messages: &[LogMessage]) -> Vec<(i64, String)> {
    let offset = |message: &LogMessage| position::decode("c", &message.position).unwrap();
    messages
        .iter()
        .map(|message| (offset(message), String::from_utf8_lossy(&message.payload).into_owned()))
        .collect()
}

#[tokio::test]
async fn a_reader_that_is_cut_off_after_any_batch_reads_the_topic() {
    for batches in 1..=topic().len() {
        let broker = Broker::start(topic()).await;
        broker.state().batches_per_connection = Some(batches);
        let log = log(&broker);
        let mut read: Vec<LogMessage> = Vec::new();
        while read.len() < expected(5).len() {
            let start =
                read.last().map_or(Start::Oldest, |last: &LogMessage| Start::After(last.position.clone()));
            let mut reader = log.open("c", start).await.unwrap();
            let (more, error) = up_to(&mut *reader, expected(5).len() - read.len()).await;
            assert!(matches!(error, None | Some(LogError::Transient(_))), "{error:?}");
            assert!(!more.is_empty(), "it goes on");
            read.extend(more);
        }
        assert_eq!(shown(&read), expected(5), "cut after {batches}");
    }
}

#[tokio::test]
async fn reading_begins_behind_any_offset_also_within_a_batch() {
    let broker = Broker::start(topic()).await;
    let log = log(&broker);
    for after in 5..17 {
        let mut reader = log.open("c", Start::After(position::encode(after))).await.unwrap();
        let mut read = Vec::new();
        while read.len() < expected(after + 1).len() {
            // Small reads: a batch comes in parts.
            read.extend(reader.next(1).await.unwrap());
        }
        assert_eq!(shown(&read), expected(after + 1));
    }
}

#[tokio::test]
async fn what_retention_took_is_told_when_it_opens_and_while_it_reads() {
    let broker = Broker::start(topic()).await;
    let log = log(&broker);
    let lost = log.open("c", Start::After(position::encode(2))).await.err().unwrap();
    assert!(
        matches!(&lost, LogError::PositionLost { wanted, oldest, newest, .. }
            if (wanted.as_str(), oldest.as_str(), newest.as_str()) == ("3", "5", "17")),
        "{lost}"
    );
    let made_anew = log.open("c", Start::After(position::encode(90))).await.err().unwrap();
    assert!(matches!(made_anew, LogError::PositionLost { .. }), "{made_anew}");

    broker.state().batches_per_answer = 1;
    let mut reader = log.open("c", Start::Oldest).await.unwrap();
    assert_eq!(shown(&reader.next(BYTES).await.unwrap()), [(5, "message 5".to_owned())]);
    broker.state().begin = 14;
    let (read, error) = until_error(&mut *reader).await;
    // What was asked for ahead came before.
    assert_eq!(shown(&read), &expected(6)[..read.len()]);
    assert!(matches!(&error, LogError::PositionLost { oldest, .. } if oldest == "14"), "{error}");
}

#[tokio::test]
async fn a_compacted_topic_is_refused() {
    let mut batches = topic();
    batches.remove(2);
    let broker = Broker::start(batches).await;
    let mut reader = log(&broker).open("c", Start::Oldest).await.unwrap();
    let (read, error) = until_error(&mut *reader).await;
    assert_eq!(shown(&read), &expected(5)[..4]);
    assert!(matches!(&error, LogError::Unsupported(why) if why.contains("offset 9 to 9")), "{error}");
}

#[tokio::test]
async fn logins_are_shown_and_refused() {
    let broker = Broker::start(topic()).await;
    broker.state().login = Some("\0root\0right".to_owned());
    let with = |password: &str| LogAccess {
        username: "root".into(),
        password: Some(SecretString::from(password)),
        ..access(&broker)
    };
    assert!(KafkaLog::new(with("right")).open("c", Start::Oldest).await.is_ok());
    let error = KafkaLog::new(with("wrong-word")).open("c", Start::Oldest).await.err().unwrap();
    assert!(matches!(&error, LogError::Auth(why) if !why.contains("wrong-word")), "{error}");
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_told() {
    let broker = Broker::start(topic()).await;
    let error = log(&broker).open("another", Start::Oldest).await.err().unwrap();
    assert_eq!(error, LogError::NoSuchChannel("another".to_owned()));
}

#[tokio::test]
async fn the_tail_is_read_to_the_end() {
    let broker = Broker::start(topic()).await;
    let tail = log(&broker).tail("c").await.unwrap();
    assert_eq!(tail.position, Some(position::encode(17)));
    assert_eq!(shown(&tail.messages), expected(5), "there is no tick");
    let emptied = Broker::start(Vec::new()).await;
    emptied.state().begin = 40;
    let tail = log(&emptied).tail("c").await.unwrap();
    assert_eq!((tail.position, tail.messages), (Some(position::encode(39)), Vec::new()));
    let fresh = Broker::start(Vec::new()).await;
    assert_eq!(log(&fresh).tail("c").await.unwrap().position, None);
}

#[tokio::test]
async fn whether_it_is_reached_is_told() {
    let broker = Broker::start(topic()).await;
    assert_eq!(log(&broker).reach(Duration::from_secs(2)).await, Answer::Answered);
    let nobody = LogAccess { address: "127.0.0.1:1".into(), ..access(&broker) };
    assert_eq!(KafkaLog::new(nobody).reach(Duration::from_secs(2)).await, Answer::Refused);
}
