//! The port that workers and the other coordinators call, with a limit on everything.

use std::io;
use std::time::Duration;

use harrier_cluster::{ClusterSecret, Guard};
use harrier_proto::harrier::v1::coordinator_server::CoordinatorServer;
use harrier_proto::harrier::v1::members_server::MembersServer;
use tokio::net::TcpListener;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::leader::Sessions;
use crate::raft::MemberService;
use crate::serving::Serving;

/// Reports of thousands of shards fit; a desired set too.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A worker has one heartbeat under way, and a few while it comes and goes; a member one call of each kind, and those
/// of rounds that confirm who leads.
const CONNECTION_CALLS_MAX: usize = 64;
/// Calls of one connection that the caller gave up before they were looked at. A coordinator that was frozen finds many
/// when it wakes; with the library's own limit of 20 it would close the connection then.
const GIVEN_UP_CALLS_MAX: usize = 1024;
/// Longer than the group may take to confirm or to commit.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Of a connection on which nothing moves.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What is served.
pub(crate) struct Services {
    pub(crate) sessions: Sessions,
    pub(crate) members: MemberService,
    /// Everybody who calls must know it; `None`: nobody is asked.
    pub(crate) secret: Option<ClusterSecret>,
}

/// Serves on a port that is open already.
pub(crate) fn serve(listener: TcpListener, services: Services) -> io::Result<Serving> {
    let address = listener.local_addr()?;
    let incoming =
        TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(Some(KEEPALIVE_INTERVAL));
    let Services { sessions, members, secret } = services;
    let guard = Guard::new(secret);
    let sessions = CoordinatorServer::new(sessions)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let members = MembersServer::new(members)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let server = Server::builder()
        .concurrency_limit_per_connection(CONNECTION_CALLS_MAX)
        .timeout(CALL_TIMEOUT)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_pending_accept_reset_streams(Some(GIVEN_UP_CALLS_MAX))
        .add_service(InterceptedService::new(sessions, guard.clone()))
        .add_service(InterceptedService::new(members, guard));
    Ok(Serving::start(address, |cancel| {
        server.serve_with_incoming_shutdown(incoming, cancel.cancelled_owned())
    }))
}
