//! Moves that only serve the balance: as few as can be, a bounded number at once, none for who comes and goes.

use super::super::balance::MOVES_MAX;
use super::*;

/// Leaders, workers and the registry, round by round.
struct Cluster {
    state: State,
    balance: Balance,
    /// Senders that got another owner than they had.
    moves: usize,
}

impl Cluster {
    /// `counts`: senders of `w0`, `w1`, ...; each reads one of three pchannels.
    fn new(counts: &[usize]) -> Self {
        let owners = counts.iter().enumerate().flat_map(|(index, count)| vec![format!("w{index}"); *count]);
        let senders = owners.enumerate().map(|(number, owner)| {
            (sender(Some(&owner), None, false), vec![(number % 3, ShardPhase::Active)])
        });
        let balance = Balance { may_begin: true, ..Balance::default() };
        Self { state: state_of(senders), balance, moves: 0 }
    }

    /// One plan and what follows from it. False when nothing was to do.
    fn round(&mut self, liveness: &Liveness) -> bool {
        let state = &self.state;
        self.balance.under_way.retain(|sender_id, _| state.senders[sender_id].owner.is_none());
        let plan = super::super::plan(&self.state, liveness, &self.balance);
        assert!(plan.balanced.len() <= MOVES_MAX);
        let taken = |assign: &&Assign| assign.owner.is_none();
        let origins: Vec<_> = plan.assignments.iter().filter(taken).collect();
        let distinct: BTreeSet<_> =
            origins.iter().map(|assign| &self.state.senders[&assign.sender_id].owner).collect();
        assert_eq!(origins.len(), distinct.len(), "one at a time from each worker");
        let destinations: BTreeSet<_> = plan.balanced.values().collect();
        assert_eq!(destinations.len(), plan.balanced.len(), "one at a time to each worker");
        for assign in &plan.assignments {
            let former = &self.state.senders[&assign.sender_id].last_owner;
            self.moves += usize::from(assign.owner.is_some() && assign.owner != *former);
        }
        commit(&mut self.state, &plan);
        self.balance.under_way.extend(plan.balanced);
        say_final_words(&mut self.state);
        !plan.assignments.is_empty()
    }

    fn rest(&mut self, liveness: &Liveness) -> usize {
        let mut rounds = 0;
        while self.round(liveness) {
            rounds += 1;
            assert!(rounds < 10_000, "never comes to rest");
        }
        rounds
    }

    fn count(&self, worker_id: &str) -> usize {
        self.state.senders.values().filter(|sender| sender.owner.as_deref() == Some(worker_id)).count()
    }
}

fn workers(count: usize) -> Liveness {
    let workers = (0..count).map(|index| (format!("w{index}"), Standing::Accepting));
    Liveness::new(workers.collect(), false)
}

/// What has to change its owner at least: what exceeds the larger share, or what the smaller one lacks.
fn moves_needed(counts: &[usize]) -> usize {
    let total: usize = counts.iter().sum();
    let (least, most) = (total / counts.len(), total.div_ceil(counts.len()));
    let surplus: usize = counts.iter().map(|count| count.saturating_sub(most)).sum();
    let lack: usize = counts.iter().map(|count| least.saturating_sub(*count)).sum();
    surplus.max(lack)
}

proptest! {
    #[test]
    fn no_more_moves_than_needed(counts in proptest::collection::vec(0..40_usize, 1..12)) {
        let mut cluster = Cluster::new(&counts);
        let liveness = workers(counts.len());
        cluster.rest(&liveness);
        prop_assert_eq!(cluster.moves, moves_needed(&counts));
        let after: Vec<_> = (0..counts.len()).map(|index| cluster.count(&format!("w{index}"))).collect();
        prop_assert!(after.iter().max().unwrap() - after.iter().min().unwrap() <= 1, "{:?}", after);
        prop_assert!(!cluster.round(&liveness), "it moves though nothing changed");
    }

    #[test]
    fn the_death_of_a_worker_moves_its_senders_alone(
        counts in proptest::collection::vec(0..20_usize, 2..8), dead: prop::sample::Index,
    ) {
        let mut cluster = Cluster::new(&counts);
        cluster.rest(&workers(counts.len()));
        cluster.moves = 0;
        let dead = format!("w{}", dead.index(counts.len()));
        let orphans = cluster.count(&dead);
        let mut left = workers(counts.len());
        left.workers.remove(&dead);
        cluster.rest(&left);
        prop_assert_eq!(cluster.moves, orphans);
    }

    #[test]
    fn senders_that_read_one_pchannel_meet(groups in 1..6_usize, size in 1..6_usize) {
        let free = (0..groups * size)
            .map(|number| (sender(None, None, true), vec![(number / size, ShardPhase::Active)]));
        let mut cluster = Cluster { state: state_of(free), balance: Balance::default(), moves: 0 };
        cluster.rest(&workers(groups));
        let mut readers: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (number, sender) in cluster.state.senders.values().enumerate() {
            readers.entry(sender.owner.as_deref().unwrap()).or_default().insert(number / size);
        }
        prop_assert!(readers.values().all(|pchannels| pchannels.len() == 1), "{:?}", readers);
    }
}

#[test]
fn many_new_workers_get_their_share_in_a_bounded_number_of_rounds() {
    let mut cluster = Cluster::new(&[&[100; 20][..], &[0; 20]].concat());
    let rounds = cluster.rest(&workers(40));
    // Two rounds for each batch of moves: taken, and given.
    assert!(rounds <= 2 * (1_000_usize.div_ceil(MOVES_MAX) + 20), "{rounds} rounds");
    assert_eq!(cluster.moves, 1_000);
}

#[test]
fn a_worker_that_comes_and_goes_moves_nothing() {
    let mut cluster = Cluster::new(&[6, 6, 0]);
    for _ in 0..20 {
        let flapping = workers(3).with_newcomers(BTreeSet::from(["w2".to_owned()]));
        cluster.rest(&flapping);
        cluster.rest(&workers(2));
    }
    assert_eq!(cluster.moves, 0);
    cluster.rest(&workers(3));
    assert_eq!((cluster.moves, cluster.count("w2")), (4, 4));
}

#[test]
fn a_newcomer_takes_what_has_nobody_and_nothing_that_others_are_to_get() {
    let mut cluster = Cluster::new(&[8, 4, 0]);
    let liveness = workers(3).with_newcomers(BTreeSet::from(["w2".to_owned()]));
    cluster.rest(&liveness);
    assert_eq!(["w0", "w1", "w2"].map(|worker_id| cluster.count(worker_id)), [6, 6, 0]);
    let mut without = liveness.clone();
    without.workers.remove("w0");
    cluster.rest(&without);
    assert_eq!(["w1", "w2"].map(|worker_id| cluster.count(worker_id)), [6, 6]);
}

#[test]
fn a_move_whose_destination_is_gone_goes_elsewhere() {
    let mut cluster = Cluster::new(&[4, 0, 3]);
    assert!(cluster.round(&workers(3)));
    assert_eq!(cluster.balance.under_way.values().collect::<Vec<_>>(), ["w1"]);
    let mut without = workers(3);
    without.workers.remove("w1");
    cluster.rest(&without);
    assert_eq!(cluster.count("w0") + cluster.count("w2"), 7);
}
