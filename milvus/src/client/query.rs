//! Rows of a server, and whether it can be asked for them.

use std::time::Duration;

use harrier_proto::common::{KeyValuePair, LoadState};
use harrier_proto::milvus::{GetLoadStateRequest, QueryRequest};
use harrier_proto::schema::{FieldData, field_data, scalar_field};

use super::call::Options;
use super::status::{self, Call};
use super::{ClientError, MilvusClient};
use crate::tso::Timestamp;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct RowQuery<'a> {
    /// The database.
    pub db: &'a str,
    /// The collection.
    pub collection: &'a str,
    /// Which rows; empty only with a count.
    pub expression: String,
    /// Names of the fields.
    pub fields: Vec<String>,
    /// Names of the partitions; empty = all.
    pub partitions: Vec<String>,
    /// The answer waits until the server has seen everything up to this time of the source.
    pub guarantee: Timestamp,
    /// At most so many rows, those with the least keys; 0 = as many as there are.
    pub rows_max: usize,
    /// How long the answer is waited for.
    pub timeout: Duration,
}

impl MilvusClient {
    /// The rows, as columns. A row that is there twice is shown once.
    ///
    /// # Errors
    /// `Deadline` also if the server has not seen the guaranteed time until then; else as every call.
    pub async fn query(&self, query: RowQuery<'_>) -> Result<Vec<FieldData>, ClientError> {
        let mut service = self.service();
        let limit = [("limit", query.rows_max.to_string()), ("reduce_stop_for_best", "True".to_owned())];
        let params = limit.into_iter().filter(|_| query.rows_max > 0);
        let request = QueryRequest {
            db_name: query.db.to_owned(),
            collection_name: query.collection.to_owned(),
            expr: query.expression,
            output_fields: query.fields,
            partition_names: query.partitions,
            // With the level that is not given, this time counts.
            guarantee_timestamp: query.guarantee,
            query_params: params.map(|(key, value)| KeyValuePair { key: key.to_owned(), value }).collect(),
            ..QueryRequest::default()
        };
        let options = Options { timeout: query.timeout, ..self.options(query.db) };
        let answer = self.call(options, request, async |request| service.query(request).await).await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        Ok(answer.fields_data)
    }

    /// How many rows there are; one that is there twice counts twice.
    ///
    /// # Errors
    /// As [`MilvusClient::query`].
    pub async fn count(&self, query: RowQuery<'_>) -> Result<u64, ClientError> {
        let counted = RowQuery { fields: vec!["count(*)".to_owned()], rows_max: 0, ..query };
        let columns = self.query(counted).await?;
        let count = columns.first().and_then(|column| match column.field.as_ref()? {
            field_data::Field::Scalars(scalars) => match scalars.data.as_ref()? {
                scalar_field::Data::LongData(values) => values.data.first().copied(),
                _ => None,
            },
            _ => None,
        });
        count
            .and_then(|count| u64::try_from(count).ok())
            .ok_or_else(|| ClientError::Malformed { reason: "a count without a number".to_owned() })
    }

    /// Whether all of a collection is loaded: only then it can be queried.
    ///
    /// # Errors
    /// `NotFound` without the collection; else as every call.
    pub async fn is_loaded(&self, db: &str, collection: &str) -> Result<bool, ClientError> {
        let mut service = self.service();
        let request = GetLoadStateRequest {
            db_name: db.to_owned(),
            collection_name: collection.to_owned(),
            ..GetLoadStateRequest::default()
        };
        let answer = self
            .call(self.options(db), request, async |request| service.get_load_state(request).await)
            .await?;
        status::check(Call::Atomic, answer.status.as_ref())?;
        Ok(answer.state == LoadState::Loaded as i32)
    }
}
