//! The largest timestamps at the ends of source channels.

use std::collections::BTreeSet;

use harrier_milvus::log::{LogError, LogSource, LogTail};
use harrier_milvus::tso::{self, Timestamp};

use super::core::LogEnds;
use super::time::unix_ms;
use crate::message::{self, Head};

/// How far messages before a tick may lie above it: proxies are that quick to write and the tick that slow.
const AHEAD_OF_TICK_MS: u64 = 5000;

/// Asks the log. A channel without messages has no entry.
pub(crate) async fn log_ends(log: &dyn LogSource, channels: &BTreeSet<String>) -> Result<LogEnds, LogError> {
    let mut ends = LogEnds::new();
    for channel in channels {
        let tail = log.tail(channel).await?;
        if let Some(end) = end_of(&tail, unix_ms()) {
            ends.insert(channel.clone(), end);
        }
    }
    Ok(ends)
}

/// The largest timestamp that may be on the channel. The tail begins with a tick, and messages before that one may
/// lie above it. While the source lives they lie below the present; if it died, the present is further away than
/// any of them can be ahead.
pub(super) fn end_of(tail: &LogTail, unix_ms: u64) -> Option<Timestamp> {
    let newest = tail.messages.iter().filter_map(|message| timestamp(&message.payload)).max()?;
    let present = tso::compose(unix_ms, 0);
    Some(newest.max(present.min(tso::add_ms(newest, AHEAD_OF_TICK_MS))))
}

fn timestamp(payload: &bytes::Bytes) -> Option<Timestamp> {
    match message::read_head(payload) {
        Ok(Head::TimeTick { ts }) => Some(ts),
        Ok(Head::Insert(head) | Head::Delete(head)) => Some(head.max_ts),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(%error, "a message at the end of the log cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use harrier_milvus::log::LogMessage;

    use super::*;

    #[test]
    fn the_end_is_the_present_but_not_far_from_the_last_tick() {
        let at = tso::compose(100_000, 3);
        let tick = message::timetick(at, 1);
        let tail = |messages| LogTail { position: None, messages };
        let message = LogMessage { position: Default::default(), payload: tick, streaming: false };
        assert_eq!(end_of(&tail(vec![]), 200_000), None);
        let tail = tail(vec![message]);
        assert_eq!(end_of(&tail, 90_000), Some(at));
        assert_eq!(end_of(&tail, 100_150), Some(tso::compose(100_150, 0)));
        assert_eq!(end_of(&tail, 500_000), Some(tso::compose(105_000, 3)));
    }
}
