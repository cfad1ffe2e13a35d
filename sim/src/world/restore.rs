//! Every coordinator's disk is lost, and the operator begins again with a backup, as `docs/operations.md` says.

use std::collections::BTreeSet;

use harrier_coordinator::registry::{Restored, State, restored};
use harrier_milvus::tso::Timestamp;

use super::World;
use super::group::{Group, Members};
use crate::raft::{NODES, Snapshot};
use crate::random::Random;

/// Of so many histories in a hundred.
const DISASTERS: u64 = 15;

/// When a backup is made, and when it is needed.
pub(super) struct Disaster {
    /// `None`: no backup is made, or it is made already.
    backup_from_ms: Option<u64>,
    /// Not before that.
    lost_at_ms: u64,
    backup: Option<State>,
    /// The first epoch after the restore; 0 before there is one.
    first_epoch: u64,
}

impl Disaster {
    pub(super) fn new(random: &mut Random, duration_ms: u64) -> Self {
        let from_ms = random.chance(DISASTERS).then(|| random.below(duration_ms));
        let lost_at_ms = from_ms.unwrap_or(0) + random.below(duration_ms);
        Self { backup_from_ms: from_ms, lost_at_ms, backup: None, first_epoch: 0 }
    }

    pub(super) fn wants_backup(&self, now_ms: u64) -> bool {
        self.backup_from_ms.is_some_and(|from_ms| from_ms <= now_ms)
    }

    pub(super) fn take_backup(&mut self, now_ms: u64, state: State) {
        if self.wants_backup(now_ms) {
            self.backup_from_ms = None;
            self.backup = Some(state);
        }
    }

    /// Whether an epoch was given by coordinators that are gone.
    pub(super) const fn is_of_former_group(&self, epoch: u64) -> bool {
        epoch < self.first_epoch
    }

    const fn has_happened(&self) -> bool {
        self.first_epoch > 0
    }
}

impl World {
    /// Loses everything that the coordinators had, once a backup is there.
    pub(super) fn lose_coordinators(&mut self) {
        if self.group.nodes.iter().all(|node| node.tenure.is_none()) {
            // Before anybody can take them for copies of what has their names by now.
            self.drop_orphans();
        }
        if self.now_ms < self.disaster.lost_at_ms {
            return;
        }
        let Some(backup) = self.disaster.backup.take() else { return };
        self.tell(|| "all coordinators are lost, and a backup is restored".to_owned());
        let origin = Restored {
            cluster_id: "former".to_owned(),
            backup_ms: self.begin_ms,
            restored_ms: self.unix_ms(),
        };
        let state = restored(backup, origin);
        self.disaster.first_epoch = state.last_epoch;
        self.counts.restores += 1;
        self.counts.decided += self.group.decided_count();
        self.targets.former_horizons(&self.group.state);
        self.operator.begin_again(&state, self.now_ms);
        let members = Members::draw(&mut self.random);
        // As `raft::restore` begins: one entry stands for everything before.
        self.group = Group::new(&members, Snapshot { index: 1, term: 1, state });
        self.acknowledged_index = 1;
        self.mail.return_to_senders();
        let back_ms = self.now_ms + self.random.below(2_000);
        for id in 0..NODES {
            self.group.nodes[id].dead_until_ms = back_ms;
        }
        for channel in self.targets.channels.values_mut() {
            channel.coordinators_forget();
        }
    }

    /// What was created after the backup and dropped at the source before the restore is nobody's: the operator drops it.
    pub(super) fn drop_orphans(&mut self) {
        if !self.disaster.has_happened() {
            return;
        }
        let state = &self.group.state;
        let pending: BTreeSet<(&str, i64)> =
            state.creations.values().map(|one| (one.task_id.as_str(), one.source_collection_id)).collect();
        let is_unknown = |task_id: &str, source_id: i64| {
            let mapped = state.mappings.get(task_id).is_some_and(|known| known.contains_key(&source_id));
            !mapped && !pending.contains(&(task_id, source_id))
        };
        let gone = self.catalog.known.iter().filter(|known| known.is_dropped(self.now_ms));
        let orphans: Vec<(String, Timestamp, usize)> = gone
            .filter(|known| is_unknown(&known.task_id, known.collection.source_id))
            .map(|known| (known.target_id.clone(), known.created_ts, known.collection.number))
            .collect();
        for (target_id, created_ts, number) in orphans {
            let Some(catalog) = self.targets.catalogs.get_mut(&target_id) else { continue };
            if catalog.drop_by_hand(created_ts) {
                let channels = self.targets.channels.iter_mut();
                for (_, channel) in channels.filter(|(id, _)| id.split('/').next() == Some(&target_id)) {
                    channel.drop_collection(number, created_ts);
                }
            }
        }
    }
}
