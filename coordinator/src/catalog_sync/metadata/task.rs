//! What is not of one collection: databases, aliases, users and roles of a task.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use harrier_milvus::catalog::ObjectState;
use harrier_milvus::client::{ClientError, MetadataChange};
use harrier_milvus::error::ErrorClass;

use super::super::Problem;
use super::super::drops::same_source;
use super::super::names::target_name;
use super::super::selection::Selection;
use super::access;
use super::aliases::{self, AliasName, AliasStep, Resolved};
use super::collection::{Outcome, With};
use super::databases::{self, Shown};
use super::plan::Plan;
use super::problem::MetadataProblem;
use super::waits::Waits;
use crate::registry::{CollectionMapping, MetadataItem};

/// When to look again at what waits for rows.
const WAITING: Duration = Duration::from_millis(250);
/// When to look again at a database that still has collections.
const LEAVING: Duration = Duration::from_secs(1);

/// Brings and drops the databases.
pub(super) async fn databases(
    with: &With<'_>,
    mappings: &BTreeMap<i64, CollectionMapping>,
) -> Result<Outcome, Problem> {
    let (task, coordination) = (with.task, &*with.tools.coordination);
    let wanted = databases::wanted(with.snapshot, &Selection::new(&task.spec), &task.spec.name_mapping);
    let known = coordination.metadata(&task.id);
    let there = with.target.databases().await?;
    let shown = Shown {
        known: &known,
        databases: &there,
        source_ids: &with
            .snapshot
            .databases
            .values()
            .filter(|one| !one.state.is_gone())
            .map(|one| one.id)
            .collect(),
        mappings,
        busy: &busy(with),
    };
    let mut plan = Plan::default();
    let drops = databases::plan(&wanted, &shown, &mut plan);
    with.note(&plan.known, &plan.forgotten).await?;
    let mut outcome = Outcome::default();
    let brought = with_collections(with);
    for step in &plan.steps {
        if !with.still_runs() {
            return Ok(outcome);
        }
        if !matches!(&step.change, MetadataChange::CreateDatabase { db } if brought.contains(db)) {
            outcome.problems.extend(with.change(&step.change).await?.err());
        }
    }
    if !drops.is_empty() {
        same_source(coordination, &*with.tools.source, &task.id).await?;
    }
    for (item, db) in drops {
        if !with.still_runs() {
            return Ok(outcome);
        }
        drop_database(with, &item, &db, &mut outcome).await?;
    }
    // What is still to be dropped in a database is done by the other loop.
    let waits = known
        .iter()
        .any(|item| matches!(item, MetadataItem::Database { id, .. } if !shown.source_ids.contains(id)));
    if waits {
        outcome.again = Some(LEAVING);
    }
    Ok(outcome)
}

