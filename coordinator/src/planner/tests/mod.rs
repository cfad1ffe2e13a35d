#![allow(clippy::unwrap_used, clippy::expect_used)]

mod balance;
mod crowd;
mod reach;
mod scale;

use proptest::prelude::*;

use super::*;
use crate::registry::{ShardPhase, ShardState};

fn sender(owner: Option<&str>, last_owner: Option<&str>, stopped: bool) -> Sender {
    Sender {
        target_id: "t".to_owned(),
        target_pchannel: "p".to_owned(),
        owner: owner.map(str::to_owned),
        last_owner: last_owner.or(owner).map(str::to_owned),
        epoch: 7,
        settled_version: 0,
        input_version: 1,
        clock: 0,
        horizon: 0,
        takeover_clock: 0,
        unclean: false,
        stopped,
        tick: 0,
        due_tick: 0,
        due_version: 0,
        ticked_version: 0,
        restored: false,
        report_number: 0,
    }
}

fn shard(sender_id: &str, phase: ShardPhase) -> ShardState {
    ShardState {
        sender_id: sender_id.to_owned(),
        source_collection_id: 1,
        phase,
        active_since: 0,
        position: Vec::new(),
        tick: 0,
        replay_until: 0,
        joined: false,
        confirmed: 0,
        windows: Vec::new(),
    }
}

fn state_of(senders: impl IntoIterator<Item = (Sender, Vec<(usize, ShardPhase)>)>) -> State {
    let mut state = State::default();
    for (index, (sender, shards)) in senders.into_iter().enumerate() {
        let sender_id = format!("t/p{index:02}");
        for (number, (pchannel, phase)) in shards.into_iter().enumerate() {
            let shard_id = format!("task/src-dml_{pchannel}_{}v0", index * 100 + number);
            state.shards.insert(shard_id, shard(&sender_id, phase));
        }
        state.senders.insert(sender_id, sender);
    }
    state
}

fn running(
    owner: Option<&str>,
    last_owner: Option<&str>,
    stopped: bool,
) -> (Sender, Vec<(usize, ShardPhase)>) {
    (sender(owner, last_owner, stopped), vec![(0, ShardPhase::Active)])
}

fn alive(workers: &[(&str, Standing)]) -> Liveness {
    Liveness::new(workers.iter().map(|(id, standing)| ((*id).to_owned(), *standing)).collect(), false)
}

fn plan(state: &State, liveness: &Liveness, may_balance: bool) -> Plan {
    super::plan(state, liveness, &Balance { may_begin: may_balance, ..Balance::default() })
}

/// What the registry does with a plan, as far as the planner can see it.
fn commit(state: &mut State, plan: &Plan) {
    for assign in &plan.assignments {
        let sender = state.senders.get_mut(&assign.sender_id).unwrap();
        assert_eq!(sender.epoch, assign.expected_epoch);
        if let Some(owner) = &assign.owner {
            sender.epoch += 1;
            sender.stopped = false;
            sender.last_owner = Some(owner.clone());
        }
        sender.owner = assign.owner.clone();
    }
}

/// Living workers say their final word for everything that was taken from them.
fn say_final_words(state: &mut State) {
    for sender in state.senders.values_mut().filter(|sender| sender.owner.is_none()) {
        sender.stopped = true;
    }
}

fn is_runnable(state: &State, sender_id: &str) -> bool {
    state.shards.values().any(|shard| shard.sender_id == sender_id && shard.phase == ShardPhase::Active)
}

fn any_state() -> impl Strategy<Value = State> {
    let phase = prop_oneof![
        4 => Just(ShardPhase::Active),
        1 => Just(ShardPhase::Stopping),
        1 => Just(ShardPhase::Stopped)
    ];
    let worker = || proptest::option::weighted(0.8, (0..6_usize).prop_map(|index| format!("w{index}")));
    let one = (worker(), worker(), any::<bool>(), proptest::collection::vec((0..4_usize, phase), 0..4))
        .prop_map(|(owner, last_owner, stopped, shards)| {
            let last_owner = owner.clone().or(last_owner);
            // A sender that nobody ever owned is a stopped one.
            let stopped = last_owner.is_none() || (stopped && owner.is_none());
            (sender(owner.as_deref(), last_owner.as_deref(), stopped), shards)
        });
    proptest::collection::vec(one, 0..24).prop_map(state_of)
}

