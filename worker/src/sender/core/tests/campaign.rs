//! Runs histories on all processors, and makes the first one that fails short and readable.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::random::Random;
use super::shrink::shrink;
use super::world::{MIXES, World};

/// Histories in a run, over all mixes.
const HISTORIES: u64 = 100_000;

/// How long the search for a shorter history may take.
const SHRINK_TIME: Duration = Duration::from_secs(60);

/// A history that went wrong.
pub(super) struct Failure {
    pub message: String,
    /// Its choices.
    pub tape: Vec<u64>,
    pub story: Vec<String>,
}

/// What must hold in the end; panics if it does not.
pub(super) type Property<'a> = &'a dyn Fn(&World);

/// One history from these choices. The first of them is the mix of disturbances.
pub(super) fn run(property: Property<'_>, mut random: Random, with_story: bool) -> Result<(), Failure> {
    let (_, mix) = MIXES[random.index(MIXES.len())];
    let mut world = World::new(random, mix, with_story.then(Vec::new));
    let result = quietly(|| {
        world.run();
        property(&world);
    });
    result.map_err(|message| {
        let story = world.story.take().unwrap_or_default();
        let mut tape = world.into_tape();
        // What an exhausted tape gives anyway.
        while tape.last() == Some(&0) {
            tape.pop();
        }
        Failure { message, tape, story }
    })
}

/// As many histories as the environment says, or the one that it names.
pub(super) fn search() {
    if let Some(seed) = variable("HARRIER_SENDER_SEED") {
        return match run(&World::assert_equal, Random::new(seed), false) {
            Ok(()) => eprintln!("the history of seed {seed} ends well"),
            Err(failure) => report(seed, failure),
        };
    }
    let histories = variable("HARRIER_SENDER_HISTORIES").unwrap_or(HISTORIES);
    let first = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let failed: Mutex<Option<(u64, Failure)>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while failed.lock().unwrap().is_none() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= histories {
                        return;
                    }
                    let seed = first.wrapping_add(number);
                    if let Err(failure) = run(&World::assert_equal, Random::new(seed), false) {
                        failed.lock().unwrap().get_or_insert((seed, failure));
                    }
                }
            });
        }
    });
    let number = next.into_inner().min(histories);
    eprintln!("{number} histories from seed {first} on in {:.1} s", begun.elapsed().as_secs_f64());
    if let Some((seed, failure)) = failed.into_inner().unwrap() {
        report(seed, failure);
    }
}

/// The least history that still fails, as a story.
pub(super) fn shrunk(property: Property<'_>, failure: Failure) -> Failure {
    let tape = shrink(failure.tape, SHRINK_TIME, |tape| {
        run(property, Random::replay(tape.to_vec()), false).err().map(|failure| failure.tape)
    });
    match run(property, Random::replay(tape), true) {
        Err(failure) => failure,
        Ok(()) => panic!(
            "a history that failed ends well when it is run again: it depends on more than its choices"
        ),
    }
}

fn report(seed: u64, failure: Failure) {
    let (choices, message) = (failure.tape.len(), failure.message.clone());
    let least = shrunk(&World::assert_equal, failure);
    let tape = least.tape;
    panic!(
        "the history of seed {seed} fails: {message}\n\
         its least part ({} of {choices} choices) fails too: {}\n{}\n\
         choices: {tape:?}\n\
         again: HARRIER_SENDER_SEED={seed} cargo test -p harrier-worker --lib sender::core::tests::any_history",
        tape.len(),
        least.message,
        least.story.join("\n"),
    );
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} has to be a number")))
}

thread_local! {
    /// Panics of this thread are expected, and need not be printed.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// The message of a panic, if there is one.
fn quietly(act: impl FnOnce()) -> Result<(), String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !EXPECTED.get() {
                print(info);
            }
        }));
    });
    EXPECTED.set(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    EXPECTED.set(false);
    result.map_err(|payload| match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast_ref::<&str>().unwrap_or(&"panic").to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bug is planted: the property says that no row may ever go in the idempotent form. What is left of the first
    /// history that breaks it is one row, and one moment after which nobody knows whether it was sent.
    #[test]
    fn what_breaks_a_property_is_told_in_a_few_lines() {
        let planted: Property<'_> = &|world| assert!(!world.replayed, "a row was replayed");
        let failure = (0..).find_map(|seed| run(planted, Random::new(seed), false).err()).unwrap();
        let choices = failure.tape.len();
        let least = shrunk(planted, failure);
        let told = least.story.join("\n");
        assert_eq!(least.message, "a row was replayed");
        assert!(
            least.tape.len() < choices / 2,
            "{} of {choices} choices are left:\n{told}",
            least.tape.len()
        );
        assert_eq!(told.matches("the source will write").count(), 1, "{told}");
        assert!(told.lines().count() <= 30, "{told}");
        // And it is the same again.
        let again = run(planted, Random::replay(least.tape.clone()), true).unwrap_err();
        assert_eq!(again.story, least.story);
    }
}
