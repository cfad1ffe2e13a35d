//! How an error is to be met. Owns the classes only: every error enum of this crate sorts its own
//! variants into them with a `class()` method.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who can make an error go away, which decides what its receiver does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorClass {
    /// Time: try again for ever, with backoff.
    Transient,
    /// The operator: show the reason and what to do, and keep probing so that the fix is noticed.
    Operator,
    /// Nobody at runtime: what hit it stops, the rest goes on.
    Bug,
}

impl ErrorClass {
    /// Every class, for metrics that show each of them from the start.
    pub const ALL: [Self; 3] = [Self::Transient, Self::Operator, Self::Bug];

    /// The spelling used in metrics, logs and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Operator => "operator",
            Self::Bug => "bug",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn one_spelling_for_display_and_serde() {
        for class in ErrorClass::ALL {
            // serde's own value deserializer keeps a JSON crate out of this one.
            let text: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
                serde::de::IntoDeserializer::into_deserializer(class.as_str());
            assert_eq!(ErrorClass::deserialize(text).unwrap(), class);
            assert_eq!(class.to_string(), class.as_str());
        }
    }
}
