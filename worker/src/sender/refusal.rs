//! A call that the target answered with an error: whether that may be about single messages, and what the target itself
//! has to say of their collection.
//!
//! One text can mean several things: for an Insert of an unknown collection and for one ahead of its clock the target
//! gives the same answer. Here it is asked which of them it is.

use std::collections::BTreeSet;
use std::time::Duration;

use harrier_milvus::client::{ClientError, MilvusClient};
use harrier_milvus::error::ErrorClass;

use super::core::Subject;

/// How long the target may take to say more about a call that it refused: everything else waits for it.
const ASK_MAX: Duration = Duration::from_millis(500);

/// Why a call was refused.
#[derive(Clone, Debug)]
pub(crate) struct Explained {
    /// Who can make it go away.
    pub class: ErrorClass,
    /// What is the matter and what to do.
    pub message: String,
    /// The target does not have the collection at all.
    pub gone: bool,
}

/// Whether the target understood the call and did not take it for what is in it. Trouble on the way there, with
/// credentials, or with the kind of the server, is about no message.
pub(crate) fn may_be_about_messages(error: &ClientError) -> bool {
    match error {
        ClientError::NoSegment { .. } | ClientError::NotFound { .. } | ClientError::Rejected { .. } => true,
        // What is too large goes again in smaller parts.
        ClientError::TooLarge { .. }
        | ClientError::Endpoint { .. }
        | ClientError::NotStandby { .. }
        | ClientError::Auth { .. }
        | ClientError::Unsupported { .. }
        | ClientError::Unavailable { .. }
        | ClientError::Deadline { .. }
        | ClientError::NotAsked { .. }
        | ClientError::AlreadyExists { .. }
        | ClientError::Schema { .. }
        | ClientError::Malformed { .. } => false,
    }
}

/// Asks the target about the collection that was refused, if it was a single one.
pub(crate) async fn explain(
    client: &MilvusClient,
    error: &ClientError,
    subject: Option<&Subject>,
) -> Explained {
    let plain = Explained { class: error.class(), message: error.to_string(), gone: false };
    let unknown_collection = matches!(error, ClientError::NoSegment { .. } | ClientError::NotFound { .. });
    let Some(subject) = subject.filter(|_| unknown_collection) else { return plain };
    let asked = client.describe_collection_by_id(&subject.db_name, subject.collection_id);
    match tokio::time::timeout(ASK_MAX, asked).await {
        Ok(Err(ClientError::NotFound { .. })) => Explained {
            class: ErrorClass::Operator,
            message: gone_message(subject.collection_id),
            gone: true,
        },
        Ok(Ok(_)) => Explained {
            class: ErrorClass::Transient,
            message: format!("the collection is there, but {error}"),
            gone: false,
        },
        Ok(Err(_)) | Err(_) => plain,
    }
}

/// What to say of a collection that is not at the target, though it once was.
pub(crate) fn gone_message(collection: i64) -> String {
    format!(
        "the target has no collection of id {collection} any more, somebody else dropped it there: create it there \
         again with the schema of the source, and all of it is copied anew, or drop it at the source, too"
    )
}

/// The same of partitions.
pub(crate) fn gone_partitions_message(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    format!(
        "the target does not have these partitions of it any more, somebody else dropped them there: {}; create them \
         there again, and all of the collection is copied anew, or drop them at the source, too",
        names.join(", ")
    )
}
