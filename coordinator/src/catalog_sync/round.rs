//! One round for one task: everything that the source's catalog asks for now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures::{FutureExt, StreamExt};
use harrier_milvus::catalog::{CatalogSnapshot, SourceCollection};
use tokio::time::Instant;

use super::collections::{self, Bringing};
use super::confirmed::ConfirmedTarget;
use super::drops::{self, Held};
use super::membership::Membership;
use super::names::TargetName;
use super::partitions::{self, Creating, PartitionRules};
use super::plan::{Plan, Wanted, plan};
use super::ports::{Connector, Coordination, SourceReads, TargetCatalog};
use super::renames::{Renaming, Seen};
use super::selection::Selection;
use super::{Names, Problem, databases, lost, misplaced, unfinished};
use crate::registry::{CollectionMapping, Command, PartitionMapping, Refusal, Reply, Task, TaskState};

/// Collections brought at the same time; the target's root coordinator works them off one by one anyway.
const BRINGING_MAX: usize = 4;

/// What a task's loop keeps from round to round.
pub(super) struct Tools {
    pub(super) coordination: Arc<dyn Coordination>,
    pub(super) source: Arc<dyn SourceReads>,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) default_partition_name: String,
}

/// What a round learns for the next ones.
#[derive(Default)]
pub(super) struct Memory {
    /// Shared with the loop of the task's metadata.
    names: Names,
    target: Option<Arc<dyn TargetCatalog>>,
    /// Target collections that this loop created itself.
    created: Mutex<BTreeSet<i64>>,
    /// Collections that are to be renamed.
    seen: Seen,
    unfinished: unfinished::KnownSince,
    /// When the names of the target's collections were looked at.
    names_looked_at: Option<Instant>,
    membership: Membership,
}

impl Memory {
    pub(super) fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }
}

/// How a round went.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) problems: Vec<Problem>,
    /// Something that is known to come was not there yet: look again soon.
    pub(super) look_again: bool,
}

/// Runs one round. An error is one that stopped it.
pub(super) async fn run(
    tools: &Tools,
    memory: &mut Memory,
    task: &Task,
    snapshot: &CatalogSnapshot,
) -> Result<Outcome, Problem> {
    let selection = Selection::new(&task.spec);
    let mappings = tools.coordination.mappings(&task.id);
    let missing = unknown_partitions(tools.coordination.missing_partitions(&task.id), &mappings);
    let lost = living(tools.coordination.lost(&task.id), &mappings);
    let membership = &mut memory.membership;
    let members = membership.decide(tools, (task, &selection), snapshot, &mappings).await?;
    let first = plan(&task.spec, &selection, snapshot, members.known(&mappings));
    let nothing_to_drop = tools.coordination.drops(&task.id).is_empty()
        && unfinished::gone(&*tools.coordination, &task.id, snapshot).is_empty();
    let looked_lately = memory.names_looked_at.is_some_and(|at| at.elapsed() < misplaced::LOOK_EVERY);
    let look_at_names = !looked_lately && misplaced::any_at_risk(mappings.values());
    let nothing_to_do = first.is_empty()
        && !members.is_news
        && missing.is_empty()
        && lost.is_empty()
        && nothing_to_drop
        && !look_at_names;
    if task.state == TaskState::Running && nothing_to_do {
        return Ok(Outcome { problems: first.problems, look_again: false });
    }
    // From here on things are done: only by a leader that is one, and on what was decided before.
    tools.coordination.linearizable().await?;
    let coordination = &*tools.coordination;
    let mappings = coordination.mappings(&task.id);
    let members = membership.decide(tools, (task, &selection), snapshot, &mappings).await?;
    members.record(coordination, &task.id).await?;
    let planned = |mappings| plan(&task.spec, &selection, snapshot, members.known(mappings));
    let gone = planned(&mappings);
    drops::record(coordination, &*tools.source, &task.id, snapshot, &gone).await?;
    let mappings = coordination.mappings(&task.id);
    let plan = planned(&mappings);
    let target = match &memory.target {
        Some(target) => target.clone(),
        None => {
            let target = tools.connector.connect(task).await?;
            let (coordination, names) = (tools.coordination.clone(), memory.names.clone());
            memory.target.insert(Arc::new(ConfirmedTarget::new(target, coordination, names))).clone()
        }
    };
    if look_at_names {
        let at = tools.source.timestamp_upper_bound().await?;
        misplaced::give_back(&*target, mappings.values(), at).await?;
        memory.names_looked_at = Some(Instant::now());
    }
    let unfinished = unfinished::gone(coordination, &task.id, snapshot);
    let count = unfinished.len();
    let waiting = unfinished::work(coordination, &*target, unfinished, &mut memory.unfinished).await?;
    if waiting.len() < count {
        // Names are now held, and mappings there, that this round did not plan with.
        return Ok(Outcome { problems: plan.problems, look_again: true });
    }
    let mut problems = drops::work(coordination, &*tools.source, &*target, &task.id).await?;
    let renaming = Renaming {
        task_id: &task.id,
        coordination,
        source: &*tools.source,
        target: &*target,
        mappings: &mappings,
    };
    let renamed = renaming.work(&plan.renamed, &mut memory.seen).await?;
    problems.extend(renamed.problems);
    if renamed.changed {
        // This round planned with the old names.
        return Ok(Outcome { problems, look_again: true });
    }
    let is_waiting = !waiting.is_empty();
    let held = Held::new(&coordination.drops(&task.id), &plan.renamed, waiting);
    let names_change = !plan.renamed.is_empty();
    let round = Round {
        tools,
        task,
        selection: &selection,
        snapshot,
        mappings: &mappings,
        target: &*target,
        created: &memory.created,
        held,
    };
    let mut outcome = round.all(plan, missing, &living(lost, &mappings)).await?;
    outcome.problems.extend(problems);
    // Its rows leave or arrive soon, and names become free.
    outcome.look_again |= names_change || is_waiting || !coordination.drops(&task.id).is_empty();
    Ok(outcome)
}

