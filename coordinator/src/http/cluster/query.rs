//! Which part of the whole is asked for: every list has a bound, and what lies beyond is asked for by the last id seen.

use std::collections::BTreeMap;
use std::ops::Bound;

use axum::http::Uri;
use serde::Serialize;

use crate::http::answer::ApiError;

/// Entries of each list, where nobody says another number.
const LIMIT_DEFAULT: usize = 1_000;
/// More in one answer would be megabytes.
const LIMIT_MAX: usize = 10_000;

/// What to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Most entries of each list.
    limit: usize,
    /// Whether senders are listed at all.
    pub(super) senders: bool,
    pub(super) workers_after: Option<String>,
    pub(super) tasks_after: Option<String>,
    pub(super) senders_after: Option<String>,
}

/// Where each list goes on; absent when it is complete.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Next {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) workers_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tasks_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) senders_after: Option<String>,
}

impl Query {
    pub(super) fn of(uri: &Uri) -> Result<Self, ApiError> {
        let given = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        let given = given.map_err(|error| ApiError::refused(error.body_text()))?;
        let mut query = Self {
            limit: LIMIT_DEFAULT,
            senders: true,
            workers_after: None,
            tasks_after: None,
            senders_after: None,
        };
        for (name, value) in given.0 {
            match name.as_str() {
                "limit" => query.limit = limit(&value)?,
                "senders" => query.senders = truth(&value)?,
                "workers_after" => query.workers_after = Some(value),
                "tasks_after" => query.tasks_after = Some(value),
                "senders_after" => query.senders_after = Some(value),
                _ => {
                    return Err(ApiError::refused(format!(
                        "there is no parameter '{name}': use limit, senders, workers_after, tasks_after or \
                         senders_after"
                    )));
                }
            }
        }
        Ok(query)
    }

    /// The entries behind `after`, as many as are shown; and the last of them if there are more.
    pub(super) fn page<'a, T>(
        &self,
        entries: &'a BTreeMap<String, T>,
        after: Option<&String>,
    ) -> (Vec<(&'a String, &'a T)>, Option<String>) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = entries.range::<String, _>((from, Bound::Unbounded));
        let page: Vec<_> = rest.by_ref().take(self.limit).collect();
        let more = rest.next().is_some();
        let last = page.last().filter(|_| more).map(|(id, _)| (*id).clone());
        (page, last)
    }
}

fn limit(value: &str) -> Result<usize, ApiError> {
    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| ApiError::refused(format!("'limit' is not a number from 1 to {LIMIT_MAX}")))
}

fn truth(value: &str) -> Result<bool, ApiError> {
    value.parse().map_err(|_| ApiError::refused("'senders' is neither true nor false"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn query(text: &str) -> Result<Query, ApiError> {
        Query::of(&format!("/cluster{text}").parse().unwrap())
    }

    #[test]
    fn parameters_are_read_and_mistakes_named() {
        let defaults = query("").unwrap();
        assert_eq!(
            (defaults.limit, defaults.senders, defaults.tasks_after.clone()),
            (LIMIT_DEFAULT, true, None)
        );
        let given = query("?senders=false&limit=7&senders_after=t%2Fby-dev/x&tasks_after=a").unwrap();
        assert_eq!((given.limit, given.senders), (7, false));
        assert_eq!(
            (given.senders_after.as_deref(), given.tasks_after.as_deref()),
            (Some("t/by-dev/x"), Some("a"))
        );
        for (text, words) in [
            ("?limit=0", "from 1 to 10000"),
            ("?limit=10001", "from 1 to 10000"),
            ("?limit=x", "from 1 to 10000"),
            ("?senders=no", "neither true nor false"),
            ("?sender=no", "there is no parameter 'sender'"),
        ] {
            assert!(query(text).unwrap_err().to_string().contains(words), "{text}");
        }
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let entries: BTreeMap<String, u32> = (0..10).map(|n| (format!("id-{n}"), n)).collect();
        let query = query("?limit=4").unwrap();
        let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let (page, next) = query.page(&entries, after.as_ref());
            seen.extend(page.into_iter().map(|(_, n)| *n));
            pages += 1;
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((seen, pages), ((0..10).collect::<Vec<_>>(), 3));
        let exact: BTreeMap<String, u32> = entries.into_iter().take(4).collect();
        assert_eq!(query.page(&exact, None).1, None, "a full page is not an unfinished one");
    }
}
