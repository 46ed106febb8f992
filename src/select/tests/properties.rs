use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{
    Memory, NOW, PathInput, Policies, Policy, Qualification, Unattached, config, exchange, isp, path, uplink,
};
use crate::{
    config::{self, DayWindow, Fallback, Margin, Treatment},
    domain::{BootTime, IspId, PathState, TimeOfDay, UplinkId},
    quality::Figures,
    select::{Decision, Moment, Standing, decide},
};

type Paths = BTreeMap<UplinkId, PathInput>;

const UPLINKS: u16 = 5;

/// Three ISPs with five uplinks; any preference, any fallback, any qualification.
fn any_policy() -> impl Strategy<Value = Policy> {
    let isps = || prop::collection::vec((0_u16..3).prop_map(IspId), 0..3);
    let qualified = prop::collection::vec(any::<bool>(), 3);
    (isps(), isps(), any::<bool>(), any::<bool>(), qualified, any_treatment()).prop_map(
        |(first, preferred, any, allow_unqualified, qualified, treatment)| {
            let mut config = config();
            config.isps = vec![isp("NTT", &[0, 3]), isp("KDDI", &[1, 4]), isp("IIJ", &[2])];
            config.uplinks.extend([uplink("ntt-2", 0), uplink("kddi-2", 1)]);
            config.policy.preferred = preferred;
            config.policy.treatment = treatment;
            config.policy.treatment.fallback = if any { Fallback::Any } else { Fallback::None };
            config.policy.allow_unqualified = allow_unqualified;
            let qualify = |qualified| Qualification { qualified, reason: "by chance".to_owned() };
            let qualified = qualified.into_iter().map(qualify).collect();
            Policies::ranked(&config, &first, qualified).of(None).clone()
        },
    )
}

fn any_strategy() -> impl Strategy<Value = config::Strategy> {
    let margin = (0_u64..20, 0.0..0.5_f64)
        .prop_map(|(difference, share)| Margin { difference: Duration::from_millis(difference), share });
    prop_oneof![
        Just(config::Strategy::Ordered),
        margin.prop_map(config::Strategy::Fastest),
        prop::collection::btree_map((0_u16..3).prop_map(IspId), 1_u8.., 0..3).prop_map(config::Strategy::Balanced),
    ]
}

fn any_treatment() -> impl Strategy<Value = Treatment> {
    let window = (0_u16..24, 0_u16..24).prop_map(|(from, to)| DayWindow {
        from: TimeOfDay::new(from, 0).unwrap(),
        to: TimeOfDay::new(to, 30).unwrap(),
    });
    let holds = (0_u64..20, 0_u64..20, 0_u64..30, 1_u32..4);
    (any_strategy(), holds, prop::collection::vec(window, 0..2)).prop_map(
        |(strategy, (leave, back, stay, moves_per_hour), move_windows)| Treatment {
            strategy,
            leave_after: Duration::from_secs(leave),
            return_after: Duration::from_secs(back),
            stay_at_least: Duration::from_secs(stay),
            moves_per_hour,
            move_windows,
            ..config().policy.treatment
        },
    )
}

/// By a clock that is set, and runs on.
fn moment(now: BootTime) -> Moment {
    Moment { at: now, of_day: Some(TimeOfDay::of_unix(now.0, 0)) }
}

fn any_path() -> impl Strategy<Value = PathInput> {
    let state = prop::sample::select(vec![PathState::Up, PathState::Degraded, PathState::Unknown, PathState::Down]);
    let rtt = prop::option::weighted(0.9, (1_u64..100).prop_map(Duration::from_millis));
    (state, 0_u32..200, prop::bool::weighted(0.2), rtt).prop_map(|(state, tenths, unattached, rtt)| PathInput {
        unattached: unattached.then(|| Unattached::NoCarrier("wan0".to_owned())),
        figures: Figures { rtt_recent: rtt, rtt_median: rtt, ..Figures::default() },
        ..path(state, f64::from(tenths) / 10.0)
    })
}

fn any_paths() -> impl Strategy<Value = Paths> {
    prop::collection::btree_map((0..UPLINKS).prop_map(UplinkId), any_path(), 0..=usize::from(UPLINKS))
}

fn any_memory() -> impl Strategy<Value = Memory> {
    let uplink = || (0..=UPLINKS).prop_map(UplinkId);
    let time = || (0_u64..1_000).prop_map(|at| BootTime(Duration::from_secs(at)));
    let rivals = prop::collection::btree_map(uplink(), time(), 0..3).prop_map(|rivals| rivals.into_iter().collect());
    let moves = prop::collection::btree_set(time(), 0..3).prop_map(|moves| moves.into_iter().collect());
    let also = prop::collection::btree_set(uplink(), 0..3);
    let held = (prop::option::of(uplink()), prop::option::of(uplink()), also);
    (held, rivals, moves, any::<bool>()).prop_map(|((chosen, backup, also), rivals, moves, displaced)| Memory {
        chosen,
        backup,
        also: also.into_iter().filter(|other| chosen.is_some_and(|chosen| *other > chosen)).collect(),
        since: BootTime(Duration::from_secs(1)),
        displaced: displaced && chosen.is_none(),
        rivals,
        moves,
    })
}

fn decided(policy: &Policy, paths: &Paths, memory: &Memory, now: BootTime) -> Decision {
    decide(policy, &exchange(), paths, memory, moment(now))
}