/// Shards wait for these, and no mapping names them.
fn unknown_partitions(
    mut missing: BTreeMap<i64, BTreeSet<i64>>,
    mappings: &BTreeMap<i64, CollectionMapping>,
) -> BTreeMap<i64, BTreeSet<i64>> {
    missing.retain(|collection, ids| {
        let Some(mapping) = mappings.get(collection).filter(|mapping| !mapping.dropped) else { return false };
        ids.retain(|id| *id >= 0 && !mapping.partitions.contains_key(id));
        !ids.is_empty()
    });
    missing
}

/// Those that the source still has.
fn living(mut lost: BTreeSet<i64>, mappings: &BTreeMap<i64, CollectionMapping>) -> BTreeSet<i64> {
    lost.retain(|id| mappings.get(id).is_some_and(|mapping| !mapping.dropped));
    lost
}

struct Round<'a> {
    tools: &'a Tools,
    task: &'a Task,
    selection: &'a Selection,
    snapshot: &'a CatalogSnapshot,
    mappings: &'a BTreeMap<i64, CollectionMapping>,
    target: &'a dyn TargetCatalog,
    created: &'a Mutex<BTreeSet<i64>>,
    /// Names that are to become free.
    held: Held,
}

impl Round<'_> {
    async fn all(
        &self,
        plan: Plan<'_>,
        missing: BTreeMap<i64, BTreeSet<i64>>,
        lost: &BTreeSet<i64>,
    ) -> Result<Outcome, Problem> {
        let mut outcome = Outcome { problems: plan.problems, look_again: false };
        let mut wanted = self.with_database(plan.collections, &mut outcome.problems).await?;
        self.go_on_where_begun(&mut wanted);
        wanted.retain(|wanted| !self.held.holds_collection(&wanted.name));
        let jobs: Vec<_> = wanted.iter().map(|wanted| self.collection(wanted).boxed()).collect();
        let brought: Vec<Vec<Problem>> =
            futures::stream::iter(jobs).buffer_unordered(BRINGING_MAX).collect().await;
        outcome.problems.extend(brought.into_iter().flatten());
        for source_id in lost {
            outcome.problems.extend(self.lost(*source_id).await);
        }
        for (source, new) in plan.partitions.into_iter().filter(|(source, _)| !lost.contains(&source.id)) {
            if !self.still_runs() {
                return Ok(outcome);
            }
            let problems = self.partitions(source, &new).await.into_iter();
            outcome.problems.extend(problems.map(|problem| problem.about(source)));
        }
        for (collection_id, ids) in missing {
            match self.missing(collection_id, &ids).await {
                Ok(still_missing) => outcome.look_again |= still_missing,
                Err(problem) => outcome.problems.push(problem),
            }
        }
        Ok(outcome)
    }

    /// A paused or deleted task does nothing at its target, not even the rest of a round.
    fn still_runs(&self) -> bool {
        let task = self.tools.coordination.task(&self.task.id);
        task.is_some_and(|task| task.created_ms == self.task.created_ms)
    }

    fn rules(&self) -> PartitionRules<'_> {
        PartitionRules {
            ignore_partition: self.task.spec.target.ignore_partition,
            default_partition_name: &self.tools.default_partition_name,
        }
    }

    /// Creates the databases that are needed; collections whose database cannot be had are left out.
    async fn with_database<'w>(
        &self,
        mut wanted: Vec<Wanted<'w>>,
        problems: &mut Vec<Problem>,
    ) -> Result<Vec<Wanted<'w>>, Problem> {
        let names: BTreeSet<&str> = wanted.iter().map(|wanted| wanted.name.db.as_str()).collect();
        let at = wanted.iter().map(|wanted| wanted.source.created_ts).min().unwrap_or_default();
        let failed = databases::ensure(self.target, names, at).await?;
        wanted.retain(|wanted| !failed.iter().any(|(db, _)| *db == wanted.name.db));
        problems.extend(failed.into_iter().map(|(_, problem)| problem));
        Ok(wanted)
    }

    /// What a leader began under a name of before is found under that, mapped, and renamed then.
    fn go_on_where_begun(&self, wanted: &mut [Wanted<'_>]) {
        for creation in self.tools.coordination.creations(&self.task.id) {
            let of_it = |wanted: &&mut Wanted<'_>| wanted.source.id == creation.source_collection_id;
            if let Some(wanted) = wanted.iter_mut().find(of_it).filter(|_| creation.partition.is_none()) {
                wanted.name = TargetName { db: creation.target_db, collection: creation.target_name };
            }
        }
    }

    fn bringing(&self) -> Bringing<'_> {
        Bringing {
            task_id: &self.task.id,
            coordination: &*self.tools.coordination,
            source: &*self.tools.source,
            target: self.target,
            mappings: self.mappings,
            rules: self.rules(),
            created: self.created,
        }
    }

    async fn collection(&self, wanted: &Wanted<'_>) -> Vec<Problem> {
        if !self.still_runs() {
            return Vec::new();
        }
        let about = |problem: Problem| problem.about(wanted.source);
        let (mapping, problems) = match collections::bring(&self.bringing(), wanted).await {
            Ok(brought) => brought,
            Err(problem) => return vec![about(problem)],
        };
        let mut problems: Vec<Problem> = problems.into_iter().map(about).collect();
        let (source_id, target_id) = (mapping.source_id, mapping.target_id);
        match self.commit(Command::MapCollection { mapping: Box::new(mapping) }).await {
            Ok(()) => tracing::info!(
                task = self.task.id,
                source_id,
                target_id,
                source = %format_args!("{}.{}", wanted.source.db_name, wanted.source.name),
                target = %wanted.name,
                "mapped a collection"
            ),
            Err(problem) => problems.push(problem),
        }
        problems
    }

    /// A collection whose senders miss something at the target.
    async fn lost(&self, source_id: i64) -> Vec<Problem> {
        let (source, former) = (self.snapshot.collections.get(&source_id), self.mappings.get(&source_id));
        let (Some(source), Some(former)) = (source, former) else { return Vec::new() };
        if !self.still_runs() {
            return Vec::new();
        }
        let about = |problem: Problem| problem.about(source);
        // Whoever created it: by now it may hold rows.
        let (nothing, bringing) = (Mutex::default(), self.bringing());
        let bringing = Bringing { created: &nothing, ..bringing };
        let (mapping, problems) = match lost::map_anew(&bringing, source, former, self.selection).await {
            Ok(Some(mapped)) => mapped,
            Ok(None) => return Vec::new(),
            Err(problem) => return vec![about(problem)],
        };
        let mut problems: Vec<Problem> = problems.into_iter().map(about).collect();
        let (former_id, target_id) = (former.target_id, mapping.target_id);
        match self.commit(Command::RemapCollection { mapping: Box::new(mapping) }).await {
            Ok(()) => tracing::warn!(
                task = self.task.id,
                source_id,
                former_id,
                target_id,
                "what was dropped at the target is there again, the collection is copied anew"
            ),
            Err(problem) => problems.push(problem),
        }
        problems
    }

    async fn partitions(&self, source: &SourceCollection, new: &[i64]) -> Vec<Problem> {
        let Some(mapping) = self.mappings.get(&source.id) else { return Vec::new() };
        let name = TargetName { db: mapping.target_db.clone(), collection: mapping.target_name.clone() };
        let mut wanted: Vec<_> = new.iter().filter_map(|id| source.partitions.get(id)).collect();
        wanted.retain(|partition| !self.held.holds_partition(source.id, &partition.name));
        if wanted.is_empty() {
            return Vec::new();
        }
        let paired = partitions::counterparts(
            self.target,
            Creating { coordination: &*self.tools.coordination, task_id: &self.task.id },
            &name,
            source,
            &wanted,
            &mapping.partitions,
            self.rules(),
        )
        .await;
        let mut paired = match paired {
            Ok(paired) => paired,
            Err(problem) => return vec![problem.of(format_args!("partitions of {name}"))],
        };
        if !paired.found.is_empty()
            && let Err(problem) = self.map_partitions(source.id, paired.found).await
        {
            paired.problems.push(problem);
        }
        paired.problems
    }

    /// Partitions that a worker saw on the log and the registry does not know. The report came before the read, so what
    /// the read does not show is gone. True if some will be known by the catalog soon.
    async fn missing(&self, collection_id: i64, ids: &BTreeSet<i64>) -> Result<bool, Problem> {
        let shown = self.snapshot.collections.get(&collection_id).map(|source| &source.partitions);
        let is_shown =
            |id: &&i64| shown.is_some_and(|shown| shown.get(*id).is_some_and(|seen| !seen.state.is_gone()));
        let unseen: Vec<i64> = ids.iter().filter(|id| !is_shown(id)).copied().collect();
        if unseen.is_empty() {
            return Ok(false);
        }
        let living = self.tools.source.living_partitions(collection_id).await?;
        let name =
            |id: &i64| shown.and_then(|shown| shown.get(id)).map_or("", |partition| partition.name.as_str());
        let gone: BTreeMap<i64, PartitionMapping> = unseen
            .iter()
            .filter(|id| !living.contains(id))
            .map(|id| (*id, partitions::dropped(name(id))))
            .collect();
        let some_are_there = gone.len() < unseen.len();
        if !gone.is_empty() {
            tracing::info!(task = self.task.id, collection_id, partitions = ?gone.keys(), "partitions are gone from the source");
            self.map_partitions(collection_id, gone).await?;
        }
        Ok(some_are_there)
    }

    async fn map_partitions(
        &self,
        source_collection_id: i64,
        partitions: BTreeMap<i64, PartitionMapping>,
    ) -> Result<(), Problem> {
        let task_id = self.task.id.clone();
        self.commit(Command::MapPartitions { task_id, source_collection_id, partitions }).await
    }

    async fn commit(&self, command: Command) -> Result<(), Problem> {
        commit(&*self.tools.coordination, command).await
    }
}

/// A stale command is no trouble: the next round plans with what is there by then.
pub(super) async fn commit(coordination: &dyn Coordination, command: Command) -> Result<(), Problem> {
    match coordination.propose(command).await? {
        Reply::Done | Reply::Existing(_) | Reply::Refused(Refusal::Stale | Refusal::TaskNotFound(_)) => {
            Ok(())
        }
        Reply::Refused(refusal) => Err(Problem::bug(format!("the registry refused a mapping: {refusal:?}"))),
    }
}
