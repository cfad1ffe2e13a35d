//! The only way in which the state changes: one file per command.
//!
//! Pure and total: no clock, no IO, no panic on a stale or senseless command; such a one is refused or passed over,
//! on every member in the same way.

mod assign_senders;
mod checkpoint;
mod create_task;
mod creations;
mod delete_task;
mod drop_mapping;
mod drop_partitions;
mod dropped_at_target;
mod elders;
mod first_tick;
mod glob;
mod inputs;
mod map_collection;
mod map_partitions;
mod members;
mod note_metadata;
mod overlap;
mod pass_over;
mod pause_task;
mod remap_collection;
mod rename_mapping;
mod resume_task;
mod set_limits;
mod settle_creation;
mod task_started;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod restored;

pub use elders::{elders_of, shared_selections};
pub(crate) use members::members;

use super::{Command, Entry, Reply, State};

/// Applies one committed entry. The result depends on nothing but the two arguments.
pub fn apply(state: &mut State, entry: &Entry) -> Reply {
    // Leaders' clocks differ; what the registry shows as time never goes back.
    state.last_entry_ms = state.last_entry_ms.max(entry.time_ms);
    let reply = apply_command(state, &entry.command);
    state.forget_parted();
    reply
}

fn apply_command(state: &mut State, command: &Command) -> Reply {
    match command {
        Command::CreateTask { task, target, task_count_max } => {
            create_task::apply(state, task, target, *task_count_max)
        }
        Command::DeleteTask { task_id } => delete_task::apply(state, task_id),
        Command::PauseTask { task_id } => pause_task::apply(state, task_id),
        Command::ResumeTask { task_id } => resume_task::apply(state, task_id),
        Command::TaskStarted { task_id } => task_started::apply(state, task_id),
        Command::BeginCreations { creations } => creations::begin(state, creations),
        Command::EndCreation { id } => creations::end(state, id),
        Command::SettleCreation { account, id, target_id, target_pchannels } => {
            settle_creation::apply(state, account, id, target_id, target_pchannels)
        }
        Command::ForgetParting { parting_id } => delete_task::forget(state, parting_id),
        Command::MapCollection { mapping } => map_collection::apply(state, mapping),
        Command::RemapCollection { mapping } => remap_collection::apply(state, mapping),
        Command::MapPartitions { task_id, source_collection_id, partitions } => {
            map_partitions::apply(state, task_id, *source_collection_id, partitions)
        }
        Command::RenameMapping { task_id, source_collection_id, source_name, target_name } => {
            rename_mapping::apply(state, task_id, *source_collection_id, source_name, target_name)
        }
        Command::DropMapping { task_id, source_collection_id } => {
            drop_mapping::apply(state, task_id, *source_collection_id)
        }
        Command::DropPartitions { task_id, source_collection_id, partitions } => {
            drop_partitions::apply(state, task_id, *source_collection_id, partitions)
        }
        Command::NoteMetadata { task_id, known, forgotten } => {
            note_metadata::apply(state, task_id, known, forgotten)
        }
        Command::DroppedAtTarget { drop_id } => dropped_at_target::apply(state, drop_id),
        Command::PassOver { task_id, collections } => pass_over::apply(state, task_id, collections),
        Command::SetLimits { limited, limits } => set_limits::apply(state, limited, *limits),
        Command::AssignSenders { assignments } => assign_senders::apply(state, assignments),
        Command::Checkpoint { senders } => checkpoint::apply(state, senders),
    }
}