fn any_liveness() -> impl Strategy<Value = Liveness> {
    let standing = prop_oneof![
        3 => Just(Some(Standing::Accepting)),
        1 => Just(Some(Standing::Keeping)),
        1 => Just(Some(Standing::Draining)),
        1 => Just(None)
    ];
    (proptest::collection::vec(standing, 6), any::<bool>()).prop_map(|(standings, settling)| {
        let named = standings.into_iter().enumerate();
        let workers = named.filter_map(|(index, standing)| Some((format!("w{index}"), standing?)));
        Liveness::new(workers.collect(), settling)
    })
}

proptest! {
    #[test]
    fn every_runnable_sender_has_one_owner_or_a_reason(state in any_state(), liveness in any_liveness()) {
        let plan = plan(&state, &liveness, true);
        let mut planned = state.clone();
        commit(&mut planned, &plan);
        let ids: BTreeSet<_> = plan.assignments.iter().map(|assign| &assign.sender_id).collect();
        prop_assert_eq!(ids.len(), plan.assignments.len(), "a sender is in the plan twice");
        for (sender_id, sender) in &planned.senders {
            let was = &state.senders[sender_id];
            if !is_runnable(&state, sender_id) {
                prop_assert_eq!(&sender.owner, &None);
                continue;
            }
            let taken_from_living = was.owner.is_some() && sender.owner.is_none();
            let given = sender.epoch != was.epoch;
            let kept = was.owner.is_some() && sender.owner == was.owner && !given;
            let waiting = plan.waiting.contains_key(sender_id);
            prop_assert_eq!(u8::from(given) + u8::from(taken_from_living) + u8::from(waiting || kept), 1);
        }
    }

    #[test]
    fn only_accepting_workers_get_senders_and_only_after_the_former_owner(
        state in any_state(), liveness in any_liveness(),
    ) {
        for assign in plan(&state, &liveness, true).assignments {
            let was = &state.senders[&assign.sender_id];
            let Some(new_owner) = assign.owner else { continue };
            prop_assert_eq!(liveness.standing(&new_owner), Standing::Accepting);
            let former_is_dead =
                was.last_owner.as_ref().is_none_or(|former| liveness.standing(former) == Standing::Dead);
            prop_assert!(was.stopped || former_is_dead, "two workers could write {}", assign.sender_id);
        }
    }

    #[test]
    fn sticky(state in any_state(), liveness in any_liveness(), may_balance in any::<bool>()) {
        let plan = plan(&state, &liveness, may_balance);
        prop_assert!(may_balance || plan.balanced.is_empty());
        for assign in &plan.assignments {
            let was = &state.senders[&assign.sender_id];
            let standing = was.owner.as_ref().map(|owner| liveness.standing(owner));
            let stays = matches!(standing, Some(Standing::Accepting | Standing::Keeping));
            if stays && is_runnable(&state, &assign.sender_id) {
                prop_assert!(plan.balanced.contains_key(&assign.sender_id));
                prop_assert_eq!(plan.assignments.len(), plan.balanced.len(), "nothing else is under way");
            }
        }
    }

    #[test]
    fn comes_to_rest_balanced(state in any_state(), liveness in any_liveness()) {
        let mut state = state;
        let settled = Liveness { unknown_may_live: false, ..liveness };
        let mut rounds = 0;
        loop {
            let plan = plan(&state, &settled, true);
            if plan.assignments.is_empty() && !plan.waiting.values().any(|w| matches!(w, Waiting::FinalWord { .. })) {
                break;
            }
            commit(&mut state, &plan);
            say_final_words(&mut state);
            rounds += 1;
            prop_assert!(rounds < 100, "never comes to rest");
        }
        let mut counts: BTreeMap<&str, usize> = settled.accepting().map(|worker_id| (worker_id, 0)).collect();
        for (sender_id, sender) in &state.senders {
            if !is_runnable(&state, sender_id) {
                prop_assert_eq!(&sender.owner, &None);
                continue;
            }
            let owner = sender.owner.as_deref();
            if let Some(count) = owner.and_then(|owner| counts.get_mut(owner)) {
                *count += 1;
            } else {
                let keeps = owner.is_some_and(|owner| settled.standing(owner) == Standing::Keeping);
                prop_assert!(keeps || settled.accepting().next().is_none());
            }
        }
        let (least, most) = (counts.values().min(), counts.values().max());
        prop_assert!(most.unwrap_or(&0) - least.unwrap_or(&0) <= 1, "{:?}", counts);
    }
}

