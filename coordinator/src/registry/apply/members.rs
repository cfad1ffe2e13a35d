//! Not a command: the group itself has changed.

use super::super::State;

/// Remembers the present members for ever.
pub(crate) fn members(state: &mut State, node_ids: impl Iterator<Item = u64>) {
    state.member_ids.extend(node_ids);
}
