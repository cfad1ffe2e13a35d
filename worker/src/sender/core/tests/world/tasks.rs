//! Two tasks on one target pchannel: even shards are of one, odd ones of the other.

use harrier_milvus::tso;
use harrier_proto::harrier::v1::ShardCheckpoint;

use super::{World, tell};

impl World {
    /// A task is paused or deleted; or resumed, or created again.
    pub(super) fn disturb_tasks(&mut self) {
        let task = self.random.index(2);
        let shards: Vec<usize> = (0..self.shards.len())
            .filter(|shard| shard % 2 == task && !self.shards[*shard].dropped.contains(&-1))
            .collect();
        if shards.iter().any(|shard| self.shards[*shard].active) {
            let delete = self.random.chance(30);
            tell!(self, "task {task} is {}", if delete { "deleted" } else { "paused" });
            for shard in shards {
                self.pause(shard);
                if delete {
                    self.forget_progress(shard);
                }
            }
        } else {
            tell!(self, "task {task} goes on");
            shards.into_iter().for_each(|shard| self.activate(shard));
        }
        self.change_inputs();
    }

    /// All that is known of a shard is gone. The task that is created on its rows reads the log from the beginning,
    /// and takes everything that the source can have written so far as there already.
    fn forget_progress(&mut self, shard: usize) {
        let ahead_ms = 1 + self.random.below(3000);
        let committed = &mut self.shards[shard];
        committed.stopping = false;
        committed.confirmed = 0;
        committed.checkpoint = ShardCheckpoint {
            replay_until: tso::compose(self.now_ms + ahead_ms, 0),
            ..ShardCheckpoint::default()
        };
    }
}