/// Whether policy and kernel allow the uplink, and its path is not down.
fn carries(policy: &Policy, paths: &Paths, uplink: UplinkId) -> bool {
    let standing = policy.order().iter().find(|(own, _)| *own == uplink).map(|(_, standing)| *standing);
    let path = paths.get(&uplink).filter(|path| path.unattached.is_none() && path.state != PathState::Down);
    path.is_some() && standing.is_some_and(|standing| standing != Standing::Excluded)
}

/// Traffic that stays on a path that does not answer: the kernel has a way through, policy allows it, it was there
/// before, and nothing answers anywhere.
fn stays_for_want_of_better(policy: &Policy, paths: &Paths, memory: &Memory, chosen: UplinkId) -> bool {
    let answered =
        |path: &PathInput| path.unattached.is_none() && matches!(path.state, PathState::Up | PathState::Degraded);
    let allowed = policy.order().iter().any(|(own, standing)| *own == chosen && *standing != Standing::Excluded);
    let was_there = memory.chosen == Some(chosen) || memory.also.contains(&chosen);
    allowed && was_there && paths[&chosen].unattached.is_none() && !paths.values().any(answered)
}

fn in_charge(decision: &Decision) -> Vec<UplinkId> {
    decision.shares.iter().map(|share| share.uplink).collect()
}

proptest! {
    #[test]
    fn the_same_inputs_give_the_same_decision(
        policy in any_policy(), paths in any_paths(), memory in any_memory(),
    ) {
        prop_assert_eq!(decided(&policy, &paths, &memory, NOW), decided(&policy, &paths, &memory, NOW));
    }

    #[test]
    fn traffic_is_only_put_where_policy_kernel_and_measurements_allow_it(
        policy in any_policy(), paths in any_paths(), memory in any_memory(),
    ) {
        let decision = decided(&policy, &paths, &memory, NOW);
        for chosen in in_charge(&decision) {
            prop_assert!(carries(&policy, &paths, chosen) || stays_for_want_of_better(&policy, &paths, &memory, chosen));
            let before = [memory.chosen, memory.backup].contains(&Some(chosen)) || memory.also.contains(&chosen);
            prop_assert!(paths[&chosen].state != PathState::Unknown || before);
        }
        prop_assert_eq!(decision.chosen, in_charge(&decision).first().copied());
        prop_assert!(policy.is_balanced() || decision.shares.len() <= 1);
        prop_assert_eq!(decision.candidates.len(), usize::from(UPLINKS));
    }

    #[test]
    fn the_backup_is_another_uplink_that_can_carry_traffic(
        policy in any_policy(), paths in any_paths(), memory in any_memory(),
    ) {
        let decision = decided(&policy, &paths, &memory, NOW);
        let members = in_charge(&decision);
        let others = paths.keys().filter(|own| !members.contains(own) && carries(&policy, &paths, **own));
        prop_assert_eq!(decision.backup.is_some(), decision.chosen.is_some() && others.count() > 0);
        if let Some(backup) = decision.backup {
            prop_assert!(!members.contains(&backup));
            prop_assert!(carries(&policy, &paths, backup));
        }
    }

    #[test]
    fn traffic_is_never_left_to_the_main_table_while_a_path_is_good_and_all_are_known(
        policy in any_policy(), paths in any_paths(), memory in any_memory(),
    ) {
        let known = paths.values().all(|path| path.state != PathState::Unknown);
        let good = paths.keys().any(|own| carries(&policy, &paths, *own));
        let chosen = decided(&policy, &paths, &memory, NOW).chosen;
        prop_assert!(!known || !good || chosen.is_some() || memory.displaced);
        prop_assert!(good || chosen.is_none_or(|chosen| stays_for_want_of_better(&policy, &paths, &memory, chosen)));
    }

    #[test]
    fn improving_the_chosen_path_never_makes_it_lose(
        policy in any_policy(), paths in any_paths(), memory in any_memory(), longer in 0_u64..200, faster in 0_u64..50,
    ) {
        if let Some(chosen) = decided(&policy, &paths, &memory, NOW).chosen {
            let mut better = paths.clone();
            let path = better.get_mut(&chosen).unwrap();
            if path.state == PathState::Up {
                path.since = BootTime(path.since.0.saturating_sub(Duration::from_secs(longer)));
            }
            path.state = PathState::Up;
            if let Some(rtt) = path.figures.rtt_recent {
                path.figures.rtt_recent = Some(rtt.saturating_sub(Duration::from_millis(faster)));
            }
            prop_assert!(in_charge(&decided(&policy, &better, &memory, NOW)).contains(&chosen));
        }
    }

    #[test]
    fn a_decision_is_at_rest_with_itself(
        policy in any_policy(), paths in any_paths(), memory in any_memory(),
    ) {
        let first = decided(&policy, &paths, &memory, NOW);
        let again = decided(&policy, &paths, &first.memory(), NOW);
        prop_assert_eq!(again.memory(), first.memory());
    }

    /// Between a decision and its review nothing changes by itself: an agent that looks again then, and no sooner,
    /// misses nothing.
    #[test]
    fn a_decision_holds_until_its_review(
        policy in any_policy(), paths in any_paths(), memory in any_memory(), tenths in 0_u64..300,
    ) {
        let decision = decided(&policy, &paths, &memory, NOW);
        prop_assert!(decision.review_at.is_none_or(|review| review > NOW));
        let later = NOW + Duration::from_millis(100 * tenths);
        if decision.review_at.is_none_or(|review| later < review) {
            let again = decided(&policy, &paths, &decision.memory(), later);
            prop_assert_eq!(again.memory(), decision.memory());
        }
    }
}
