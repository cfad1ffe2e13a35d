//! How long a broker keeps messages that nobody of its own consumers needs any more, and whether that is enough. Pure.

use std::fmt;
use std::time::Duration;

/// What is shorter is warned of: a reader may be away for a night.
pub const WARN_BELOW: Duration = Duration::from_secs(24 * 3600);
/// A bound in size is no time; what is smaller than this a busy channel fills within hours.
pub const WARN_BELOW_BYTES: u64 = 1 << 30;

/// The policy of a broker for the source's channels. Whichever bound is met first holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// `None` = without a bound in time.
    pub time: Option<Duration>,
    /// Of each channel, in bytes; `None` = without a bound in size.
    pub bytes: Option<u64>,
}

/// What a policy means for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At least [`WARN_BELOW`] and [`WARN_BELOW_BYTES`].
    Enough,
    /// It may be gone sooner.
    Short,
    /// Gone as soon as the source's own consumers have read it.
    Nothing,
}

impl Retention {
    /// Whether a reader can rely on it.
    pub fn verdict(self) -> Verdict {
        if self.time == Some(Duration::ZERO) || self.bytes == Some(0) {
            Verdict::Nothing
        } else if self.time.is_some_and(|time| time < WARN_BELOW)
            || self.bytes.is_some_and(|bytes| bytes < WARN_BELOW_BYTES)
        {
            Verdict::Short
        } else {
            Verdict::Enough
        }
    }

    /// How long a message written `age` ago is certainly kept yet; `None` where time does not bound it.
    pub fn left(self, age: Duration) -> Option<Duration> {
        self.time.map(|time| time.saturating_sub(age))
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.time, self.bytes) {
            (Some(Duration::ZERO), _) | (_, Some(0)) => write!(f, "nothing that was acknowledged"),
            (None, None) => write!(f, "everything"),
            (Some(time), None) => write!(f, "{} minutes", time.as_secs() / 60),
            (None, Some(bytes)) => write!(f, "{} MB of each channel", bytes >> 20),
            (Some(time), Some(bytes)) => {
                write!(f, "{} minutes, at most {} MB of each channel", time.as_secs() / 60, bytes >> 20)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn minutes(count: u64) -> Option<Duration> {
        Some(Duration::from_secs(60 * count))
    }

    #[test]
    fn a_day_and_a_gigabyte_are_enough() {
        for (time, bytes, verdict, shown) in [
            (None, None, Verdict::Enough, "everything"),
            (minutes(1440), None, Verdict::Enough, "1440 minutes"),
            (minutes(1439), None, Verdict::Short, "1439 minutes"),
            (
                minutes(10080),
                Some(8 << 30),
                Verdict::Enough,
                "10080 minutes, at most 8192 MB of each channel",
            ),
            (None, Some((1 << 30) - 1), Verdict::Short, "1023 MB of each channel"),
            (minutes(0), Some(0), Verdict::Nothing, "nothing that was acknowledged"),
            (minutes(0), None, Verdict::Nothing, "nothing that was acknowledged"),
            (minutes(60), Some(0), Verdict::Nothing, "nothing that was acknowledged"),
        ] {
            let retention = Retention { time, bytes };
            assert_eq!((retention.verdict(), retention.to_string().as_str()), (verdict, shown));
        }
    }

    #[test]
    fn what_is_left_goes_down_to_nothing() {
        let hour = Retention { time: minutes(60), bytes: None };
        assert_eq!(hour.left(Duration::from_secs(600)), minutes(50));
        assert_eq!(hour.left(Duration::from_secs(7200)), minutes(0));
        assert_eq!(Retention { time: None, bytes: None }.left(Duration::MAX), None);
    }
}
