//! Histories that are kept, as the choices that make them. Each is the least one that was found for what its name says.

use super::campaign::{run, shrunk};
use super::random::Random;
use super::target::Situation;
use super::world::World;

const MET: &str = "the target came into the situation";

/// The cases in which a careless replay doubled or lost rows on real servers. A tape that no longer leads into its case,
/// because histories are made in another way by now, is to be replaced by the one that the test prints.
const CASES: [(Situation, &str); 5] = [
    (Situation::OtherKeyDeleted, include_str!("kept/other_key_deleted.tape")),
    (Situation::SecondReplay, include_str!("kept/second_replay.tape")),
    (Situation::FlushedBetween, include_str!("kept/flushed_between.tape")),
    (Situation::LateOriginalAfterFlush, include_str!("kept/late_original_after_flush.tape")),
    (Situation::RestartedAfterReplay, include_str!("kept/restarted_after_replay.tape")),
];

fn choices(tape: &str) -> Random {
    Random::replay(tape.split_whitespace().map(|choice| choice.parse().unwrap()).collect())
}

/// Ends as it must, and does not lead into the situation.
fn avoids(world: &World, situation: Situation) {
    world.assert_equal();
    assert!(!world.has_met(situation), "{MET}");
}

#[test]
fn the_cases_that_doubled_or_lost_rows_end_well() {
    let mut lost = Vec::new();
    for (situation, tape) in CASES {
        match run(&|world| avoids(world, situation), choices(tape), false) {
            Err(failure) if failure.message == MET => {}
            Err(failure) => panic!("{situation:?}: {}", failure.message),
            Ok(()) => lost.push(format!("{situation:?}: {}", another(situation))),
        }
    }
    assert!(
        lost.is_empty(),
        "these histories are no longer what they were, take instead:\n{}",
        lost.join("\n")
    );
}

fn another(situation: Situation) -> String {
    let avoids = |world: &World| avoids(world, situation);
    let failure = (0..).find_map(|seed| run(&avoids, Random::new(seed), false).err()).unwrap();
    let tape = shrunk(&avoids, failure).tape;
    tape.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}
