//! Workers that are cut off from a target or from the source's log.

use super::*;

/// Senders of targets `t0` and `t1`, all of which read.
fn any_two_targets() -> impl Strategy<Value = State> {
    (any_state(), proptest::collection::vec(0..2_usize, 24)).prop_map(|(mut state, targets)| {
        for (sender, target) in state.senders.values_mut().zip(targets) {
            sender.target_id = format!("t{target}");
        }
        state
    })
}

fn any_place() -> impl Strategy<Value = Place> {
    (0..3_usize).prop_map(|number| match number {
        0 => Place::Log,
        one => Place::Target(format!("t{}", one - 1)),
    })
}

/// Each worker is cut off from a place, or reaches it, or nobody knows.
fn any_divides() -> impl Strategy<Value = BTreeMap<Place, Divide>> {
    let of_place = proptest::collection::vec(0..3_usize, 6).prop_map(|seen| {
        let who = |what| {
            let found = seen.iter().enumerate().filter(move |(_, seen)| **seen == what);
            found.map(|(index, _)| format!("w{index}")).collect()
        };
        Divide { cut_off: who(0), reached_by: who(1) }
    });
    proptest::collection::btree_map(any_place(), of_place, 0..3)
}

fn needs(state: &State, sender_id: &str) -> Vec<Place> {
    let target = Place::Target(state.senders[sender_id].target_id.clone());
    if is_runnable(state, sender_id) { vec![Place::Log, target] } else { Vec::new() }
}

/// Whether somebody who may take the sender reaches all that it needs and is cut off from nothing of that.
fn somebody_can(liveness: &Liveness, divides: &BTreeMap<Place, Divide>, needs: &[Place]) -> bool {
    let divided = |place: &&Place| {
        divides.get(*place).is_some_and(|divide| !divide.cut_off.is_empty() && !divide.reached_by.is_empty())
    };
    liveness
        .accepting()
        .any(|worker| needs.iter().filter(divided).all(|place| divides[place].reached_by.contains(worker)))
}

proptest! {
    #[test]
    fn what_nobody_reaches_moves_nothing(
        state in any_two_targets(), liveness in any_liveness(), mut divides in any_divides(), may_balance in any::<bool>(),
    ) {
        for divide in divides.values_mut() {
            divide.reached_by.clear();
        }
        let told = liveness.clone().with_reach(Reach::new(divides));
        prop_assert_eq!(plan(&state, &told, may_balance), plan(&state, &liveness, may_balance));
    }

    #[test]
    fn cut_off_senders_are_taken_origin_first_and_only_while_somebody_can_have_them(
        state in any_two_targets(), liveness in any_liveness(), divides in any_divides(),
    ) {
        let told = liveness.clone().with_reach(Reach::new(divides.clone()));
        let plan = plan(&state, &told, false);
        for (sender_id, place) in &plan.cut_off {
            let sender = &state.senders[sender_id];
            let owner = sender.owner.as_ref().unwrap();
            prop_assert!(divides[place].cut_off.contains(owner), "{} is taken without a reason", sender_id);
            prop_assert!(somebody_can(&liveness, &divides, &needs(&state, sender_id)));
            let taken = plan.assignments.iter().find(|assign| assign.sender_id == *sender_id).unwrap();
            prop_assert_eq!(&taken.owner, &None);
        }
        for assign in &plan.assignments {
            let was = &state.senders[&assign.sender_id];
            let Some(new_owner) = &assign.owner else { continue };
            let former_is_dead =
                was.last_owner.as_ref().is_none_or(|former| liveness.standing(former) == Standing::Dead);
            prop_assert!(was.stopped || former_is_dead, "two workers could write {}", assign.sender_id);
            let needs = needs(&state, &assign.sender_id);
            if somebody_can(&liveness, &divides, &needs) {
                let cut_off = |place: &&Place| divides.get(*place).is_some_and(|divide| {
                    divide.cut_off.contains(new_owner) && !divide.reached_by.is_empty()
                });
                prop_assert_eq!(needs.iter().find(cut_off), None, "given to somebody who does not reach it");
            }
        }
    }

    #[test]
    fn comes_to_rest_where_everybody_reaches_what_he_has_if_that_is_possible(
        state in any_two_targets(), liveness in any_liveness(), divides in any_divides(),
    ) {
        let mut state = state;
        let mut told = liveness.with_reach(Reach::new(divides.clone()));
        told.unknown_may_live = false;
        let mut rounds = 0;
        loop {
            let plan = plan(&state, &told, true);
            let waits = plan.waiting.values().any(|waiting| matches!(waiting, Waiting::FinalWord { .. }));
            if plan.assignments.is_empty() && !waits {
                break;
            }
            commit(&mut state, &plan);
            say_final_words(&mut state);
            rounds += 1;
            prop_assert!(rounds < 200, "never comes to rest");
        }
        for (sender_id, sender) in &state.senders {
            let needs = needs(&state, sender_id);
            let Some(owner) = sender.owner.as_ref().filter(|_| somebody_can(&told, &divides, &needs)) else { continue };
            let cut_off = |place: &&Place| divides.get(*place).is_some_and(|divide| {
                divide.cut_off.contains(owner) && !divide.reached_by.is_empty()
            });
            prop_assert_eq!(needs.iter().find(cut_off), None, "{} stays with {}", sender_id, owner);
        }
    }
}

fn divided(place: Place, cut_off: &[&str], reached_by: &[&str]) -> Reach {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Reach::new(BTreeMap::from([(place, Divide { cut_off: names(cut_off), reached_by: names(reached_by) })]))
}

#[test]
fn a_sender_goes_from_who_is_cut_off_to_who_is_known_to_reach_and_says_why_it_waits() {
    let state = state_of([running(Some("w0"), None, false), running(Some("w2"), None, false)]);
    let workers =
        alive(&[("w0", Standing::Accepting), ("w1", Standing::Accepting), ("w2", Standing::Accepting)]);
    let place = Place::Target("t".to_owned());
    let liveness = workers.with_reach(divided(place.clone(), &["w0"], &["w2"]));
    let taken = plan(&state, &liveness, true);
    assert_eq!(taken.cut_off, BTreeMap::from([("t/p00".to_owned(), place.clone())]));
    assert_eq!(taken.assignments.len(), 1);
    let mut state = state;
    commit(&mut state, &taken);
    let waiting = plan(&state, &liveness, true);
    let expected = Waiting::FinalWord { worker_id: "w0".to_owned(), cut_off_from: Some(place) };
    assert_eq!((waiting.assignments.len(), &waiting.waiting["t/p00"]), (0, &expected));
    say_final_words(&mut state);
    let given = plan(&state, &liveness, true);
    // Of the empty one nobody knows whether it reaches the target.
    assert_eq!(given.assignments[0].owner.as_deref(), Some("w2"));
    commit(&mut state, &given);
    assert_eq!(
        plan(&state, &liveness, true),
        Plan::default(),
        "nothing goes back, or to the unknown, for balance"
    );
}

#[test]
fn a_call_that_was_given_up_is_not_waited_for() {
    let state = state_of([running(None, Some("w0"), false)]);
    let liveness = alive(&[("w0", Standing::Accepting), ("w1", Standing::Accepting)])
        .with_reach(divided(Place::Target("t".to_owned()), &["w0"], &["w1"]))
        .with_released(BTreeSet::from([("t/p00".to_owned(), 7)]));
    assert_eq!(plan(&state, &liveness, true).assignments[0].owner.as_deref(), Some("w1"));
}