#[test]
fn a_new_worker_gets_its_share_one_by_one() {
    let mut state = state_of((0..4).map(|_| running(Some("w0"), None, false)));
    let liveness = alive(&[("w0", Standing::Accepting), ("w1", Standing::Accepting)]);
    let mut moves = 0;
    loop {
        let taken = plan(&state, &liveness, true);
        if taken.balanced.is_empty() {
            break;
        }
        moves += 1;
        assert_eq!(taken.assignments.len(), 1);
        commit(&mut state, &taken);
        let waiting = plan(&state, &liveness, true);
        assert!(waiting.assignments.is_empty(), "the final word is awaited");
        say_final_words(&mut state);
        let given = plan(&state, &liveness, true);
        assert_eq!(given.assignments[0].owner.as_deref(), Some("w1"));
        commit(&mut state, &given);
    }
    assert_eq!(moves, 2);
}

#[test]
fn no_balance_while_the_leader_is_young() {
    let state = state_of((0..4).map(|_| running(Some("w0"), None, false)));
    let workers = [("w0", Standing::Accepting), ("w1", Standing::Accepting)];
    let workers: BTreeMap<_, _> =
        workers.into_iter().map(|(id, standing)| (id.to_owned(), standing)).collect();
    assert_eq!(plan(&state, &Liveness::new(workers, true), true), Plan::default());
}

#[test]
fn an_owner_nobody_heard_of_keeps_its_senders_until_the_lease_is_over() {
    let state = state_of([running(Some("gone"), None, false), running(None, None, true)]);
    let workers = BTreeMap::from([("w0".to_owned(), Standing::Accepting)]);
    let young = plan(&state, &Liveness::new(workers.clone(), true), true);
    assert_eq!(young.assignments.len(), 1, "what nobody owned is placed at once");
    assert_eq!(young.assignments[0].sender_id, "t/p01");
    let settled = plan(&state, &Liveness::new(workers, false), true);
    assert_eq!(settled.assignments.len(), 2);
    assert_eq!(settled.taken_from, BTreeSet::from(["gone".to_owned()]));
}

#[test]
fn without_a_worker_a_dead_owner_stays_the_owner() {
    let state = state_of([running(Some("w0"), None, false)]);
    let plan = plan(&state, &alive(&[]), true);
    assert!(plan.assignments.is_empty());
    assert_eq!(plan.waiting["t/p00"], Waiting::NoWorker);
}

#[test]
fn a_released_sender_does_not_wait_for_the_final_word() {
    let state = state_of([running(None, Some("w0"), false)]);
    let liveness = alive(&[("w0", Standing::Accepting)]);
    assert!(matches!(plan(&state, &liveness, true).waiting["t/p00"], Waiting::FinalWord { .. }));
    let of_former_epoch = liveness.clone().with_released(BTreeSet::from([("t/p00".to_owned(), 6)]));
    assert!(plan(&state, &of_former_epoch, true).assignments.is_empty());
    let released = liveness.with_released(BTreeSet::from([("t/p00".to_owned(), 7)]));
    assert_eq!(plan(&state, &released, true).assignments[0].owner.as_deref(), Some("w0"));
    let owned = state_of([running(Some("w0"), None, false)]);
    let anew = plan(&owned, &released, true);
    assert_eq!(anew.assignments[0].owner.as_deref(), Some("w0"), "under a new epoch");
    assert!(anew.taken_from.is_empty());
}

#[test]
fn who_said_goodbye_while_draining_is_followed_at_once() {
    let state = state_of([running(Some("w0"), None, true)]);
    let liveness = alive(&[("w0", Standing::Draining), ("w1", Standing::Accepting)]);
    let plan = plan(&state, &liveness, true);
    assert_eq!(plan.assignments[0].owner.as_deref(), Some("w1"));
    assert!(plan.taken_from.is_empty());
}
