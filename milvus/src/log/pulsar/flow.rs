//! How many messages the broker may send. Pure.
//!
//! Permits count messages, the budget bytes: so many are given as the messages of late would fill it. The connection
//! holds the broker back whatever the sizes turn out to be, as nothing is read from it that nobody asked for; the
//! permits keep the broker from piling it up on its side.

/// Bounds of what may be under way.
const PERMITS_MIN: u32 = 8;
const PERMITS_MAX: u32 = 8_192;
/// Before any message came: of the size of a small insert.
const FIRST_BYTES: u64 = 16 * 1024;
/// Weight of a new message's size against those before, as a power of two: sizes follow quickly when they rise.
const FALL: u32 = 6;

/// Permits of one consumer.
#[derive(Debug)]
pub(super) struct Flow {
    /// Given and not used up.
    open: u32,
    /// Size of late, in bytes: rises at once, falls slowly.
    bytes: u64,
}

impl Default for Flow {
    fn default() -> Self {
        Self { open: 0, bytes: FIRST_BYTES }
    }
}

impl Flow {
    /// The permits to give now, if any are due: half of the wanted number is used up.
    pub fn due(&self, bytes_max: usize) -> Option<u32> {
        let fitting = u64::try_from(bytes_max).unwrap_or(u64::MAX) / self.bytes.max(1);
        let wanted = u32::try_from(fitting).unwrap_or(PERMITS_MAX).clamp(PERMITS_MIN, PERMITS_MAX);
        (self.open <= wanted / 2).then(|| wanted - self.open)
    }

    pub fn given(&mut self, permits: u32) {
        self.open = self.open.saturating_add(permits);
    }

    /// An entry came, of `count` messages and `bytes` as stored.
    pub fn on_entry(&mut self, count: usize, bytes: usize) {
        let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        self.open = self.open.saturating_sub(count);
        let each = u64::try_from(bytes).unwrap_or(u64::MAX) / u64::from(count);
        self.bytes = each.max(self.bytes - (self.bytes >> FALL)).max(1);
    }

    /// Another consumer: it has none yet.
    pub fn reset(&mut self) {
        self.open = 0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    const BUDGET: usize = 1024 * 1024;

    #[test]
    fn large_messages_get_few_permits_and_ticks_many() {
        let mut flow = Flow::default();
        assert_eq!(flow.due(BUDGET), Some(64));
        flow.given(64);
        assert_eq!(flow.due(BUDGET), None);
        flow.on_entry(1, 5 * BUDGET);
        for _ in 0..55 {
            flow.on_entry(1, 5 * BUDGET);
        }
        assert_eq!(flow.due(BUDGET), None, "8 are open");
        for _ in 0..4 {
            flow.on_entry(1, 5 * BUDGET);
        }
        assert_eq!(flow.due(BUDGET), Some(4));
        for _ in 0..2_000 {
            flow.on_entry(1, 100);
        }
        assert_eq!(flow.due(BUDGET), Some(PERMITS_MAX));
    }

    proptest! {
        #[test]
        fn it_never_starves_and_never_exceeds(
            entries in proptest::collection::vec((1_usize..5, 0_usize..6_000_000), 0..300),
        ) {
            let mut flow = Flow::default();
            for (count, bytes) in entries {
                while let Some(permits) = flow.due(BUDGET) {
                    prop_assert!(permits > 0);
                    flow.given(permits);
                }
                prop_assert!((PERMITS_MIN / 2..=PERMITS_MAX).contains(&flow.open));
                flow.on_entry(count, bytes);
            }
        }
    }
}
