//! Whether a target answers at all.

use std::error::Error as _;
use std::time::Duration;

use harrier_proto::milvus::GetVersionRequest;

use super::{Endpoint, MilvusClient};
use crate::reach::{self, Answer};

impl MilvusClient {
    /// Asks on a connection of its own, without credentials: also the complaint about these is an answer.
    pub async fn reach(endpoint: &Endpoint, within: Duration) -> Answer {
        let endpoint = Endpoint {
            connect_timeout: within,
            request_timeout: within,
            unacked_timeout: within,
            token: None,
            ..endpoint.clone()
        };
        let Ok(client) = Self::lazy(&endpoint) else { return Answer::Refused };
        let mut service = client.service();
        let asked = tokio::time::timeout(within, service.get_version(GetVersionRequest {})).await;
        client.close_now();
        match asked {
            Err(_) => Answer::Silent,
            Ok(Ok(_)) => Answer::Answered,
            // What the server itself says has no cause here.
            Ok(Err(status)) => status.source().map_or(Answer::Answered, reach::of_error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[tokio::test]
    async fn silence_refusal_and_a_server_that_does_not_know_the_question_are_told_apart() {
        let within = Duration::from_millis(300);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint::new(listener.local_addr().unwrap().to_string());
        assert_eq!(MilvusClient::reach(&endpoint, within).await, Answer::Silent, "accepted, and no word");
        drop(listener);
        assert_eq!(MilvusClient::reach(&endpoint, within).await, Answer::Refused);

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint::new(listener.local_addr().unwrap().to_string());
        let empty = tonic::transport::Server::builder().add_routes(tonic::service::Routes::default());
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = tokio::spawn(empty.serve_with_incoming(incoming));
        assert_eq!(MilvusClient::reach(&endpoint, within * 10).await, Answer::Answered);
        server.abort();
    }
}
