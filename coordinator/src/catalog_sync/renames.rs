//! Renames: a collection that has another name at the source gets it at the target, by its id.
//!
//! Not before the target has all that was written until the new name was seen: whoever reads there by that name expects
//! it. What waits for the old name waits as long. Two collections that swap their names go through a hidden one.

use std::collections::BTreeMap;

use harrier_milvus::client::ClientError;
use harrier_milvus::tso::Timestamp;

use super::Problem;
use super::drops::by_id;
use super::plan::Renamed;
use super::ports::{Coordination, SourceReads, TargetCatalog};
use super::round::commit;
use crate::registry::{CollectionMapping, Command};

/// The names that were seen, and a time (of the source) at which they were there. Another leader begins anew.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<i64, (String, Timestamp)>);

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) problems: Vec<Problem>,
    /// A mapping has changed.
    pub(super) changed: bool,
}

/// What renaming needs.
pub(super) struct Renaming<'a> {
    pub(super) task_id: &'a str,
    pub(super) coordination: &'a dyn Coordination,
    pub(super) source: &'a dyn SourceReads,
    pub(super) target: &'a dyn TargetCatalog,
    pub(super) mappings: &'a BTreeMap<i64, CollectionMapping>,
}

impl Renaming<'_> {
    /// Does what can be done now; the rest is looked at again by the next round.
    pub(super) async fn work(&self, renamed: &[Renamed<'_>], seen: &mut Seen) -> Result<Outcome, Problem> {
        let mut outcome = Outcome::default();
        let wanted = |id: &i64| renamed.iter().find(|one| one.source.id == *id).map(|one| &one.target_name);
        seen.0.retain(|id, (name, _)| wanted(id) == Some(name));
        if renamed.is_empty() {
            return Ok(outcome);
        }
        let now = self.source.timestamp_upper_bound().await?;
        for one in renamed {
            seen.0.entry(one.source.id).or_insert_with(|| (one.target_name.clone(), now));
        }
        for one in renamed {
            // A paused or deleted task does nothing at its target.
            if self.coordination.task(self.task_id).is_none() {
                break;
            }
            match self.one(one, seen, now).await {
                Ok(true) => {
                    self.commit(one).await?;
                    outcome.changed = true;
                }
                Ok(false) => {}
                Err(problem) => {
                    let (db, old) = (&one.mapping.target_db, &one.mapping.target_name);
                    let what = format_args!("renaming {db}.{old} to {} at the target", one.target_name);
                    outcome.problems.push(problem.of(what));
                }
            }
        }
        Ok(outcome)
    }

    /// True once the target's collection has the name, or the target does not have the collection any more.
    async fn one(&self, one: &Renamed<'_>, seen: &Seen, now: Timestamp) -> Result<bool, Problem> {
        let (db, wanted) = (&one.mapping.target_db, &one.target_name);
        let Some(found) = by_id(self.target, db, one.mapping.target_id).await? else { return Ok(true) };
        if found.name == *wanted {
            return Ok(true);
        }
        if !self.has_arrived(one.source.id, seen) {
            return Ok(false);
        }
        if !self.make_room(one, seen, now).await? {
            return Ok(false);
        }
        self.target.rename_collection(db, &found.name, wanted, now).await?;
        match by_id(self.target, db, found.id).await? {
            Some(renamed) if renamed.name != *wanted => {
                Err(Problem::transient("the target still has it under its old name"))
            }
            _ => Ok(true),
        }
    }

    /// Everything that was written until its name was seen.
    fn has_arrived(&self, source_id: i64, seen: &Seen) -> bool {
        let confirmed = self.coordination.confirmed(self.task_id, source_id);
        seen.0.get(&source_id).is_some_and(|(_, at)| confirmed.is_none_or(|confirmed| confirmed >= *at))
    }

    /// False while the name is held by what leaves it by itself.
    async fn make_room(&self, one: &Renamed<'_>, seen: &Seen, now: Timestamp) -> Result<bool, Problem> {
        let (db, wanted) = (&one.mapping.target_db, &one.target_name);
        let holder = match self.target.describe_collection(db, wanted).await {
            Err(ClientError::NotFound { .. }) => return Ok(true),
            Err(error) => return Err(error.into()),
            Ok(holder) => holder,
        };
        if holder.name != *wanted {
            return Err(Problem::operator(format!(
                "that is an alias of {db}.{} there; drop the alias at the target",
                holder.name
            )));
        }
        let drops = self.coordination.drops(self.task_id);
        if drops.iter().any(|work| work.drop.target_collection_id == holder.id) {
            return Ok(false);
        }
        // A living mapping names it, so it has to leave that name, too: the source has one collection of a name.
        let other = self.mappings.values().find(|mapping| mapping.target_id == holder.id && !mapping.dropped);
        let Some(other) = other else {
            return Err(Problem::operator(
                "another collection has that name there; rename or drop that one at the target",
            ));
        };
        if !self.has_arrived(other.source_id, seen) {
            return Ok(false);
        }
        let hidden = format!("_harrier_rename_{}", holder.id);
        self.target.rename_collection(db, wanted, &hidden, now).await?;
        Ok(true)
    }

    async fn commit(&self, one: &Renamed<'_>) -> Result<(), Problem> {
        let (source_id, name) = (one.source.id, &one.target_name);
        tracing::info!(task = self.task_id, source_id, name, "renamed a collection at the target");
        let command = Command::RenameMapping {
            task_id: self.task_id.to_owned(),
            source_collection_id: source_id,
            source_name: one.source.name.clone(),
            target_name: name.clone(),
        };
        commit(self.coordination, command).await
    }
}
