//! One connection to a NATS server. It is not repaired: when it breaks, its reader ends with an error, because a
//! consumer of the connection before may have sent messages that nobody received.

use std::time::Duration;

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Info, Stream};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use secrecy::ExposeSecret;
use tokio::sync::watch;

use super::super::LogError;
use super::pull::MESSAGES_BUFFERED_MAX;
use crate::log::LogAccess;
use crate::reach::{self, Answer};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Finds a peer that vanished without closing its side.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// An open connection and whether it is still unbroken. Ends with its last clone.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) client: Client,
    /// `Some(why)` once the connection was lost; never goes back.
    pub(super) lost: watch::Receiver<Option<String>>,
}

impl Connection {
    pub(super) async fn open(config: &LogAccess) -> Result<Self, LogError> {
        let (sender, lost) = watch::channel(None);
        let options = options(config).event_callback(move |event| {
            let sender = sender.clone();
            async move {
                let why = match event {
                    Event::Connected | Event::LameDuckMode | Event::Draining => return,
                    Event::SlowConsumer(_) => "messages came faster than they were taken".to_owned(),
                    other => other.to_string(),
                };
                sender.send_if_modified(|lost| lost.is_none() && lost.replace(why).is_none());
            }
        });
        let client =
            options.connect(config.address.as_str()).await.map_err(|error| connect_error(config, &error))?;
        Ok(Self { client, lost })
    }

    /// The stream of a channel, with its state as it is now.
    pub(super) async fn stream(&self, channel: &str) -> Result<Stream<Info>, LogError> {
        let stream = jetstream(&self.client).get_stream(channel).await;
        stream.map_err(|error| match error.kind() {
            GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                LogError::NoSuchChannel(channel.to_owned())
            }
            GetStreamErrorKind::EmptyName | GetStreamErrorKind::InvalidStreamName => {
                LogError::NoSuchChannel(channel.to_owned())
            }
            _ => request_error("reading the stream", channel, &error),
        })
    }

    /// The error that says why nothing comes any more.
    pub(super) fn lost_error(&self) -> LogError {
        let why = self.lost.borrow().clone();
        LogError::Transient(format!("connection lost: {}", why.as_deref().unwrap_or("closed")))
    }
}

/// Connects, which takes an answer to a ping, and closes.
pub(super) async fn reach(config: &LogAccess, within: Duration) -> Answer {
    match tokio::time::timeout(within, options(config).connect(config.address.as_str())).await {
        Err(_) => Answer::Silent,
        Ok(Ok(_)) => Answer::Answered,
        Ok(Err(error)) => match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => Answer::Answered,
            ConnectErrorKind::TimedOut => Answer::Silent,
            _ => reach::of_error(&error),
        },
    }
}

fn jetstream(client: &Client) -> jetstream::Context {
    let mut context = jetstream::new(client.clone());
    context.set_timeout(REQUEST_TIMEOUT);
    context
}

fn options(config: &LogAccess) -> ConnectOptions {
    let mut options = ConnectOptions::new()
        .name("harrier")
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .ping_interval(PING_INTERVAL)
        .subscription_capacity(MESSAGES_BUFFERED_MAX)
        // 0 would mean for ever; a reader is over with its first disconnect anyway.
        .max_reconnects(1)
        .ignore_discovered_servers();
    if let Some(token) = &config.token {
        options = options.token(token.expose_secret().to_owned());
    }
    if !config.username.is_empty() {
        let password = config.password.as_ref().map(|password| password.expose_secret().to_owned());
        options = options.user_and_password(config.username.clone(), password.unwrap_or_default());
    }
    options
}

fn connect_error(config: &LogAccess, error: &async_nats::ConnectError) -> LogError {
    let detail = format!("connecting to {}: {error}", address_without_login(&config.address));
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => LogError::Auth(detail),
        ConnectErrorKind::ServerParse | ConnectErrorKind::Tls => LogError::Unsupported(detail),
        _ => LogError::Transient(detail),
    }
}

/// A NATS URL may carry user and password before an `@`; they belong in no message.
fn address_without_login(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, host)| host)
}

pub(super) fn request_error(doing: &str, channel: &str, error: &dyn std::error::Error) -> LogError {
    LogError::Transient(format!("{doing} of {channel}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_in_the_address_is_never_shown() {
        assert_eq!(address_without_login("nats://root:p@ss@host:4222"), "host:4222");
        assert_eq!(address_without_login("host:4222"), "host:4222");
    }
}
