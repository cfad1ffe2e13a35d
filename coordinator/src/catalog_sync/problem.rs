//! What keeps a part of a task's catalog from being in step, in words for the task's owner.

use std::collections::BTreeMap;

use harrier_milvus::catalog::{CatalogError, SourceCollection};
use harrier_milvus::client::ClientError;
use harrier_milvus::error::ErrorClass;

/// Why something is not in step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Who can make it go away.
    pub class: ErrorClass,
    /// What is the matter and what to do.
    pub message: String,
    /// The one collection that it is about.
    pub collection: Option<Collection>,
}

/// A collection of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its id.
    pub id: i64,
    /// Its database.
    pub database: String,
    /// Its name.
    pub name: String,
}

impl From<&SourceCollection> for Collection {
    fn from(source: &SourceCollection) -> Self {
        Self { id: source.id, database: source.db_name.clone(), name: source.name.clone() }
    }
}

impl Problem {
    fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), collection: None }
    }

    /// Something that passes by itself.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Transient, message)
    }

    /// Something that an operator must change.
    pub fn operator(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Operator, message)
    }

    pub(super) fn bug(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Bug, message)
    }

    /// The same problem, saying what it is about.
    pub(super) fn of(self, what: impl std::fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// The same problem, of this collection alone.
    pub(super) fn about(self, collection: impl Into<Collection>) -> Self {
        Self { collection: Some(collection.into()), ..self }
    }

    /// The same problem, saying of which collection it is.
    pub(super) fn told(&self) -> Self {
        match &self.collection {
            Some(of) => self.clone().of(format_args!("collection {}.{}", of.database, of.name)),
            None => self.clone(),
        }
    }

    /// The collection that it holds up for good, until somebody does something about it.
    pub(super) fn held(&self) -> Option<&Collection> {
        self.collection.as_ref().filter(|_| self.class != ErrorClass::Transient)
    }

    /// The collections that are held, each with one problem for all that it has.
    pub(super) fn worst_of_each(problems: &[Self]) -> Vec<(Collection, Self)> {
        let mut by_id: BTreeMap<i64, (Collection, Vec<Self>)> = BTreeMap::new();
        for problem in problems {
            if let Some(collection) = problem.held() {
                let (_, own) = by_id.entry(collection.id).or_insert_with(|| (collection.clone(), Vec::new()));
                own.push(problem.clone());
            }
        }
        let worst = |(collection, own): (Collection, Vec<Self>)| Some((collection, Self::worst(&own)?));
        by_id.into_values().filter_map(worst).collect()
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
        Self::new(error.class(), error.to_string())
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        Self::new(error.class(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_one_collection_lacks_until_somebody_acts_holds_that_one() {
        let of = |id: i64| Collection { id, database: "db".to_owned(), name: format!("c{id}") };
        let problems = [
            Problem::bug("odd").about(of(2)),
            Problem::transient("away").about(of(1)),
            Problem::operator("differs").about(of(2)),
            Problem::operator("all"),
        ];
        let held = Problem::worst_of_each(&problems);
        assert_eq!(held, [(of(2), Problem::operator("differs (and 1 more)").about(of(2)))]);
        assert_eq!(problems[1].told().message, "collection db.c1: away");
        assert_eq!(problems[3].told(), problems[3]);
    }

    #[test]
    fn what_an_operator_can_mend_is_said_first() {
        let problems = [Problem::transient("away"), Problem::operator("differs"), Problem::bug("odd")];
        assert_eq!(Problem::worst(&problems), Some(Problem::operator("differs (and 2 more)")));
        assert_eq!(Problem::worst(&problems[..1]), Some(Problem::transient("away")));
        assert_eq!(Problem::worst(&[]), None);
    }
}
