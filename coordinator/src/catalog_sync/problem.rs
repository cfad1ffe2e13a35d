//! What keeps a part of a task's catalog from being in step, in words for the task's owner.

use harrier_milvus::catalog::CatalogError;
use harrier_milvus::client::ClientError;
use harrier_milvus::error::ErrorClass;

/// Why something is not in step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Who can make it go away.
    pub class: ErrorClass,
    /// What is the matter and what to do.
    pub message: String,
}

impl Problem {
    /// Something that passes by itself.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { class: ErrorClass::Transient, message: message.into() }
    }

    /// Something that an operator must change.
    pub fn operator(message: impl Into<String>) -> Self {
        Self { class: ErrorClass::Operator, message: message.into() }
    }

    pub(super) fn bug(message: impl Into<String>) -> Self {
        Self { class: ErrorClass::Bug, message: message.into() }
    }

    /// The same problem, saying what it is about.
    pub(super) fn of(self, what: impl std::fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// One for all: what an operator can mend first, what heals by itself last.
    pub(super) fn worst(problems: &[Self]) -> Option<Self> {
        let rank = |problem: &&Self| match problem.class {
            ErrorClass::Operator => 0,
            ErrorClass::Bug => 1,
            ErrorClass::Transient => 2,
        };
        let mut worst = problems.iter().min_by_key(rank)?.clone();
        if problems.len() > 1 {
            worst.message = format!("{} (and {} more)", worst.message, problems.len() - 1);
        }
        Some(worst)
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        Self { class: error.class(), message: error.to_string() }
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        Self { class: error.class(), message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_an_operator_can_mend_is_said_first() {
        let problems = [Problem::transient("away"), Problem::operator("differs"), Problem::bug("odd")];
        assert_eq!(Problem::worst(&problems), Some(Problem::operator("differs (and 2 more)")));
        assert_eq!(Problem::worst(&problems[..1]), Some(Problem::transient("away")));
        assert_eq!(Problem::worst(&[]), None);
    }
}
