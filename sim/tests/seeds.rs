//! Histories of a whole Harrier in virtual time. `HARRIER_SIM_SEEDS` sets how many, `HARRIER_SIM_FIRST` where they begin.

#![allow(clippy::print_stdout)]

use harrier_sim::{run_seed, run_seeds};

/// What fits into this suite's share of `make test`.
const SEEDS: u64 = 500;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn no_history_breaks_a_promise() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let seeds = number("HARRIER_SIM_SEEDS", SEEDS);
    let (counts, failures) = run_seeds(number("HARRIER_SIM_FIRST", 0), seeds, threads);
    println!("{} histories: {counts}", counts.histories);
    for failure in &failures {
        println!("seed {} fails (`cargo run -p harrier-sim -- {0}`): {}", failure.seed, failure.what);
    }
    assert!(failures.is_empty(), "{failures:?}");
    // Histories in which nothing goes wrong prove nothing.
    if seeds >= SEEDS {
        assert!(
            counts.faults > seeds && counts.tenures > 2 * seeds && counts.late_calls > seeds / 20,
            "{counts}"
        );
        assert!(counts.restores > seeds / 50 && counts.abandoned > seeds / 50, "{counts}");
    }
}

/// A seed that fails must fail again alone.
#[test]
fn a_seed_is_the_same_history_each_time() {
    for seed in 0..8 {
        assert_eq!(run_seed(seed), run_seed(seed), "seed {seed}");
    }
}
