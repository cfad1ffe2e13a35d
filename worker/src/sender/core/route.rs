//! Where the messages of a shard's partitions go.

use std::collections::HashMap;

use harrier_proto::harrier::v1::{PartitionAssignment, ShardAssignment};

use crate::message::Destination;

/// The id with which Milvus names all partitions in a Delete.
pub(crate) const ALL_PARTITIONS: i64 = -1;

/// A partition at the target; [`ALL_PARTITIONS`] for Deletes that name none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    To(i64),
    /// The source dropped the partition: nothing of it is needed any more.
    Dropped,
    /// No mapping yet.
    Missing,
}

#[derive(Debug, Default)]
pub(crate) struct Routes {
    by_source: HashMap<i64, PartitionAssignment>,
    names: HashMap<i64, String>,
    /// All partitions go here.
    only: Option<i64>,
}

impl Routes {
    pub(crate) fn new(shard: &ShardAssignment) -> Self {
        let by_source: HashMap<_, _> =
            shard.partitions.iter().map(|p| (p.source_partition_id, p.clone())).collect();
        let names = shard
            .partitions
            .iter()
            .map(|p| (p.target_partition_id, p.target_partition_name.clone()))
            .chain([(ALL_PARTITIONS, String::new())])
            .collect();
        let only = shard.partitions.iter().find(|p| !p.dropped).map(|p| p.target_partition_id);
        Self { by_source, names, only: only.filter(|_| shard.ignore_partition) }
    }

    pub(crate) fn route(&self, source_partition_id: i64) -> Route {
        if source_partition_id <= 0 {
            return Route::To(ALL_PARTITIONS);
        }
        match (self.by_source.get(&source_partition_id), self.only) {
            (Some(partition), _) if partition.dropped => Route::Dropped,
            (Some(partition), _) => Route::To(partition.target_partition_id),
            (None, Some(only)) => Route::To(only),
            (None, None) => Route::Missing,
        }
    }

    /// The head that messages of `shard` for this target partition get.
    pub(crate) fn destination(&self, shard: &ShardAssignment, target_partition_id: i64) -> Destination {
        Destination {
            db_name: shard.target_db_name.clone(),
            collection_name: shard.target_collection_name.clone(),
            collection_id: shard.target_collection_id,
            partition_id: target_partition_id,
            partition_name: self.names.get(&target_partition_id).cloned().unwrap_or_default(),
            shard_name: shard.target_vchannel.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(source: i64, target: i64, dropped: bool) -> PartitionAssignment {
        PartitionAssignment {
            source_partition_id: source,
            target_partition_id: target,
            target_partition_name: format!("p{target}"),
            dropped,
            ..Default::default()
        }
    }

    #[test]
    fn each_partition_has_its_own_way() {
        let partitions = vec![partition(10, 20, false), partition(11, 0, true)];
        let mut shard = ShardAssignment { partitions, ..Default::default() };
        let routes = Routes::new(&shard);
        assert_eq!(routes.route(10), Route::To(20));
        assert_eq!(routes.route(11), Route::Dropped);
        assert_eq!(routes.route(12), Route::Missing);
        assert_eq!(routes.route(-1), Route::To(ALL_PARTITIONS));
        assert_eq!(routes.destination(&shard, 20).partition_name, "p20");
        assert_eq!(routes.destination(&shard, ALL_PARTITIONS).partition_name, "");
        shard.ignore_partition = true;
        assert_eq!(Routes::new(&shard).route(12), Route::To(20));
    }
}
