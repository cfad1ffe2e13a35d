//! Whether what looked different is: somebody may have written in between.
//!
//! The source is read, then the target up to a later time, then the source again. Where the source said the same twice,
//! that is what the target had to show. What the target shows is fine if it is what the source had before or after. A
//! difference counts when it was seen twice; what the source changes all the time stays unsettled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use harrier_proto::schema::FieldData;

use super::key::Key;
use super::report::Difference;
use super::row::{RowHash, first_difference};
use super::side::Side;
use super::walk::difference;
use super::{Trouble, Verifier};

/// Keys that are asked for in one query.
const KEYS_MAX: usize = 256;
/// How often an unsteady row is looked at.
const ROUNDS_MAX: u32 = 12;
const PAUSE: Duration = Duration::from_millis(300);
/// A difference has to be seen so often.
const SEEN_MIN: u32 = 2;

/// What came of it.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) differences: Vec<Difference>,
    /// Rows that changed all the time.
    pub(super) unsettled: u64,
}

/// Looks again at what seems to differ.
pub(super) async fn settle(
    verifier: &Verifier,
    (source, target): (&Side<'_>, &Side<'_>),
    suspects: Vec<Key>,
) -> Result<Settled, Trouble> {
    let mut settled = Settled::default();
    for chunk in suspects.chunks(KEYS_MAX) {
        let mut open = Open::new(chunk);
        let mut rounds = 0;
        while !open.keys.is_empty() && rounds < ROUNDS_MAX {
            if rounds > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            rounds += 1;
            let asked: Vec<Key> = open.keys.keys().cloned().collect();
            let before = source.rows(&asked, verifier.now().await?).await?;
            let theirs = target.rows(&asked, verifier.now().await?).await?;
            let after = source.rows(&asked, verifier.now().await?).await?;
            let look = Look {
                before: source.hashed(&before)?,
                target: target.hashed(&theirs)?,
                after: source.hashed(&after)?,
            };
            for (key, mut found) in open.take(&look, source.partition) {
                found.explain(&key, (&after, &theirs), &source.shape.primary);
                settled.differences.push(found);
            }
        }
        settled.unsettled += open.keys.len() as u64;
    }
    settled.differences.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(settled)
}

/// Three reads, one after the other.
struct Look {
    before: BTreeMap<Key, RowHash>,
    target: BTreeMap<Key, RowHash>,
    after: BTreeMap<Key, RowHash>,
}

/// Keys of which it is not known, and how often each was seen to differ.
struct Open {
    keys: BTreeMap<Key, u32>,
}

impl Open {
    fn new(keys: &[Key]) -> Self {
        Self { keys: keys.iter().map(|key| (key.clone(), 0)).collect() }
    }

    /// Takes out what is known now; answers those that differ.
    fn take(&mut self, look: &Look, partition: Option<&str>) -> Vec<(Key, Difference)> {
        let mut done = BTreeSet::new();
        let mut found = Vec::new();
        for (key, seen) in &mut self.keys {
            let (before, target, after) = (look.before.get(key), look.target.get(key), look.after.get(key));
            if target == before || target == after {
                done.insert(key.clone());
            } else if before == after {
                *seen += 1;
                if *seen >= SEEN_MIN {
                    done.insert(key.clone());
                    found.extend(difference(key, partition, after, target).map(|found| (key.clone(), found)));
                }
            } else {
                *seen = 0;
            }
        }
        self.keys.retain(|key, _| !done.contains(key));
        found
    }
}

impl Difference {
    /// Adds the first field in which both rows differ.
    fn explain(&mut self, key: &Key, columns: (&[FieldData], &[FieldData]), primary: &str) {
        if let Some((field, source, target)) = first_difference(key, columns, primary) {
            let place = self.text.strip_suffix(": other values").unwrap_or(&self.text);
            self.text = format!("{place}, field {field}: source {source}, target {target}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn read(rows: &[(i64, u8)]) -> BTreeMap<Key, RowHash> {
        rows.iter().map(|(key, value)| (Key::Int(*key), [*value; 16])).collect()
    }

    fn look(before: &[(i64, u8)], target: &[(i64, u8)], after: &[(i64, u8)]) -> Look {
        Look { before: read(before), target: read(target), after: read(after) }
    }

    #[test]
    fn what_the_target_shows_may_be_what_the_source_had_before_or_after() {
        let mut open = Open::new(&[Key::Int(1), Key::Int(2), Key::Int(3)]);
        let found = open.take(&look(&[(1, 1), (2, 1)], &[(1, 1), (2, 2), (3, 3)], &[(2, 2), (3, 3)]), None);
        assert!(found.is_empty() && open.keys.is_empty());
    }

    #[test]
    fn a_difference_counts_when_the_source_stood_still_and_it_was_seen_twice() {
        let mut open = Open::new(&[Key::Int(1), Key::Int(2)]);
        let lost = look(&[(1, 1)], &[(2, 5)], &[(1, 1)]);
        assert!(open.take(&lost, None).is_empty());
        // In between the source changes: it is counted anew.
        assert!(
            open.take(&look(&[(1, 1)], &[(2, 5)], &[(1, 2)]), None)[0]
                .1
                .text
                .starts_with("at the target only")
        );
        assert!(open.take(&lost, None).is_empty());
        let found = open.take(&lost, Some("p"));
        assert_eq!(found[0].1.text, "missing at the target: key 1 in partition p");
        assert!(open.keys.is_empty());
    }

    #[test]
    fn what_changes_all_the_time_stays_open() {
        let mut open = Open::new(&[Key::Int(1)]);
        for value in 0..20 {
            assert!(open.take(&look(&[(1, value)], &[(1, 99)], &[(1, value + 1)]), None).is_empty());
        }
        assert_eq!(open.keys.len(), 1);
    }
}
