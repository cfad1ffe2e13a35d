//! `harrier-sim SEED` runs one history; `harrier-sim FIRST COUNT` runs many, on all cores. The last line says how many
//! ran and which failed; exit code 1 if any did.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::time::Instant;

use harrier_sim::run_seeds;

fn main() -> ExitCode {
    let numbers: Result<Vec<u64>, _> = std::env::args().skip(1).map(|text| text.parse()).collect();
    let (first, count) = match numbers.as_deref() {
        Ok([seed]) => (*seed, 1),
        Ok([first, count]) => (*first, *count),
        _ => {
            println!("usage: harrier-sim SEED | harrier-sim FIRST COUNT");
            return ExitCode::from(2);
        }
    };
    if count > 1 {
        // One line per failing seed says enough; the seed alone tells its story.
        std::panic::set_hook(Box::new(|_| {}));
    }
    let begin = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (counts, failures) = run_seeds(first, count, threads);
    let seconds = begin.elapsed().as_secs_f64();
    println!("{counts}");
    for failure in &failures {
        println!("seed {} fails: {}", failure.seed, failure.what);
    }
    let done = counts.histories + failures.len() as u64;
    println!("{done} seeds from {first} in {seconds:.1} s, {} failed", failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
