//! What the readers of Pulsar and Kafka share below their protocols: addresses, connections with and without TLS,
//! frames behind their length, and compression. Knows nothing of either protocol.

pub(super) mod address;
pub(super) mod compression;
pub(super) mod http;
pub(super) mod link;
pub(super) mod stream;
pub(super) mod tls;
