//! One collection: what the target shows, what follows from it, step by step until nothing is left that can be done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use harrier_milvus::catalog::{CatalogSnapshot, SourceCollection};
use harrier_milvus::client::{ClientError, CollectionDescription, MetadataChange};
use harrier_milvus::error::ErrorClass;

use super::super::round::commit;
use super::super::{Names, Problem};
use super::plan::{AtTarget, Collection, Plan, Step, plan};
use super::ports::MetadataTarget;
use super::problem::MetadataProblem;
use super::properties::by_key;
use super::round::Tools;
use super::waits::Waits;
use crate::registry::{CollectionMapping, Command, MetadataItem, Task};

/// Steps that follow from other steps; more than any collection needs.
const PASSES_MAX: usize = 16;
/// When to look again at what waits for rows.
const WAITING: Duration = Duration::from_millis(250);
/// When to try again what the target refused for the time being.
const PASSING: Duration = Duration::from_secs(5);
/// Names of what is on its way to another name, or out.
const HIDDEN: &str = "_harrier_";

/// What the work on one task's metadata goes on with.
pub(super) struct With<'a> {
    pub(super) tools: &'a Tools,
    pub(super) task: &'a Task,
    pub(super) snapshot: &'a CatalogSnapshot,
    pub(super) target: &'a dyn MetadataTarget,
    pub(super) names: &'a Names,
}

/// How it went.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) problems: Vec<MetadataProblem>,
    /// Look again after this long, though nothing may have changed.
    pub(super) again: Option<Duration>,
}

impl Outcome {
    fn again(&mut self, after: Duration) {
        self.again = Some(self.again.map_or(after, |other| other.min(after)));
    }

    /// What the plan says that cannot be done.
    pub(super) fn told(plan: &Plan) -> Self {
        let obstacles = plan.obstacles.iter().map(|obstacle| MetadataProblem {
            operation: obstacle.operation,
            object: obstacle.object.clone(),
            message: obstacle.reason.clone(),
            class: ErrorClass::Operator,
        });
        Self { problems: obstacles.collect(), again: None }
    }

    /// What was refused a moment ago and is still to be done.
    fn still(&mut self, plan: &Plan, refused: &BTreeMap<MetadataChange, MetadataProblem>) {
        let wanted = |change: &MetadataChange| plan.steps.iter().any(|step| step.change == *change);
        let still = refused.iter().filter(|(change, _)| wanted(change));
        self.problems.extend(still.map(|(_, problem)| problem.clone()));
        if self.problems.iter().any(|problem| problem.class == ErrorClass::Transient) {
            self.again(PASSING);
        }
    }

    /// The two together.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.problems.extend(other.problems);
        other.again.into_iter().for_each(|after| self.again(after));
        self
    }
}

impl With<'_> {
    /// A paused or deleted task does nothing at its target.
    pub(super) fn still_runs(&self) -> bool {
        let task = self.tools.coordination.task(&self.task.id);
        task.is_some_and(|task| task.created_ms == self.task.created_ms)
    }

    /// Remembers what the task knows, before anything follows from it.
    pub(super) async fn note(
        &self,
        known: &BTreeSet<MetadataItem>,
        forgotten: &BTreeSet<MetadataItem>,
    ) -> Result<(), Problem> {
        if known.is_empty() && forgotten.is_empty() {
            return Ok(());
        }
        let (known, forgotten) = (known.clone(), forgotten.clone());
        let command = Command::NoteMetadata { task_id: self.task.id.clone(), known, forgotten };
        commit(&*self.tools.coordination, command).await
    }

    /// Asks for one change. `Ok(Err(..))`: refused; the rest can go on.
    pub(super) async fn change(
        &self,
        change: &MetadataChange,
    ) -> Result<Result<(), MetadataProblem>, Problem> {
        let at = self.tools.source.timestamp_upper_bound().await?;
        self.tools.coordination.linearizable().await?;
        let (task, operation) = (&self.task.id, change.name());
        match self.target.change(change, at).await {
            Ok(()) => {
                tracing::info!(task, operation, object = %change, "changed the target's metadata");
                Ok(Ok(()))
            }
            Err(
                error @ (ClientError::Unavailable { .. }
                | ClientError::Deadline { .. }
                | ClientError::NotAsked { .. }),
            ) => Err(error.into()),
            Err(error) => {
                self.tools.coordination.count_refused(task, operation);
                let (class, message, object) = (error.class(), error.to_string(), change.to_string());
                Ok(Err(MetadataProblem { operation, object, message, class }))
            }
        }
    }
}

