//! Which broker leads a channel's partition.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::super::LogError;
use super::super::access::LogAccess;
use super::super::wire::address::Address;
use super::super::wire::tls::TlsSettings;
use super::connection::{Api, Connection, put_string};
use super::error_code;
use super::input::{Input, Malformed};
use crate::reach::{self, Answer};

const METADATA: Api = Api { key: 3, version: 4 };
const DEFAULT_PORT: u16 = 9092;

/// A broker of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Broker {
    id: i32,
    address: Address,
}

/// What the cluster says of one topic.
#[derive(Debug, PartialEq, Eq)]
struct Topology {
    brokers: Vec<Broker>,
    topic_error: i16,
    /// Error, number and leader of each partition.
    partitions: Vec<(i16, i32, i32)>,
}

/// A connection to the leader of the channel's partition.
pub(super) async fn leader(access: &LogAccess, channel: &str) -> Result<Connection, LogError> {
    let tls = tls(access)?;
    let mut connection = first_of(access, tls.as_ref()).await?;
    let mut answer = connection.call(METADATA, &request(channel)).await?;
    let topology = Topology::read(&mut answer)?;
    let leader = topology.leader(channel)?;
    // The first broker is often the only one.
    if leader == *connection.address() {
        return Ok(connection);
    }
    Connection::open(&leader, access, tls.as_ref()).await
}

/// Whether any of the configured brokers answers.
pub(super) async fn reach(access: &LogAccess, within: Duration) -> Answer {
    let Ok((addresses, tls)) = addresses(access).and_then(|list| Ok((list, tls(access)?))) else {
        return Answer::Refused;
    };
    let mut answers = Vec::new();
    for address in &addresses {
        let asked = async {
            let mut connection = Connection::reach(address, tls.as_ref()).await?;
            Ok::<_, std::io::Error>(connection.agree_on_versions().await)
        };
        answers.push(match tokio::time::timeout(within, asked).await {
            Err(_) => Answer::Silent,
            Ok(Ok(Ok(()) | Err(LogError::Unsupported(_)))) => return Answer::Answered,
            Ok(Ok(Err(_))) => Answer::Refused,
            Ok(Err(error)) => reach::of_error(&error),
        });
    }
    if answers.contains(&Answer::Refused) { Answer::Refused } else { Answer::Silent }
}

/// The first of the configured brokers that can be connected to.
async fn first_of(access: &LogAccess, tls: Option<&TlsSettings>) -> Result<Connection, LogError> {
    let mut last = LogError::Unsupported("source.log.address names no broker".to_owned());
    for address in addresses(access)? {
        match Connection::open(&address, access, tls).await {
            Ok(connection) => return Ok(connection),
            Err(error @ LogError::Transient(_)) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn addresses(access: &LogAccess) -> Result<Vec<Address>, LogError> {
    Address::parse_list(&access.address, DEFAULT_PORT)
}

fn tls(access: &LogAccess) -> Result<Option<TlsSettings>, LogError> {
    access.tls.as_ref().map(TlsSettings::of).transpose()
}

fn request(channel: &str) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_i32(1);
    put_string(&mut body, channel);
    // Asking must not make a topic.
    body.put_i8(0);
    body
}

impl Topology {
    fn read(answer: &mut Input) -> Result<Self, Malformed> {
        let _throttled_ms = answer.i32()?;
        let brokers = answer.array(|broker| {
            let id = broker.i32()?;
            let host = broker.string()?;
            let port = u16::try_from(broker.i32()?).map_err(|_| Malformed("a port is none"))?;
            let _rack = broker.string()?;
            Ok(Broker { id, address: Address { host, port, tls: false } })
        })?;
        let _cluster_id = answer.string()?;
        let _controller = answer.i32()?;
        let topics = answer.array(|topic| {
            let error = topic.i16()?;
            let _name = topic.string()?;
            let _internal = topic.i8()?;
            let partitions = topic.array(|partition| {
                let found = (partition.i16()?, partition.i32()?, partition.i32()?);
                partition.array(Input::i32)?;
                partition.array(Input::i32)?;
                Ok(found)
            })?;
            Ok((error, partitions))
        })?;
        let (topic_error, partitions) =
            topics.into_iter().next().ok_or(Malformed("it does not speak of the topic"))?;
        Ok(Self { brokers, topic_error, partitions })
    }

    fn leader(&self, channel: &str) -> Result<Address, LogError> {
        const DOING: &str = "looking for the leader";
        error_code::check(self.topic_error, DOING, channel)?;
        let [(error, _, leader)] = self.partitions.as_slice() else {
            let count = self.partitions.len();
            let problem = format!("the topic {channel} has {count} partitions, Milvus' own have one");
            return Err(LogError::Unsupported(problem));
        };
        let known = self.brokers.iter().find(|broker| broker.id == *leader);
        if let Some(broker) = known {
            return Ok(broker.address.clone());
        }
        error_code::check(*error, DOING, channel)?;
        Err(LogError::Transient(format!("{DOING} of {channel}: there is none at present")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn topology(topic_error: i16, partitions: &[(i16, i32, i32)]) -> Topology {
        let mut answer = BytesMut::new();
        answer.put_i32(0);
        answer.put_i32(2);
        for (id, host) in [(1, "one"), (2, "two")] {
            answer.put_i32(id);
            put_string(&mut answer, host);
            answer.put_i32(9092);
            answer.put_i16(-1);
        }
        put_string(&mut answer, "cluster");
        answer.put_i32(1);
        answer.put_i32(1);
        answer.put_i16(topic_error);
        put_string(&mut answer, "dml_0");
        answer.put_i8(0);
        answer.put_i32(i32::try_from(partitions.len()).unwrap());
        for (error, number, leader) in partitions {
            answer.put_i16(*error);
            answer.put_i32(*number);
            answer.put_i32(*leader);
            for _ in 0..2 {
                answer.put_i32(1);
                answer.put_i32(*leader);
            }
        }
        let mut input = Input(answer.freeze());
        let topology = Topology::read(&mut input).unwrap();
        assert!(input.0.is_empty(), "all of it was read");
        topology
    }

    #[test]
    fn the_leader_is_found_among_the_brokers() {
        assert_eq!(topology(0, &[(0, 0, 2)]).leader("dml_0").unwrap().to_string(), "two:9092");
        // A replica is away (error 9), the leader is not.
        assert_eq!(topology(0, &[(9, 0, 1)]).leader("dml_0").unwrap().to_string(), "one:9092");
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        assert!(matches!(topology(3, &[]).leader("dml_0"), Err(LogError::NoSuchChannel(_))));
        assert!(matches!(topology(0, &[(5, 0, -1)]).leader("dml_0"), Err(LogError::Transient(_))));
        let two = topology(0, &[(0, 0, 1), (0, 1, 2)]).leader("dml_0").unwrap_err().to_string();
        assert!(two.contains("2 partitions"), "{two}");
    }
}
