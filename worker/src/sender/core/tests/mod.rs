//! The core against a model of the target that behaves as measured on real servers, under everything that can happen:
//! several source proxies, shards that come late, leave and come back, missing partitions, clean and unclean changes
//! of the owner at any moment, calls that were executed or not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod gone;
pub(crate) mod history;
mod last_tick;
mod late_calls;
mod memory;
pub(crate) mod random;
mod sizes;
mod stop_after_unknown;
pub(crate) mod target;
mod world;

use proptest::prelude::*;

use world::{Disturbances, World};

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn undisturbed_rows_arrive_with_their_own_timestamps(seed: u64) {
        let mut world = World::new(seed, Disturbances::default());
        world.run();
        world.assert_equal();
        world.assert_own_timestamps();
    }

    #[test]
    fn inputs_that_come_and_go(seed: u64) {
        let mut world = World::new(seed, Disturbances { inputs: true, ..Disturbances::default() });
        world.run();
        world.assert_equal();
    }

    #[test]
    fn owners_that_hand_over_in_order(seed: u64) {
        let mut world = World::new(seed, Disturbances { inputs: true, moves: true, ..Disturbances::default() });
        world.run();
        world.assert_equal();
        prop_assert!(!world.replayed);
    }

    #[test]
    fn packs_of_several_calls_that_are_broken_off(seed: u64) {
        let mut world = World::new(seed, Disturbances { inputs: true, moves: true, unknown: true, ..Disturbances::default() });
        world.run();
        world.assert_equal();
    }

    #[test]
    fn owners_that_die_and_calls_of_unknown_fate(seed: u64) {
        let mut world =
            World::new(seed, Disturbances { crashes: true, unknown: true, ..Disturbances::default() });
        world.run();
        world.assert_equal();
    }

    #[test]
    fn what_is_dropped_leaves_before_it_goes_and_its_end_is_told(seed: u64) {
        let mut world = World::new(seed, Disturbances { drops: true, ..Disturbances::default() });
        world.run();
        world.assert_equal();
        prop_assert!(!world.replayed);
    }

    #[test]
    fn a_target_that_takes_only_small_messages(seed: u64) {
        let disturbances =
            Disturbances { inputs: true, moves: true, crashes: true, unknown: true, sizes: true, ..Disturbances::default() };
        let mut world = World::new(seed, disturbances);
        world.run();
        world.assert_equal();
    }

    #[test]
    fn a_collection_that_the_target_refuses_is_held_alone(seed: u64) {
        let mut world = World::new(seed, Disturbances { refusals: true, ..Disturbances::default() });
        world.run();
        world.assert_equal();
    }

    #[test]
    fn intervals_that_have_to_be_read_twice(seed: u64) {
        let mut world = World::new(seed, Disturbances { memory: true, ..Disturbances::default() });
        world.run();
        world.assert_equal();
        world.assert_own_timestamps();
    }

    #[test]
    fn packs_that_are_broken_off_while_they_are_read_again(seed: u64) {
        let disturbances =
            Disturbances { inputs: true, moves: true, crashes: true, unknown: true, memory: true, ..Disturbances::default() };
        let mut world = World::new(seed, disturbances);
        world.run();
        world.assert_equal();
    }

    #[test]
    fn everything_at_once(seed: u64) {
        let mut world =
            World::new(seed, Disturbances { inputs: true, moves: true, crashes: true, unknown: true, drops: true, sizes: true, refusals: true, memory: true });
        world.run();
        world.assert_equal();
    }
}

/// More than the default for a long search.
fn cases() -> u32 {
    std::env::var("HARRIER_SENDER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60)
}