/// Does what can be done now. An error is one that concerns the target as a whole.
pub(super) async fn work(
    with: &With<'_>,
    (source, mapping): (&SourceCollection, &CollectionMapping),
    waits: &mut Waits,
) -> Result<Outcome, Problem> {
    let mut refused: BTreeMap<MetadataChange, MetadataProblem> = BTreeMap::new();
    for _ in 0..PASSES_MAX {
        if !with.still_runs() {
            return Ok(Outcome::default());
        }
        // Whoever changes names waits: from here on the name leads to the collection of the mapping.
        let _names = with.names.lock().await;
        let Some(target) = at_target(with, mapping).await? else { return Ok(Outcome::default()) };
        if target.name.starts_with(HIDDEN) {
            return Ok(Outcome { again: Some(WAITING), ..Outcome::default() });
        }
        let known = with.tools.coordination.metadata(&with.task.id);
        let collection = Collection {
            source,
            metadata: &with.snapshot.metadata,
            mapping,
            known: &known,
            target: &target,
            refused: &refused.keys().cloned().collect(),
            ignore_partition: with.task.spec.target.ignore_partition,
        };
        let plan = plan(&collection);
        waits.retain(source.id, |change| plan.steps.iter().any(|step| step.change == *change));
        with.note(&plan.known, &plan.forgotten).await?;
        let mut outcome = Outcome::told(&plan);
        outcome.still(&plan, &refused);
        let before = refused.len();
        let changed = steps(with, source.id, &plan.steps, waits, &mut refused, &mut outcome).await?;
        // What is refused is not asked for again here, and what depends on it is told.
        if !changed && refused.len() == before {
            return Ok(outcome);
        }
    }
    tracing::warn!(collection = source.id, "the metadata of a collection does not come to rest");
    Ok(Outcome { again: Some(PASSING), ..Outcome::default() })
}

/// Makes the steps that can be made; answers whether any was.
async fn steps(
    with: &With<'_>,
    source_id: i64,
    steps: &[Step],
    waits: &mut Waits,
    refused: &mut BTreeMap<MetadataChange, MetadataProblem>,
    outcome: &mut Outcome,
) -> Result<bool, Problem> {
    let (coordination, source) = (&*with.tools.coordination, &*with.tools.source);
    let mut changed = false;
    for Step { change, waits: for_rows } in steps {
        if refused.contains_key(change) {
            continue;
        }
        if *for_rows && !waits.are_over(coordination, source, &with.task.id, (source_id, change)).await? {
            outcome.again(WAITING);
            continue;
        }
        if !with.still_runs() {
            return Ok(false);
        }
        match with.change(change).await? {
            Ok(()) => changed = true,
            Err(problem) => {
                if problem.class == ErrorClass::Transient {
                    outcome.again(PASSING);
                }
                outcome.problems.push(problem.clone());
                refused.insert(change.clone(), problem);
            }
        }
    }
    Ok(changed)
}

/// `None` if the target does not have it (any more).
async fn at_target(with: &With<'_>, mapping: &CollectionMapping) -> Result<Option<AtTarget>, Problem> {
    match observe(with.target, mapping).await {
        Ok((description, target)) => Ok((description.id == mapping.target_id).then_some(target)),
        Err(ClientError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn observe(
    target: &dyn MetadataTarget,
    mapping: &CollectionMapping,
) -> Result<(CollectionDescription, AtTarget), ClientError> {
    let db = &mapping.target_db;
    let description = target.describe_by_id(db, mapping.target_id).await?;
    let indexes = target.indexes(db, &description.name).await?;
    let load = target.load(db, &description.name, description.id).await?;
    let properties = by_key(&description.properties);
    let at_target = AtTarget { name: description.name.clone(), indexes, load, properties };
    Ok((description, at_target))
}
