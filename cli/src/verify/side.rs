//! One server's rows of one partition of a collection.

use std::collections::BTreeMap;
use std::time::Duration;

use harrier_milvus::client::{MilvusClient, RowQuery};
use harrier_milvus::tso::Timestamp;
use harrier_proto::schema::FieldData;

use super::Trouble;
use super::catalog::Shape;
use super::key::{Key, between, one_of};
use super::row::{RowHash, hashes};
use super::scope::Name;

/// Rows of one page, by key.
pub(super) struct Page {
    pub(super) rows: BTreeMap<Key, RowHash>,
    /// There may be more behind it.
    pub(super) is_full: bool,
}

/// Where rows are read.
pub(super) struct Side<'a> {
    /// `source` or `target`.
    pub(super) what: &'static str,
    pub(super) client: &'a MilvusClient,
    pub(super) name: &'a Name,
    /// `None`: all of them.
    pub(super) partition: Option<&'a str>,
    pub(super) shape: &'a Shape,
    pub(super) timeout: Duration,
}

impl Side<'_> {
    fn query(&self, expression: String, guarantee: Timestamp) -> RowQuery<'_> {
        RowQuery {
            db: &self.name.db,
            collection: &self.name.collection,
            expression,
            fields: self.shape.fields.clone(),
            partitions: self.partition.map(str::to_owned).into_iter().collect(),
            guarantee,
            rows_max: 0,
            timeout: self.timeout,
        }
    }

    /// The rows with the least keys above `after`, at most `rows_max`.
    pub(super) async fn page(
        &self,
        after: Option<&Key>,
        rows_max: usize,
        guarantee: Timestamp,
    ) -> Result<Page, Trouble> {
        let expression = between(&self.shape.primary, self.shape.text_keys, after, None);
        let query = RowQuery { rows_max, ..self.query(expression, guarantee) };
        let rows = self.hashed(&self.ask(query).await?)?;
        // A row that is there twice takes two places of the page in some versions: only an empty page is the last.
        Ok(Page { is_full: !rows.is_empty(), rows })
    }

    /// The rows with these keys, as columns.
    pub(super) async fn rows(&self, keys: &[Key], guarantee: Timestamp) -> Result<Vec<FieldData>, Trouble> {
        self.ask(self.query(one_of(&self.shape.primary, keys), guarantee)).await
    }

    /// As [`Self::rows`], hashed.
    pub(super) fn hashed(&self, columns: &[FieldData]) -> Result<BTreeMap<Key, RowHash>, Trouble> {
        hashes(columns, &self.shape.primary).map_err(|unreadable| Trouble::Incomplete(unreadable.0))
    }

    /// How many rows have keys above `after` and not above `until`.
    pub(super) async fn count_between(
        &self,
        after: Option<&Key>,
        until: Option<&Key>,
        guarantee: Timestamp,
    ) -> Result<u64, Trouble> {
        self.count(between(&self.shape.primary, self.shape.text_keys, after, until), guarantee).await
    }

    /// How many rows have these keys.
    pub(super) async fn count_of(&self, keys: &[Key], guarantee: Timestamp) -> Result<u64, Trouble> {
        self.count(one_of(&self.shape.primary, keys), guarantee).await
    }

    async fn count(&self, expression: String, guarantee: Timestamp) -> Result<u64, Trouble> {
        let counted = self.client.count(self.query(expression, guarantee)).await;
        counted.map_err(|error| Trouble::of(self.what, &error))
    }

    async fn ask(&self, query: RowQuery<'_>) -> Result<Vec<FieldData>, Trouble> {
        self.client.query(query).await.map_err(|error| Trouble::of(self.what, &error))
    }
}
