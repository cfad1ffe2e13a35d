//! The registry: what the coordinator group remembers, and the only way it changes.
//!
//! Pure: no clock, no random number, no IO, no iteration in hash order. Time and ids travel inside the entry, so
//! that every member, and every replay of the log, arrives at the same state.

pub mod apply;
pub mod checkpoint;
pub mod command;
pub mod creation;
pub mod limits;
pub mod mapping;
pub mod metadata;
pub mod parting;
pub mod pending_drop;
pub mod restored;
pub mod sealed;
pub mod sender;
pub mod state;
pub mod target;
pub mod task;

pub use apply::{apply, elders_of, shared_selections};
pub use checkpoint::{SenderCheckpoint, ShardFinal, ShardProgress, UncertainWindow};
pub use command::{Assign, Command, Entry, Refusal, Reply};
pub use creation::{CreatedPartition, PendingCreation, UnfinishedCreation};
pub use limits::{Limited, Limits};
pub use mapping::{CollectionMapping, PartitionMapping, ShardPair};
pub use metadata::MetadataItem;
pub use parting::{Parting, PartingId, parting_id};
pub use pending_drop::{DropId, DropStage, DroppedPartition, PendingDrop, drop_id, lost_id};
pub use restored::{Restored, restored};
pub use sealed::Sealed;
pub use sender::{Sender, SenderId, ShardId, ShardPhase, ShardState, sender_id, shard_id};
pub use state::State;
pub use target::{Target, TargetId};
pub use task::{CollectionFilter, Task, TaskId, TaskSpec, TaskState};
