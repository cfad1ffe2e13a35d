//! What of a limit each worker gets: as much as it has of the senders that write there. Pure.

use std::collections::{BTreeMap, BTreeSet};

use harrier_proto::harrier::v1;

use crate::registry::{Limits, State, TargetId, TaskId, TaskState};

/// Senders by target, and by task that they write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    targets: BTreeMap<TargetId, u64>,
    tasks: BTreeMap<TaskId, u64>,
}

impl Counts {
    /// One more sender.
    pub(crate) fn add<'a>(&mut self, target_id: &str, tasks: impl Iterator<Item = &'a str>) {
        *self.targets.entry(target_id.to_owned()).or_default() += 1;
        for task_id in tasks.collect::<BTreeSet<&str>>() {
            *self.tasks.entry(task_id.to_owned()).or_default() += 1;
        }
    }

    /// Those of another count, too.
    pub(crate) fn add_all(&mut self, other: &Counts) {
        for (id, count) in &other.targets {
            *self.targets.entry(id.clone()).or_default() += count;
        }
        for (id, count) in &other.tasks {
            *self.tasks.entry(id.clone()).or_default() += count;
        }
    }

    fn writes_to(&self, target_id: &str) -> bool {
        self.targets.contains_key(target_id)
    }
}

/// What a worker with these senders may do. `all`: the senders of all workers. `workers`: their counts, in order, with
/// its own among them, at `number`.
pub(crate) fn paces(
    state: &State,
    (own, all): (&Counts, &Counts),
    (workers, number): (&[&Counts], usize),
) -> Vec<v1::Pace> {
    let channels = channels_max(state);
    if state.task_limits.is_empty() && state.target_limits.is_empty() && channels.is_empty() {
        return Vec::new();
    }
    let share = |limits: &Limits, own: u64, all: u64| {
        let part = |rate: u64| if rate == 0 { 0 } else { portion(rate, own, all) };
        (part(limits.bytes_per_second), part(limits.rows_per_second))
    };
    let of_tasks = own.tasks.iter().filter_map(|(task_id, count)| {
        let limits = state.task_limits.get(task_id)?;
        let total = all.tasks.get(task_id).copied().unwrap_or(*count);
        let (bytes_per_second, rows_per_second) = share(limits, *count, total);
        Some(v1::Pace { task_id: task_id.clone(), bytes_per_second, rows_per_second, ..v1::Pace::default() })
    });
    let of_targets = own.targets.iter().filter_map(|(target_id, count)| {
        let limits = state.target_limits.get(target_id).copied().unwrap_or_default();
        let calls_max =
            channels.get(target_id.as_str()).map_or(0, |max| calls(*max, target_id, workers, number));
        let total = all.targets.get(target_id).copied().unwrap_or(*count);
        let (bytes_per_second, rows_per_second) = share(&limits, *count, total);
        let pace = v1::Pace {
            target_id: target_id.clone(),
            bytes_per_second,
            rows_per_second,
            calls_max,
            ..v1::Pace::default()
        };
        (!limits.is_none() || calls_max > 0).then_some(pace)
    });
    of_tasks.chain(of_targets).collect()
}

/// `channel_num` by target: the least that a task of it asks for.
pub(crate) fn channels_max(state: &State) -> BTreeMap<&str, u32> {
    let mut least = BTreeMap::new();
    for task in state.tasks.values().filter(|task| task.state != TaskState::Paused) {
        let asked = task.spec.target.channel_num;
        if asked > 0 {
            let known = least.entry(task.target_id.as_str()).or_insert(asked);
            *known = asked.min(*known);
        }
    }
    least
}

fn portion(rate: u64, own: u64, all: u64) -> u64 {
    let part = u128::from(rate) * u128::from(own) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(u64::MAX).max(1)
}

/// How many calls at once: what is left over goes to the first workers. One at least, or its channels would get no ticks.
fn calls(max: u32, target_id: &str, workers: &[&Counts], number: usize) -> u32 {
    let writers = || workers.iter().enumerate().filter(|(_, counts)| counts.writes_to(target_id));
    let count = u32::try_from(writers().count()).unwrap_or(u32::MAX).max(1);
    let before = u32::try_from(writers().filter(|(other, _)| *other < number).count()).unwrap_or(u32::MAX);
    (max / count + u32::from(before < max % count)).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::fixtures::{self, TASK};
    use super::*;

    fn counts(senders: u64) -> Counts {
        let mut counts = Counts::default();
        for _ in 0..senders {
            counts.add("target", [TASK, TASK].into_iter());
        }
        counts
    }

    #[test]
    fn without_a_limit_nothing_is_said() {
        let state = fixtures::running("w");
        assert!(paces(&state, (&counts(2), &counts(4)), (&[&counts(2)], 0)).is_empty());
    }

    proptest! {
        /// However the senders lie, the workers together do not get more than the limit; and each gets something.
        #[test]
        fn shares_add_up_to_the_limit(senders in proptest::collection::vec(1..9_u64, 1..6), rate in 100..10_000_u64,
                                      channel_num in 6..40_u32) {
            let mut state = fixtures::running("w");
            let limits = Limits { bytes_per_second: rate, rows_per_second: 2 * rate };
            state.task_limits.insert(TASK.to_owned(), limits);
            let task = state.tasks.get_mut(TASK).unwrap();
            task.target_id = "target".to_owned();
            task.spec.target.channel_num = channel_num;
            let own: Vec<Counts> = senders.iter().map(|senders| counts(*senders)).collect();
            let workers: Vec<&Counts> = own.iter().collect();
            let mut all = Counts::default();
            own.iter().for_each(|one| all.add_all(one));
            let said: Vec<v1::Pace> = own.iter().enumerate()
                .flat_map(|(number, one)| paces(&state, (one, &all), (&workers, number))).collect();
            let of_task = || said.iter().filter(|pace| pace.task_id == TASK);
            let bytes: u64 = of_task().map(|pace| pace.bytes_per_second).sum();
            prop_assert!(bytes <= rate && bytes + own.len() as u64 >= rate);
            prop_assert!(of_task().all(|pace| pace.bytes_per_second > 0 && pace.rows_per_second > 0));
            let calls: u32 = said.iter().map(|pace| pace.calls_max).sum();
            prop_assert_eq!(calls, channel_num);
        }
    }
}