async fn drop_database(
    with: &With<'_>,
    item: &MetadataItem,
    db: &str,
    outcome: &mut Outcome,
) -> Result<(), Problem> {
    let change = MetadataChange::DropDatabase { db: db.to_owned() };
    let own = match with.target.collections(db).await {
        Ok(own) => own,
        Err(ClientError::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    if !own.is_empty() {
        outcome.problems.push(MetadataProblem {
            operation: change.name(),
            object: change.to_string(),
            message: format!(
                "the source has dropped it, and the target has collections in it that did not come from there: {}; \
                 drop or move them",
                own.join(", ")
            ),
            class: ErrorClass::Operator,
        });
        return Ok(());
    }
    match with.change(&change).await? {
        Ok(()) => with.note(&BTreeSet::new(), &[item.clone()].into()).await?,
        Err(problem) => outcome.problems.push(problem),
    }
    Ok(())
}

/// Databases of the target that the other loop makes, with the first collection.
fn with_collections(with: &With<'_>) -> BTreeSet<String> {
    let spec = &with.task.spec;
    let selection = Selection::new(spec);
    let living = with.snapshot.collections.values().filter(|source| source.state == ObjectState::Created);
    let selected = living.filter(|source| selection.filter(&source.db_name, &source.name).is_some());
    selected.map(|source| target_name(&spec.name_mapping, &source.db_name, &source.name).db).collect()
}

/// Databases of the target in which something is on its way.
fn busy(with: &With<'_>) -> BTreeSet<String> {
    let (coordination, task_id) = (&*with.tools.coordination, &with.task.id);
    let drops = coordination.drops(task_id).into_iter().map(|work| work.drop.target_db);
    let creations = coordination.creations(task_id).into_iter().map(|creation| creation.target_db);
    drops.chain(creations).collect()
}

/// Brings, moves and drops the aliases.
pub(super) async fn aliases(
    with: &With<'_>,
    mappings: &BTreeMap<i64, CollectionMapping>,
    waits: &mut Waits,
) -> Result<Outcome, Problem> {
    let coordination = &*with.tools.coordination;
    let wanted = aliases::wanted(with.snapshot, mappings);
    let known = coordination.metadata(&with.task.id);
    let names = aliases::names(&wanted, &known);
    if names.is_empty() {
        return Ok(Outcome::default());
    }
    // Whoever changes names waits until this is through.
    let _names = with.names.lock().await;
    let found = resolve(with, names).await?;
    let mut plan = Plan::default();
    let steps = aliases::plan(&wanted, &known, mappings, &found, &mut plan);
    with.note(&plan.known, &plan.forgotten).await?;
    if steps.iter().any(|step| step.since.is_none()) {
        same_source(coordination, &*with.tools.source, &with.task.id).await?;
    }
    let mut outcome = Outcome::told(&plan);
    let is_wanted = |change: &MetadataChange| steps.iter().any(|step| step.change == *change);
    waits.retain_aliases(is_wanted);
    for step in &steps {
        if !with.still_runs() {
            return Ok(outcome);
        }
        if !has_arrived(with, step, waits).await? {
            outcome.again = Some(WAITING);
            continue;
        }
        match with.change(&step.change).await? {
            // What is done is seen, and forgotten where it is gone, by the next look.
            Ok(()) => outcome.again = Some(WAITING),
            Err(problem) => outcome.problems.push(problem),
        }
    }
    Ok(outcome)
}

/// Whether the collection of an alias has all that was written before.
async fn has_arrived(with: &With<'_>, step: &AliasStep, waits: &mut Waits) -> Result<bool, Problem> {
    let (coordination, task_id) = (&*with.tools.coordination, &with.task.id);
    match step.since {
        Some(since) => {
            let confirmed = coordination.confirmed(task_id, step.source_id);
            Ok(confirmed.is_none_or(|confirmed| confirmed >= since))
        }
        None => {
            let key = (step.source_id, &step.change);
            waits.are_over(coordination, &*with.tools.source, task_id, key).await
        }
    }
}

async fn resolve(
    with: &With<'_>,
    names: BTreeSet<AliasName>,
) -> Result<BTreeMap<AliasName, Resolved>, Problem> {
    let mut found = BTreeMap::new();
    for (db, alias) in names {
        match with.target.describe(&db, &alias).await {
            Ok(description) => {
                let resolved = Resolved { target_id: description.id, collection: description.name };
                found.insert((db, alias), resolved);
            }
            Err(ClientError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Brings and takes away roles, their members and their privileges.
pub(super) async fn access(with: &With<'_>) -> Result<Outcome, Problem> {
    let (task, coordination) = (with.task, &*with.tools.coordination);
    let wanted = access::wanted(&with.snapshot.metadata.access, &task.spec.name_mapping);
    let there = match with.target.access().await {
        Ok(there) => there,
        Err(error) => return refused_to_show(error),
    };
    let mut plan = Plan::default();
    access::plan(&wanted, &coordination.metadata(&task.id), &there, &mut plan);
    with.note(&plan.known, &plan.forgotten).await?;
    if plan.steps.iter().any(|step| takes_away(&step.change)) {
        same_source(coordination, &*with.tools.source, &task.id).await?;
    }
    let mut outcome = Outcome::told(&plan);
    for step in &plan.steps {
        if !with.still_runs() {
            return Ok(outcome);
        }
        match with.change(&step.change).await? {
            // What was taken away is forgotten by the next look, when it is seen to be gone.
            Ok(()) => outcome.again = Some(WAITING),
            Err(problem) => outcome.problems.push(problem),
        }
    }
    Ok(outcome)
}

/// A target may not let its task's user look.
fn refused_to_show(error: ClientError) -> Result<Outcome, Problem> {
    if error.class() == ErrorClass::Transient {
        return Err(error.into());
    }
    let problem = MetadataProblem {
        operation: "SelectRole",
        object: "users and roles".to_owned(),
        message: format!("{error}; the task's user needs the role admin at the target"),
        class: error.class(),
    };
    Ok(Outcome { problems: vec![problem], again: None })
}

const fn takes_away(change: &MetadataChange) -> bool {
    matches!(
        change,
        MetadataChange::DropRole { .. }
            | MetadataChange::DeleteUser { .. }
            | MetadataChange::RemoveUserFromRole { .. }
            | MetadataChange::Revoke(_)
    )
}
