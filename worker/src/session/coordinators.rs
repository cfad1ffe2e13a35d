//! The way to the coordinators: several addresses, of which one answers.

use std::time::Duration;

use futures::future::BoxFuture;
use harrier_cluster::{Prove, leader_hint};
use harrier_proto::harrier::v1::coordinator_client::CoordinatorClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// A desired set of many collections is large.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Leaders that were heard of and are not configured; more than a group has members.
const LEARNED_MAX: usize = 8;

/// A client of one coordinator.
pub(crate) type Client = CoordinatorClient<InterceptedService<Channel, Prove>>;

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
    /// Those that are configured, and after them those that others named as the leader.
    members: Vec<Member>,
    configured: usize,
    current: usize,
    connect_timeout: Duration,
    prove: Prove,
}

#[derive(Debug)]
struct Member {
    address: String,
    endpoint: Endpoint,
    client: Option<Client>,
}

impl Coordinators {
    pub fn new(addresses: &[String], connect_timeout: Duration, prove: Prove) -> Result<Self, AddressError> {
        let members: Result<Vec<Member>, AddressError> =
            addresses.iter().map(|address| Member::new(address, connect_timeout)).collect();
        let members = members?;
        if members.is_empty() {
            return Err(AddressError { address: String::new() });
        }
        Ok(Self { configured: members.len(), members, current: 0, connect_timeout, prove })
    }

    /// The one that is asked first.
    pub fn address(&self) -> &str {
        self.members.get(self.current).map_or("", |member| &member.address)
    }

    /// Asks one after another, each at most `timeout` long, until one answers. One that names the leader is followed,
    /// once. The last error, if none answers.
    pub async fn call<T>(
        &mut self,
        timeout: Duration,
        request: impl Fn(Client) -> BoxFuture<'static, Result<T, Status>>,
    ) -> Result<T, Status> {
        let mut error = Status::unavailable("no coordinator is configured");
        let (mut attempts, mut followed, mut named_by) = (self.members.len(), false, None);
        while attempts > 0 {
            let Some(member) = self.members.get_mut(self.current) else { break };
            let answer = tokio::time::timeout(timeout, request(member.client(&self.prove))).await;
            error = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("no answer in time"),
            };
            tracing::debug!(address = member.address, %error, "coordinator did not help");
            let hint = leader_hint(&error).map(str::to_owned);
            if hint.is_none() && error.code() != Code::ResourceExhausted {
                // It may be half dead: the next attempt opens a connection anew.
                member.client = None;
            }
            // After the one that was named comes the next of those that are asked anyway.
            let asked = named_by.take().unwrap_or(self.current);
            if !followed && self.turn_to(&hint.unwrap_or_default()) {
                followed = true;
                named_by = Some(asked);
                continue;
            }
            self.current = (asked + 1) % self.members.len();
            attempts -= 1;
        }
        Err(error)
    }

    /// Makes another one the first to be asked; false if that is none, or the same.
    fn turn_to(&mut self, leader: &str) -> bool {
        let known = self.members.iter().position(|member| member.is_at(leader));
        let index = match known {
            Some(index) => index,
            None => {
                let Ok(member) = Member::new(leader, self.connect_timeout) else { return false };
                if self.members.len() >= self.configured + LEARNED_MAX {
                    self.members.remove(self.configured);
                }
                self.members.push(member);
                self.members.len() - 1
            }
        };
        let other = index != self.current;
        self.current = index;
        other
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

    fn is_at(&self, address: &str) -> bool {
        self.address.strip_prefix("http://").unwrap_or(&self.address).trim_end_matches('/') == address
    }

    fn client(&mut self, prove: &Prove) -> Client {
        let make = || {
            CoordinatorClient::with_interceptor(self.endpoint.connect_lazy(), prove.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX)
        };
        self.client.get_or_insert_with(make).clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use futures::FutureExt;

    use super::*;

    #[test]
    fn addresses_are_checked_before_anything_starts() {
        let make = |address: &str| {
            Coordinators::new(&[address.to_owned()], Duration::from_secs(1), Prove::default()).is_ok()
        };
        assert!(make("127.0.0.1:8445") && make("http://coordinator:8445"));
        for wrong in ["", "host", "https://host:1", "http://", "a b:1", "ftp://x:1"] {
            assert!(!make(wrong), "{wrong}");
        }
        assert!(Coordinators::new(&[], Duration::from_secs(1), Prove::default()).is_err());
    }
    #[tokio::test]
    async fn whoever_is_named_as_leader_is_asked_next_once_and_remembered() {
        let configured = ["one:1".to_owned(), "http://two:2".to_owned()];
        let mut coordinators =
            Coordinators::new(&configured, Duration::from_secs(1), Prove::default()).unwrap();
        // The first two calls name others for ever; nobody may be asked without end.
        let asked = std::cell::Cell::new(0);
        let everybody_names = |leader: &'static str| {
            let asked = &asked;
            move |_: Client| {
                asked.set(asked.get() + 1);
                async move { Err::<(), _>(harrier_cluster::not_leader("no", Some(leader))) }.boxed()
            }
        };
        let patience = Duration::from_secs(5);
        coordinators.call(patience, everybody_names("three:3")).await.unwrap_err();
        assert_eq!((asked.take(), coordinators.members.len()), (3, 3));
        coordinators.call(patience, everybody_names("one:1")).await.unwrap_err();
        coordinators.turn_to("two:2");
        assert_eq!((coordinators.address(), coordinators.members.len()), ("http://two:2", 3));
        for number in 0..20 {
            coordinators.turn_to(&format!("host{number}:7"));
        }
        assert_eq!(coordinators.members.len(), 2 + LEARNED_MAX);
        assert_eq!(coordinators.address(), "host19:7");
        assert!(!coordinators.turn_to("no address") && !coordinators.turn_to(""));
    }
}
