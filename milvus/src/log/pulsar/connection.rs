//! One connection to a Pulsar broker. It is not repaired: when it breaks, its reader ends with an error.

use std::io;
use std::time::Duration;

use harrier_proto::pulsar::BaseCommand;
use tokio::time::Instant;

use super::super::LogError;
use super::super::access::LogAccess;
use super::super::wire::address::Address;
use super::super::wire::link::Link;
use super::super::wire::stream::connect;
use super::super::wire::tls::TlsSettings;
use super::login::Login;
use super::{command, frame, server_error};

/// How long one request may take.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// An open connection, logged in.
pub(super) struct Connection {
    pub link: Link,
    address: Address,
    login: Login,
    next_request: u64,
}

impl Connection {
    /// Connects and logs in; `proxy_to` names the broker (`host:port`) to reach through the proxy at `address`.
    pub async fn open(
        address: &Address,
        access: &LogAccess,
        tls: Option<&TlsSettings>,
        proxy_to: Option<String>,
    ) -> Result<Self, LogError> {
        let mut connection = Self::reach(address, access, tls)
            .await
            .map_err(|error| LogError::Transient(format!("connecting to {address}: {error}")))?;
        connection.log_in(proxy_to).await?;
        Ok(connection)
    }

    /// Connects without a word.
    pub async fn reach(address: &Address, access: &LogAccess, tls: Option<&TlsSettings>) -> io::Result<Self> {
        let stream = connect(address, tls.filter(|_| address.tls || access.tls.is_some())).await?;
        Ok(Self {
            link: Link::new(stream),
            address: address.clone(),
            login: Login::of(access),
            next_request: 0,
        })
    }

    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Shows the credentials.
    pub async fn log_in(&mut self, proxy_to: Option<String>) -> Result<(), LogError> {
        self.send(&command::connect(self.login.connect(proxy_to)))?;
        let answer = self.answer("logging in to Pulsar", |answer| {
            answer.connected.is_some().then_some(Ok(())).or_else(|| {
                let error = answer.error.as_ref()?;
                Some(Err(server_error::of(error.error, &error.message, "logging in to Pulsar", "")))
            })
        });
        answer.await?
    }

    pub fn send(&self, command: &BaseCommand) -> Result<(), LogError> {
        self.link.send(frame::encode(command))
    }

    /// A number for the next request.
    pub fn request_id(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }

    /// Answers what the broker asks at any time. False if the command is something else.
    pub fn housekeeping(&self, command: &BaseCommand) -> Result<bool, LogError> {
        if command.ping.is_some() {
            self.send(&command::pong())?;
        } else if command.auth_challenge.is_some() {
            self.send(&command::auth_response(self.login.again()))?;
        } else {
            return Ok(command.pong.is_some());
        }
        Ok(true)
    }

    /// The first command of which `wanted` makes something, with no other request under way and no messages allowed.
    pub async fn answer<T>(
        &mut self,
        doing: &str,
        wanted: impl Fn(&BaseCommand) -> Option<T>,
    ) -> Result<T, LogError> {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(frame) = self.link.frame(left).await? else {
                let (address, seconds) = (&self.address, REQUEST_TIMEOUT.as_secs());
                return Err(LogError::Transient(format!(
                    "{doing}: {address} did not answer within {seconds} s"
                )));
            };
            let (command, _) = frame::decode(frame)?;
            if self.housekeeping(&command)? {
                continue;
            }
            if let Some(found) = wanted(&command) {
                return Ok(found);
            }
        }
    }
}
