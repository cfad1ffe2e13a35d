//! Histories of a whole Harrier in virtual time. `HARRIER_SIM_SEEDS` sets how many, `HARRIER_SIM_FIRST` where they begin.

use harrier_sim::run_seeds;

/// What fits into this suite's share of `make test`.
const SEEDS: u64 = 200;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn no_history_breaks_a_promise() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failures = run_seeds(number("HARRIER_SIM_FIRST", 0), number("HARRIER_SIM_SEEDS", SEEDS), threads);
    for failure in &failures {
        eprintln!("seed {} fails (`cargo run -p harrier-sim -- {0}`): {}", failure.seed, failure.what);
    }
    assert!(failures.is_empty(), "{failures:?}");
}
