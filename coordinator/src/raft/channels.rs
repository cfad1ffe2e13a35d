//! Connections to the other members, opened once and used by all calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use harrier_cluster::{ClusterSecret, Prove};
use harrier_proto::harrier::v1::members_client::MembersClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

/// Larger than any entry: a request to the API has at most a few megabytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Connections are made in the background of calls that fail meanwhile; the next call tries again.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// A connection on which nothing moves is given up: after a cut the system itself would try on for minutes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(1);

/// A client of one member; cheap to clone.
pub(super) type Client = MembersClient<InterceptedService<Channel, Prove>>;

/// An address that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no address, expected host:port")]
pub(super) struct AddressError(String);

/// The connections by address.
pub(super) struct Channels {
    prove: Prove,
    clients: Mutex<BTreeMap<String, Client>>,
}

impl Channels {
    pub(super) fn new(secret: Option<&ClusterSecret>) -> Self {
        Self { prove: Prove::new(secret), clients: Mutex::default() }
    }

    /// The client of the member at `host:port`; connects with the first call.
    pub(super) fn client(&self, address: &str) -> Result<Client, AddressError> {
        // Nothing is left half done under this lock.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(address) {
            return Ok(client.clone());
        }
        let client = self.open(address)?;
        clients.insert(address.to_owned(), client.clone());
        Ok(client)
    }

    fn open(&self, address: &str) -> Result<Client, AddressError> {
        let invalid = || AddressError(address.to_owned());
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|_| invalid())?;
        if endpoint.uri().port().is_none() || endpoint.uri().path() != "/" {
            return Err(invalid());
        }
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        Ok(MembersClient::with_interceptor(endpoint.connect_lazy(), self.prove.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_host_and_port() {
        let channels = Channels::new(None);
        for right in ["one:8445", "127.0.0.1:1", "[::1]:8445"] {
            assert!(channels.client(right).is_ok(), "{right}");
        }
        for wrong in ["", "one", "http://one:1", "one:1/path", "a b:1"] {
            assert!(channels.client(wrong).is_err(), "{wrong}");
        }
    }
}
