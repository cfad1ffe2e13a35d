//! Milvus' hybrid timestamps: unix milliseconds in the upper bits, a logical counter in the lower 18.
//! Pure arithmetic; this module reads no clock.

/// A hybrid timestamp: `unix_ms << 18 | logical`.
pub type Timestamp = u64;

/// Width of the logical counter.
pub const LOGICAL_BITS: u32 = 18;

/// The largest logical counter.
pub const LOGICAL_MAX: u64 = (1 << LOGICAL_BITS) - 1;

/// The unix milliseconds of a timestamp.
pub const fn physical_ms(ts: Timestamp) -> u64 {
    ts >> LOGICAL_BITS
}

/// The logical counter of a timestamp.
pub const fn logical(ts: Timestamp) -> u64 {
    ts & LOGICAL_MAX
}

/// Joins unix milliseconds and a logical counter. A counter that does not fit, and milliseconds beyond
/// the year 4200, are cut to the largest value, so that the result is never smaller than meant by a wrap.
pub const fn compose(ms: u64, logical: u64) -> Timestamp {
    let ms_max = u64::MAX >> LOGICAL_BITS;
    let ms = if ms > ms_max { ms_max } else { ms };
    let logical = if logical > LOGICAL_MAX { LOGICAL_MAX } else { logical };
    (ms << LOGICAL_BITS) | logical
}

/// `ts` moved forward by whole milliseconds; saturates.
pub const fn add_ms(ts: Timestamp, ms: u64) -> Timestamp {
    let physical = physical_ms(ts).saturating_add(ms);
    compose(physical, logical(ts))
}

/// `ts` moved back by whole milliseconds; saturates at the epoch.
pub const fn sub_ms(ts: Timestamp, ms: u64) -> Timestamp {
    let physical = physical_ms(ts).saturating_sub(ms);
    compose(physical, logical(ts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_timestamp_of_a_real_log_reads_as_its_date() {
        // From a delete log written by Milvus 2.3.5.
        assert_eq!(physical_ms(470_654_139_259_420_678), 1_795_403_058_088);
        assert_eq!(logical(470_654_139_259_420_678), 6);
    }

    #[test]
    fn what_does_not_fit_is_cut_and_never_wraps() {
        assert_eq!(compose(1, LOGICAL_MAX + 1), compose(1, LOGICAL_MAX));
        assert_eq!(compose(u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(add_ms(u64::MAX, 1), u64::MAX);
        assert_eq!(sub_ms(compose(5, 3), 9), compose(0, 3));
    }

    proptest! {
        #[test]
        fn split_and_join_are_inverse(ts: u64) {
            prop_assert_eq!(compose(physical_ms(ts), logical(ts)), ts);
        }

        #[test]
        fn order_is_by_milliseconds_first(a: u64, b: u64) {
            if physical_ms(a) < physical_ms(b) {
                prop_assert!(a < b);
            }
        }
    }
}
