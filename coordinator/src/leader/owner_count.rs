//! A count that the owners of a sender report one after the other, each from zero.

/// The last report of the last owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OwnerCount {
    epoch: u64,
    count: u64,
}

impl OwnerCount {
    /// How many of `count`, which the owner of this epoch reports, are new.
    pub(super) fn take(&mut self, epoch: u64, count: u64) -> u64 {
        let known = if self.epoch == epoch { self.count } else { 0 };
        let new = count.saturating_sub(known);
        if new > 0 {
            *self = Self { epoch, count };
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::OwnerCount;

    #[test]
    fn each_owner_begins_at_zero_and_nothing_counts_twice() {
        let mut count = OwnerCount::default();
        let taken: Vec<u64> = [(1, 0), (1, 3), (1, 3), (1, 2), (1, 4), (2, 0), (2, 2)]
            .map(|(epoch, n)| count.take(epoch, n))
            .into();
        assert_eq!(taken, [0, 3, 0, 0, 1, 0, 2]);
    }
}
