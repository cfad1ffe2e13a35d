//! Which broker owns a channel's topic.

use std::time::Duration;

use harrier_proto::pulsar::CommandLookupTopicResponse;
use harrier_proto::pulsar::command_lookup_topic_response::LookupType;

use super::super::LogError;
use super::super::access::LogAccess;
use super::super::wire::address::Address;
use super::super::wire::tls::TlsSettings;
use super::connection::Connection;
use super::{command, server_error, topic};
use crate::log::LogTls;
use crate::reach::{self, Answer};

const DEFAULT_PORT: u16 = 6650;
/// More brokers than this do not send a client from one to the next.
const REDIRECTS_MAX: usize = 20;
const DOING: &str = "looking up";

/// Where to go next.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Ask there, with this mark of the broker that sent us.
    Ask(Address, bool),
    /// It is there.
    Found(Address),
    /// It is there, reached through the address that was asked.
    FoundBehind(Address),
}

/// A connection to the broker that owns the channel's topic.
pub(super) async fn owner(access: &LogAccess, channel: &str) -> Result<Connection, LogError> {
    let addresses = Address::parse_list(&access.address, DEFAULT_PORT)?;
    let tls = tls(access, &addresses)?;
    let mut connection = first_of(&addresses, access, tls.as_ref()).await?;
    let topic = topic::of_channel(access, channel);
    let mut authoritative = false;
    for _ in 0..REDIRECTS_MAX {
        let response = ask(&mut connection, &topic, authoritative).await?;
        match step(&response, tls.is_some(), channel)? {
            Step::Ask(address, mark) => {
                authoritative = mark;
                connection = Connection::open(&address, access, tls.as_ref(), None).await?;
            }
            Step::Found(address) if address == *connection.address() => return Ok(connection),
            Step::Found(address) => return Connection::open(&address, access, tls.as_ref(), None).await,
            Step::FoundBehind(broker) => {
                let proxy = connection.address().clone();
                return Connection::open(&proxy, access, tls.as_ref(), Some(broker.to_string())).await;
            }
        }
    }
    Err(LogError::Transient(format!("{DOING} {channel}: the brokers send from one to the next")))
}

async fn ask(
    connection: &mut Connection,
    topic: &str,
    authoritative: bool,
) -> Result<CommandLookupTopicResponse, LogError> {
    let request = connection.request_id();
    connection.send(&command::lookup(topic, request, authoritative))?;
    let wanted = |answer: &harrier_proto::pulsar::BaseCommand| {
        if let Some(error) = answer.error.as_ref().filter(|error| error.request_id == request) {
            return Some(Err(server_error::of(error.error, &error.message, DOING, topic)));
        }
        answer.lookup_topic_response.clone().filter(|response| response.request_id == request).map(Ok)
    };
    connection.answer(DOING, wanted).await?
}

fn step(response: &CommandLookupTopicResponse, tls: bool, channel: &str) -> Result<Step, LogError> {
    let kind = response.response.and_then(|kind| LookupType::try_from(kind).ok());
    if let (Some(LookupType::Failed) | None, error) = (kind, response.error.unwrap_or_default()) {
        let message = response.message.as_deref().unwrap_or_default();
        return Err(server_error::of(error, message, DOING, channel));
    }
    let url = if tls { &response.broker_service_url_tls } else { &response.broker_service_url };
    let address = url.as_deref().and_then(|url| Address::parse(url, DEFAULT_PORT)).ok_or_else(|| {
        let kind = if tls { "with TLS" } else { "without TLS" };
        LogError::Unsupported(format!("{DOING} {channel}: its broker has no address {kind}"))
    })?;
    Ok(match kind {
        Some(LookupType::Redirect) => Step::Ask(address, response.authoritative.unwrap_or_default()),
        _ if response.proxy_through_service_url.unwrap_or_default() => Step::FoundBehind(address),
        _ => Step::Found(address),
    })
}

/// Whether any of the configured brokers answers.
pub(super) async fn reach(access: &LogAccess, within: Duration) -> Answer {
    let Ok(addresses) = Address::parse_list(&access.address, DEFAULT_PORT) else { return Answer::Refused };
    let Ok(tls) = tls(access, &addresses) else { return Answer::Refused };
    let mut answers = Vec::new();
    for address in &addresses {
        let asked = async {
            let mut connection = Connection::reach(address, access, tls.as_ref()).await?;
            Ok::<_, std::io::Error>(connection.log_in(None).await)
        };
        answers.push(match tokio::time::timeout(within, asked).await {
            Err(_) => Answer::Silent,
            Ok(Ok(Ok(()) | Err(LogError::Auth(_) | LogError::Unsupported(_)))) => return Answer::Answered,
            Ok(Ok(Err(_))) => Answer::Refused,
            Ok(Err(error)) => reach::of_error(&error),
        });
    }
    if answers.contains(&Answer::Refused) { Answer::Refused } else { Answer::Silent }
}

/// The first of the configured brokers that can be connected to.
async fn first_of(
    addresses: &[Address],
    access: &LogAccess,
    tls: Option<&TlsSettings>,
) -> Result<Connection, LogError> {
    let mut last = LogError::Unsupported("source.log.address names no broker".to_owned());
    for address in addresses {
        match Connection::open(address, access, tls, None).await {
            Ok(connection) => return Ok(connection),
            Err(error @ LogError::Transient(_)) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// TLS where the configuration or an address asks for it.
fn tls(access: &LogAccess, addresses: &[Address]) -> Result<Option<TlsSettings>, LogError> {
    let by_address = addresses.iter().any(|address| address.tls).then(LogTls::default);
    access.tls.clone().or(by_address).as_ref().map(TlsSettings::of).transpose()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn response(kind: LookupType) -> CommandLookupTopicResponse {
        CommandLookupTopicResponse {
            broker_service_url: Some("pulsar://broker-2:6650".into()),
            broker_service_url_tls: Some("pulsar+ssl://broker-2:6651".into()),
            response: Some(kind as i32),
            request_id: 1,
            ..CommandLookupTopicResponse::default()
        }
    }

    #[test]
    fn each_answer_leads_on() {
        let address = |tls: bool| {
            let url = if tls { "pulsar+ssl://broker-2:6651" } else { "pulsar://broker-2:6650" };
            Address::parse(url, 1).unwrap()
        };
        let connect = response(LookupType::Connect);
        assert_eq!(step(&connect, false, "c"), Ok(Step::Found(address(false))));
        assert_eq!(step(&connect, true, "c"), Ok(Step::Found(address(true))));
        let behind = CommandLookupTopicResponse { proxy_through_service_url: Some(true), ..connect };
        assert_eq!(step(&behind, false, "c"), Ok(Step::FoundBehind(address(false))));
        let redirect =
            CommandLookupTopicResponse { authoritative: Some(true), ..response(LookupType::Redirect) };
        assert_eq!(step(&redirect, false, "c"), Ok(Step::Ask(address(false), true)));
    }

    #[test]
    fn a_failed_lookup_and_a_broker_without_tls_are_errors() {
        let failed = CommandLookupTopicResponse {
            error: Some(6),
            message: Some("not ready".into()),
            ..response(LookupType::Failed)
        };
        assert!(matches!(step(&failed, false, "c"), Err(LogError::Transient(_))));
        let plain =
            CommandLookupTopicResponse { broker_service_url_tls: None, ..response(LookupType::Connect) };
        assert!(matches!(step(&plain, true, "c"), Err(LogError::Unsupported(_))));
    }
}
