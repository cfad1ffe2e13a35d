//! One history at a time, for the search of a failure: `HARRIER_SENDER_SEED=n`.

use super::world::{Disturbances, World};

#[test]
fn one_seed() {
    let Ok(seed) = std::env::var("HARRIER_SENDER_SEED") else { return };
    let disturbances = Disturbances { crashes: true, unknown: true, ..Disturbances::default() };
    let mut world = World::new(seed.parse().unwrap(), disturbances);
    world.run();
    world.debug();
    world.assert_equal();
}
