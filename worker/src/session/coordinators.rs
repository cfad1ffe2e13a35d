//! The way to the coordinators: several addresses, of which one answers.

use std::time::Duration;

use futures::future::BoxFuture;
use harrier_proto::harrier::v1::coordinator_client::CoordinatorClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// A desired set of many collections is large.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// A client of one coordinator.
pub(crate) type Client = CoordinatorClient<Channel>;

/// An address in `coordinators` that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("coordinators: {address:?} is no address, expected host:port or http://host:port")]
pub struct AddressError {
    /// The address as configured.
    pub address: String,
}

/// The coordinators, and which of them is asked first.
#[derive(Debug)]
pub(crate) struct Coordinators {
    members: Vec<Member>,
    current: usize,
}

#[derive(Debug)]
struct Member {
    address: String,
    endpoint: Endpoint,
    client: Option<Client>,
}

impl Coordinators {
    pub fn new(addresses: &[String], connect_timeout: Duration) -> Result<Self, AddressError> {
        let members: Result<Vec<Member>, AddressError> =
            addresses.iter().map(|address| Member::new(address, connect_timeout)).collect();
        let members = members?;
        if members.is_empty() {
            return Err(AddressError { address: String::new() });
        }
        Ok(Self { members, current: 0 })
    }

    /// The one that is asked first.
    pub fn address(&self) -> &str {
        self.members.get(self.current).map_or("", |member| &member.address)
    }

    /// Asks one after another, each at most `timeout` long, until one answers. The last error, if none does.
    pub async fn call<T>(
        &mut self,
        timeout: Duration,
        request: impl Fn(Client) -> BoxFuture<'static, Result<T, Status>>,
    ) -> Result<T, Status> {
        let mut error = Status::unavailable("no coordinator is configured");
        for _ in 0..self.members.len() {
            let Some(member) = self.members.get_mut(self.current) else { break };
            let answer = tokio::time::timeout(timeout, request(member.client())).await;
            error = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("no answer in time"),
            };
            tracing::debug!(address = member.address, %error, "coordinator did not help");
            if error.code() != Code::ResourceExhausted {
                // It may be half dead: the next attempt opens a connection anew.
                member.client = None;
            }
            self.current = (self.current + 1) % self.members.len();
        }
        Err(error)
    }
}

impl Member {
    fn new(address: &str, connect_timeout: Duration) -> Result<Self, AddressError> {
        let invalid = || AddressError { address: address.to_owned() };
        let uri = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let endpoint = Endpoint::from_shared(uri).map_err(|_| invalid())?;
        if endpoint.uri().scheme_str() != Some("http") || endpoint.uri().port().is_none() {
            return Err(invalid());
        }
        let endpoint = endpoint.connect_timeout(connect_timeout).tcp_nodelay(true);
        Ok(Self { address: address.to_owned(), endpoint, client: None })
    }

    fn client(&mut self) -> Client {
        let make = || {
            CoordinatorClient::new(self.endpoint.connect_lazy())
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX)
        };
        self.client.get_or_insert_with(make).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_anything_starts() {
        let make = |address: &str| Coordinators::new(&[address.to_owned()], Duration::from_secs(1)).is_ok();
        assert!(make("127.0.0.1:8445") && make("http://coordinator:8445"));
        for wrong in ["", "host", "https://host:1", "http://", "a b:1", "ftp://x:1"] {
            assert!(!make(wrong), "{wrong}");
        }
        assert!(Coordinators::new(&[], Duration::from_secs(1)).is_err());
    }
}
