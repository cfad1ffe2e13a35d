//! What the tests of all brokers do with a reader.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{LogError, LogMessage, LogReader};

/// What a reader is asked for at once.
pub(super) const BYTES: usize = 1 << 20;

/// Reads until an error comes, and returns it with what came before.
pub(super) async fn until_error(reader: &mut dyn LogReader) -> (Vec<LogMessage>, LogError) {
    let (messages, error) = up_to(reader, usize::MAX).await;
    (messages, error.expect("nothing else ends it"))
}

/// Reads until `count` messages are there, or an error comes.
pub(super) async fn up_to(reader: &mut dyn LogReader, count: usize) -> (Vec<LogMessage>, Option<LogError>) {
    let mut messages = Vec::new();
    while messages.len() < count {
        match reader.next(BYTES).await {
            Ok(more) => messages.extend(more),
            Err(error) => return (messages, Some(error)),
        }
    }
    (messages, None)
}
