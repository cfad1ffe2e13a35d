//! Whether the source's log can be replicated from: written by a version of Milvus that is understood, and kept for long
//! enough. Asked at every `create`; the retention also from time to time, for the warnings of tasks. Where the log does
//! not tell, nothing is said.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use harrier_milvus::log::retention::{Retention, Verdict};
use harrier_milvus::log::{LogError, LogSource};

/// What is known of the retention of the source's log. Cheap to clone; all clones know the same.
#[derive(Clone)]
pub struct SourceRetention {
    log: Arc<dyn LogSource>,
    /// The channel that is asked for; the source's channels have one policy.
    channel: String,
    allow_short: bool,
    known: Arc<Mutex<Option<Retention>>>,
}

impl SourceRetention {
    /// `channel` is one of the source's pchannels. With `allow_short` nothing is refused.
    pub fn new(log: Arc<dyn LogSource>, channel: String, allow_short: bool) -> Self {
        Self { log, channel, allow_short, known: Arc::default() }
    }

    /// Asks now, and says why no task can be created, if so.
    pub(crate) async fn check(&self) -> Result<(), String> {
        self.check_version().await?;
        self.look().await;
        match self.known() {
            Some(retention) if retention.verdict() == Verdict::Nothing && !self.allow_short => Err(format!(
                "the source's log keeps {retention}: rows that are not read at once are lost, for example those that \
                     are written while a task is paused; set its retention (Pulsar: pulsar-admin namespaces set-retention \
                     TENANT/NAMESPACE --time 7d --size -1), or accept that by source.log.allow_short_retention: true"
            )),
            _ => Ok(()),
        }
    }

    /// Milvus 2.6 and later mark every message, ticks too. What cannot be read now is found by the workers.
    async fn check_version(&self) -> Result<(), String> {
        match self.log.tail(&self.channel).await {
            Ok(tail) if tail.messages.iter().any(|message| message.streaming) => Err(format!(
                "the source writes the streaming messages of Milvus 2.6 or later ({}): versions 2.3.2 to 2.5 are \
                 supported as a source",
                self.channel
            )),
            // A channel that no collection has used yet need not be there.
            Ok(_) | Err(LogError::NoSuchChannel(_)) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, "the source's log cannot be looked at");
                Ok(())
            }
        }
    }

    /// What was said last.
    pub(crate) fn known(&self) -> Option<Retention> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the owners of tasks should know.
    pub(crate) fn warning(&self) -> Option<String> {
        let retention = self.known()?;
        (retention.verdict() != Verdict::Enough).then(|| {
            format!(
                "the source's log keeps {retention}: what is not read by then is lost, for example while a task is paused; \
                 set its retention to a day and a gigabyte of each channel or more"
            )
        })
    }

    /// Asks again and again, for ever.
    pub(crate) async fn watch(self, every: Duration) {
        loop {
            self.look().await;
            tokio::time::sleep(every).await;
        }
    }

    async fn look(&self) {
        match self.log.retention(&self.channel).await {
            Ok(found) => *self.known.lock().unwrap_or_else(PoisonError::into_inner) = found,
            // Nothing depends on it but a warning: what was known stays.
            Err(error) => tracing::warn!(%error, "the retention of the source's log cannot be read"),
        }
    }
}

/// A pchannel of the source, by the name of its RPC channel: both have the cluster's prefix.
pub(crate) fn a_channel(replicate_channel: &str) -> String {
    let prefix = replicate_channel.strip_suffix("-replicate-msg").unwrap_or(replicate_channel);
    format!("{prefix}-rootcoord-dml_0")
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::cmp::Ordering;

    use async_trait::async_trait;
    use harrier_milvus::log::{LogMessage, LogReader, LogTail, Start};
    use harrier_milvus::reach::Answer;

    use super::*;

    /// A log of which only the retention and the end are asked for.
    pub(crate) struct Keeps {
        retention: Result<Option<Retention>, LogError>,
        tail: LogTail,
    }

    #[async_trait]
    impl LogSource for Keeps {
        fn compare(&self, _: &[u8], _: &[u8]) -> Ordering {
            unreachable!("nothing is read")
        }

        async fn open(&self, _: &str, _: Start) -> Result<Box<dyn LogReader>, LogError> {
            unreachable!("nothing is read")
        }

        async fn tail(&self, _: &str) -> Result<LogTail, LogError> {
            Ok(self.tail.clone())
        }

        async fn reach(&self, _: Duration) -> Answer {
            unreachable!("nothing is read")
        }

        async fn retention(&self, channel: &str) -> Result<Option<Retention>, LogError> {
            assert_eq!(channel, "by-dev-rootcoord-dml_0");
            self.retention.clone()
        }
    }

    pub(crate) fn of(found: Result<Option<Retention>, LogError>, allow_short: bool) -> SourceRetention {
        let log = Keeps { retention: found, tail: LogTail::default() };
        SourceRetention::new(Arc::new(log), a_channel("by-dev-replicate-msg"), allow_short)
    }

    const NOTHING: Retention = Retention { time: Some(Duration::ZERO), bytes: Some(0) };
    const HOUR: Retention = Retention { time: Some(Duration::from_secs(3600)), bytes: None };

    #[tokio::test]
    async fn a_log_that_keeps_nothing_is_refused_unless_that_is_allowed() {
        let problem = of(Ok(Some(NOTHING)), false).check().await.unwrap_err();
        assert!(problem.contains("set-retention") && problem.contains("allow_short_retention"), "{problem}");
        let allowed = of(Ok(Some(NOTHING)), true);
        allowed.check().await.unwrap();
        assert!(allowed.warning().unwrap().contains("nothing"));
    }

    #[tokio::test]
    async fn a_source_of_2_6_is_refused() {
        for streaming in [false, true] {
            let tick = LogMessage { position: Default::default(), payload: Default::default(), streaming };
            let log = Keeps { retention: Ok(None), tail: LogTail { position: None, messages: vec![tick] } };
            let source = SourceRetention::new(Arc::new(log), a_channel("by-dev-replicate-msg"), false);
            let refused = source.check().await.err();
            assert_eq!(refused.is_some(), streaming);
            assert!(refused.is_none_or(|problem| problem.contains("2.3.2 to 2.5")));
        }
    }

    #[tokio::test]
    async fn a_short_retention_is_warned_of_with_its_number() {
        let short = of(Ok(Some(HOUR)), false);
        assert_eq!(short.warning(), None, "not asked yet");
        short.check().await.unwrap();
        assert!(short.warning().unwrap().contains("60 minutes"));
        let week = Retention { time: Some(Duration::from_secs(7 * 86_400)), bytes: None };
        let enough = of(Ok(Some(week)), false);
        enough.check().await.unwrap();
        assert_eq!(enough.warning(), None);
    }

    #[tokio::test]
    async fn where_the_log_does_not_tell_nothing_is_refused() {
        for silent in [Ok(None), Err(LogError::Transient("away".into()))] {
            let unknown = of(silent, false);
            unknown.check().await.unwrap();
            assert_eq!((unknown.known(), unknown.warning()), (None, None));
        }
    }
}
