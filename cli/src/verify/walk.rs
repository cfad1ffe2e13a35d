//! The rows of two sides, page by page along the primary key.

use std::collections::BTreeMap;

use super::catalog::Shapes;
use super::key::Key;
use super::report::{Difference, Outcome};
use super::row::RowHash;
use super::scope::Pair;
use super::side::{Page, Side};
use super::{Trouble, Verifier, doubled, settle};

/// So many differences of one collection are enough.
const DIFFERENCES_MAX: usize = 10_000;

/// Compares all rows of one pair.
pub(super) async fn compare(
    verifier: &Verifier,
    pair: &Pair,
    shapes: &Shapes,
    outcome: &mut Outcome,
) -> Result<(), Trouble> {
    for partition in shapes.partitions(verifier.ignore_partition) {
        let side = |what, client, name, shape| Side {
            what,
            client,
            name,
            partition,
            shape,
            timeout: verifier.timeout,
        };
        let source = side("source", &verifier.source, &pair.source, &shapes.source);
        let target = side("target", &verifier.target, &pair.target, &shapes.target);
        walk(verifier, (&source, &target), outcome).await?;
        if outcome.differences.len() >= DIFFERENCES_MAX {
            return Err(Trouble::Incomplete(format!(
                "more than {DIFFERENCES_MAX} differences, the rest was left out"
            )));
        }
    }
    Ok(())
}

async fn walk(
    verifier: &Verifier,
    (source, target): (&Side<'_>, &Side<'_>),
    outcome: &mut Outcome,
) -> Result<(), Trouble> {
    let mut after: Option<Key> = None;
    while outcome.differences.len() < DIFFERENCES_MAX {
        let rows_max = source.shape.page_rows;
        let (ours, theirs) = tokio::join!(
            source.page(after.as_ref(), rows_max, verifier.at),
            target.page(after.as_ref(), rows_max, verifier.at)
        );
        let (mut ours, mut theirs) = (ours?, theirs?);
        let until = cut(&mut ours, &mut theirs);
        outcome.rows += ours.rows.len() as u64;
        let suspects = suspects(&ours.rows, &theirs.rows);
        let settled = settle::settle(verifier, (source, target), suspects).await?;
        outcome.differences.extend(settled.differences);
        outcome.unsettled += settled.unsettled;
        let range = (after.as_ref(), until.as_ref());
        let found = doubled::find(verifier, (source, target), range, (&ours.rows, &theirs.rows)).await?;
        outcome.differences.extend(found);
        let Some(until) = until else { break };
        after = Some(until);
    }
    Ok(())
}

/// Cuts two pages at the key up to which both are complete; `None` if both are to their ends.
fn cut(ours: &mut Page, theirs: &mut Page) -> Option<Key> {
    let end = |page: &Page| page.rows.keys().next_back().filter(|_| page.is_full).cloned();
    let until = [end(ours), end(theirs)].into_iter().flatten().min()?;
    for page in [ours, theirs] {
        let mut behind = page.rows.split_off(&until);
        if let Some(hash) = behind.remove(&until) {
            page.rows.insert(until.clone(), hash);
        }
    }
    Some(until)
}

/// Keys that only one side has, or with different rows.
fn suspects(ours: &BTreeMap<Key, RowHash>, theirs: &BTreeMap<Key, RowHash>) -> Vec<Key> {
    let differs = |(key, hash): &(&Key, &RowHash)| theirs.get(*key) != Some(*hash);
    let mut keys: Vec<Key> = ours.iter().filter(differs).map(|(key, _)| key.clone()).collect();
    keys.extend(theirs.keys().filter(|key| !ours.contains_key(*key)).cloned());
    keys.sort_unstable();
    keys
}

/// How a key differs; `None` if it does not.
pub(super) fn difference(
    key: &Key,
    partition: Option<&str>,
    ours: Option<&RowHash>,
    theirs: Option<&RowHash>,
) -> Option<Difference> {
    let place = match partition {
        Some(partition) => format!("key {key} in partition {partition}"),
        None => format!("key {key}"),
    };
    let text = match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours == theirs => return None,
        (None, None) => return None,
        (Some(_), None) => format!("missing at the target: {place}"),
        (None, Some(_)) => format!("at the target only: {place}"),
        (Some(_), Some(_)) => format!("{place}: other values"),
    };
    Some(Difference { key: Some(key.clone()), text })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn page(keys: impl IntoIterator<Item = i64>, is_full: bool) -> Page {
        Page { rows: keys.into_iter().map(|key| (Key::Int(key), [0; 16])).collect(), is_full }
    }

    fn keys(page: &Page) -> Vec<i64> {
        let number = |key: &Key| if let Key::Int(key) = key { *key } else { 0 };
        page.rows.keys().map(number).collect()
    }

    #[test]
    fn two_pages_are_compared_as_far_as_both_reach() {
        let (mut ours, mut theirs) = (page([1, 2, 3], true), page([2, 3, 9, 11], true));
        assert_eq!(cut(&mut ours, &mut theirs), Some(Key::Int(3)));
        assert_eq!((keys(&ours), keys(&theirs)), (vec![1, 2, 3], vec![2, 3]));
        let (mut ours, mut theirs) = (page([], false), page([5, 6], true));
        assert_eq!(cut(&mut ours, &mut theirs), Some(Key::Int(6)));
        let (mut ours, mut theirs) = (page([], false), page([], false));
        assert_eq!(cut(&mut ours, &mut theirs), None);
    }

    #[test]
    fn a_difference_says_where() {
        let (one, two) = ([1; 16], [2; 16]);
        let text = |ours, theirs| difference(&Key::Int(5), Some("p"), ours, theirs).map(|found| found.text);
        assert_eq!(text(Some(&one), Some(&one)), None);
        assert_eq!(text(Some(&one), None).unwrap(), "missing at the target: key 5 in partition p");
        assert_eq!(text(None, Some(&two)).unwrap(), "at the target only: key 5 in partition p");
        assert_eq!(text(Some(&one), Some(&two)).unwrap(), "key 5 in partition p: other values");
    }

    proptest! {
        /// Whatever the pages are, every key of both sides is looked at once, and what differs is found.
        #[test]
        fn pages_lose_and_repeat_nothing(ours in proptest::collection::btree_map(0..60_i64, 0..3_u8, 0..40),
                                         theirs in proptest::collection::btree_map(0..60_i64, 0..3_u8, 0..40),
                                         size in 1..7_usize) {
            let read = |all: &BTreeMap<i64, u8>, after: Option<i64>| {
                let rows: BTreeMap<Key, RowHash> = all.iter().filter(|(key, _)| after.is_none_or(|after| **key > after))
                    .take(size).map(|(key, value)| (Key::Int(*key), [*value; 16])).collect();
                Page { is_full: !rows.is_empty(), rows }
            };
            let (mut after, mut seen, mut found) = (None, Vec::new(), Vec::new());
            loop {
                let (mut left, mut right) = (read(&ours, after), read(&theirs, after));
                let until = cut(&mut left, &mut right);
                seen.extend(keys(&left));
                found.extend(suspects(&left.rows, &right.rows));
                let Some(Key::Int(until)) = until else { break };
                after = Some(until);
            }
            prop_assert_eq!(seen, ours.keys().copied().collect::<Vec<_>>());
            let all: std::collections::BTreeSet<i64> = ours.keys().chain(theirs.keys()).copied().collect();
            let expected: Vec<Key> =
                all.into_iter().filter(|key| ours.get(key) != theirs.get(key)).map(Key::Int).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
