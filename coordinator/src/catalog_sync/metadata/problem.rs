//! What of a task's metadata is not at its target, in words for the task's owner.

use harrier_milvus::error::ErrorClass;

/// One thing that is not at the target as it is at the source, while everything else goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetadataProblem {
    /// Milvus' name of the request that would bring it.
    pub operation: &'static str,
    /// What it is about, with its names at the target.
    pub object: String,
    /// What is in the way and what to do.
    pub message: String,
    /// Who can make it go away.
    pub class: ErrorClass,
}
