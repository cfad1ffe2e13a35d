//! Indexes of the target's collections, and what of these is loaded.

use std::collections::BTreeSet;

use harrier_proto::common::{ErrorCode, KeyValuePair, Status};
use harrier_proto::milvus::{DescribeIndexRequest, GetReplicasRequest, ShowPartitionsRequest, ShowType};

use super::status::{self, Call};
use super::{ClientError, MilvusClient};

/// Codes of Milvus (`merr`): nothing is loaded, or no index is there. All are answers, no failures.
const COLLECTION_NOT_LOADED: i32 = 101;
const PARTITION_NOT_LOADED: i32 = 201;
const REPLICA_NOT_FOUND: i32 = 400;
const INDEX_NOT_FOUND: i32 = 700;

/// An index at the target.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetIndex {
    /// Its name.
    pub name: String,
    /// The field that it is of.
    pub field: String,
    /// As its creator gave them.
    pub params: Vec<KeyValuePair>,
}

/// What of a collection the target has loaded, or is loading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetLoad {
    /// Names of the partitions; empty = nothing is loaded.
    pub partitions: BTreeSet<String>,
    /// Number of replicas; 0 if nothing is loaded, or they are not known.
    pub replicas: i32,
}

impl MilvusClient {
    /// All indexes of a collection.
    ///
    /// # Errors
    /// `NotFound` without the collection; else as every call.
    pub async fn list_indexes(&self, db: &str, collection: &str) -> Result<Vec<TargetIndex>, ClientError> {
        let mut service = self.service();
        let request = DescribeIndexRequest {
            db_name: db.to_owned(),
            collection_name: collection.to_owned(),
            ..DescribeIndexRequest::default()
        };
        let answer = self
            .call(self.options(db), request, async |request| service.describe_index(request).await)
            .await?;
        if says(answer.status.as_ref(), &[INDEX_NOT_FOUND], ErrorCode::IndexNotExist) {
            return Ok(Vec::new());
        }
        status::check(Call::Atomic, answer.status.as_ref())?;
        let index = |found: harrier_proto::milvus::IndexDescription| TargetIndex {
            name: found.index_name,
            field: found.field_name,
            params: found.params,
        };
        Ok(answer.index_descriptions.into_iter().map(index).collect())
    }

    /// What of a collection is loaded, or being loaded.
    ///
    /// # Errors
    /// `NotFound` without the collection; else as every call.
    pub async fn load_of(&self, db: &str, collection: &str, id: i64) -> Result<TargetLoad, ClientError> {
        let mut service = self.service();
        let request = ShowPartitionsRequest {
            db_name: db.to_owned(),
            collection_name: collection.to_owned(),
            r#type: ShowType::InMemory as i32,
            ..ShowPartitionsRequest::default()
        };
        let answer = self
            .call(self.options(db), request, async |request| service.show_partitions(request).await)
            .await?;
        let not_loaded = [COLLECTION_NOT_LOADED, PARTITION_NOT_LOADED];
        if says(answer.status.as_ref(), &not_loaded, ErrorCode::Success) {
            return Ok(TargetLoad::default());
        }
        status::check(Call::Atomic, answer.status.as_ref())?;
        let partitions: BTreeSet<String> = answer.partition_names.into_iter().collect();
        if partitions.is_empty() {
            return Ok(TargetLoad::default());
        }
        Ok(TargetLoad { partitions, replicas: self.replicas(db, id).await? })
    }

    async fn replicas(&self, db: &str, id: i64) -> Result<i32, ClientError> {
        let mut service = self.service();
        let request =
            GetReplicasRequest { collection_id: id, db_name: db.to_owned(), ..GetReplicasRequest::default() };
        let answer =
            self.call(self.options(db), request, async |request| service.get_replicas(request).await).await?;
        let gone = [REPLICA_NOT_FOUND, COLLECTION_NOT_LOADED];
        if says(answer.status.as_ref(), &gone, ErrorCode::Success) {
            return Ok(0);
        }
        status::check(Call::Atomic, answer.status.as_ref())?;
        Ok(i32::try_from(answer.replicas.len()).unwrap_or(i32::MAX))
    }
}

/// Whether a status is one of these, by its code or, of an older server, by its legacy one.
fn says(status: Option<&Status>, codes: &[i32], legacy: ErrorCode) -> bool {
    let Some(status) = status else { return false };
    let by_legacy = legacy != ErrorCode::Success && status.error_code == legacy as i32;
    codes.contains(&status.code) || by_legacy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_says_that_nothing_is_there_is_no_failure() {
        let status =
            |code, legacy: ErrorCode| Status { code, error_code: legacy as i32, ..Status::default() };
        let missing = |status: &Status| says(Some(status), &[INDEX_NOT_FOUND], ErrorCode::IndexNotExist);
        assert!(missing(&status(INDEX_NOT_FOUND, ErrorCode::UnexpectedError)));
        assert!(missing(&status(0, ErrorCode::IndexNotExist)), "of an older server");
        assert!(
            !missing(&status(0, ErrorCode::Success))
                && !missing(&status(100, ErrorCode::CollectionNotExists))
        );
        assert!(!says(None, &[101], ErrorCode::Success));
        assert!(!says(Some(&status(0, ErrorCode::Success)), &[101], ErrorCode::Success));
    }
}
