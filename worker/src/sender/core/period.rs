//! How long a pack may be waited for: as long as ticks are apart, or less where a task asks for it (`buffer_config`).

use super::Core;
use super::shard::Place;

impl Core {
    /// The longest that inserts wait to be merged, in milliseconds. Tasks that share a channel share its packs, so the
    /// most impatient one decides.
    pub(super) fn pack_period_ms(&self) -> u64 {
        let living = self.shards.values().filter(|shard| shard.place != Place::Detached);
        let asked = living.map(|shard| shard.spec.buffer_period_ms).filter(|period_ms| *period_ms > 0);
        asked.fold(self.config.tick_interval_ms, u64::min)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::sync::Arc;

    use harrier_proto::harrier::v1::{SenderAssignment, ShardAssignment};

    use super::super::{CoreConfig, CoreStart, HoldConfig};
    use super::*;

    /// Ticks ten seconds apart, and shards whose tasks ask for these periods.
    fn core(periods_ms: &[u64]) -> Core {
        let config = CoreConfig {
            merge_bytes_max: 1000,
            call_bytes_max: 1000,
            interval_bytes_max: 1 << 20,
            tick_interval_ms: 10_000,
            lookahead_ms_min: 5000,
            hold: HoldConfig { wait_ms_min: 1000, wait_ms_max: 30_000 },
        };
        let shard = |(number, period_ms): (usize, &u64)| ShardAssignment {
            shard_id: number.to_string(),
            source_pchannel: "channel".into(),
            buffer_period_ms: *period_ms,
            ..Default::default()
        };
        let shards = periods_ms.iter().enumerate().map(shard).collect();
        let assignment = SenderAssignment { horizon: u64::MAX, shards, ..Default::default() };
        let order = Arc::new(|a: &[u8], b: &[u8]| a.cmp(b));
        Core::new(config, &assignment, order, &CoreStart { now_ms: 1000, ..Default::default() })
    }

    #[test]
    fn the_most_impatient_task_decides_how_long_a_pack_is_waited_for() {
        for (periods_ms, expected) in
            [(&[0][..], 10_000), (&[60_000][..], 10_000), (&[0, 3_000, 2_000][..], 2_000)]
        {
            let core = core(periods_ms);
            assert_eq!(core.pack_period_ms(), expected, "{periods_ms:?}");
            // A pack is closed after half of that.
            assert_eq!(core.next_deadline_ms(), Some(expected / 2), "{periods_ms:?}");
        }
    }
}
