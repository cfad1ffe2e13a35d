//! Sealing what a collection of the target holds.

use harrier_proto::common::MsgType;
use harrier_proto::milvus::FlushRequest;

use super::call::replicated;
use super::status::{self, Call};
use super::{ClientError, MilvusClient};
use crate::tso::Timestamp;

impl MilvusClient {
    /// Asks the target to write what a collection holds to its storage. It answers before that is done, which takes
    /// ticks above its own present on the collection's pchannels.
    ///
    /// # Errors
    /// `NotFound` without the collection; else as every call.
    pub async fn flush(&self, db: &str, collection: &str, at: Timestamp) -> Result<(), ClientError> {
        let mut service = self.service();
        let request = FlushRequest {
            base: Some(replicated(MsgType::Flush, at)),
            db_name: db.to_owned(),
            collection_names: vec![collection.to_owned()],
        };
        let answer =
            self.call(self.options(db), request, async |request| service.flush(request).await).await?;
        status::check(Call::Atomic, answer.status.as_ref())
    }
}
