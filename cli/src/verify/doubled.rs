//! Rows that are there more often on one side than on the other. A query shows such a row once; only a count tells.

use std::collections::BTreeMap;

use super::key::Key;
use super::report::Difference;
use super::row::RowHash;
use super::side::Side;
use super::{Trouble, Verifier};

/// Keys that are counted in one query.
const KEYS_MAX: usize = 512;
/// So many of one page are named.
const FOUND_MAX: usize = 5;
/// A difference has to be seen so often, with a source that stands still.
const SEEN_MIN: u32 = 2;
const ROUNDS_MAX: u32 = 12;

/// Rows of one page that are doubled on one side only.
pub(super) async fn find(
    verifier: &Verifier,
    sides: (&Side<'_>, &Side<'_>),
    (after, until): (Option<&Key>, Option<&Key>),
    (ours, theirs): (&BTreeMap<Key, RowHash>, &BTreeMap<Key, RowHash>),
) -> Result<Vec<Difference>, Trouble> {
    let (source, target) = sides;
    let (counted, there) = tokio::join!(
        source.count_between(after, until, verifier.at),
        target.count_between(after, until, verifier.at)
    );
    // Rows that came meanwhile make these differ as well; the search below finds nothing then.
    let excess = |counted: u64, rows: usize| i128::from(counted) - rows as i128;
    if excess(counted?, ours.len()) == excess(there?, theirs.len()) {
        return Ok(Vec::new());
    }
    let keys: Vec<Key> = theirs.keys().filter(|key| ours.contains_key(*key)).cloned().collect();
    let mut open: Vec<&[Key]> = keys.chunks(KEYS_MAX).rev().collect();
    let mut found = Vec::new();
    while let Some(keys) = open.pop() {
        if found.len() >= FOUND_MAX {
            break;
        }
        let (before, there) =
            (source.count_of(keys, verifier.at).await?, target.count_of(keys, verifier.at).await?);
        if before == there {
            continue;
        }
        if let [key] = keys {
            found.extend(confirm(verifier, sides, key).await?);
        } else {
            let (left, right) = keys.split_at(keys.len() / 2);
            open.extend([right, left]);
        }
    }
    Ok(found)
}

async fn confirm(
    verifier: &Verifier,
    (source, target): (&Side<'_>, &Side<'_>),
    key: &Key,
) -> Result<Option<Difference>, Trouble> {
    let one = std::slice::from_ref(key);
    let mut seen = 0;
    for _ in 0..ROUNDS_MAX {
        let before = source.count_of(one, verifier.now().await?).await?;
        let there = target.count_of(one, verifier.now().await?).await?;
        let after = source.count_of(one, verifier.now().await?).await?;
        if there == before || there == after {
            return Ok(None);
        }
        seen = if before == after { seen + 1 } else { 0 };
        if seen >= SEEN_MIN {
            let text = format!("key {key} is there {there} times at the target, {after} times at the source");
            return Ok(Some(Difference { key: Some(key.clone()), text }));
        }
    }
    Ok(None)
}
