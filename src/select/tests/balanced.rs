//! `strategy = "balanced"`: all that are preferred and good at once, by weight.

use std::collections::BTreeMap;

use super::{
    IIJ, KDDI, Memory, NOW, NTT, ago, config, decided_by, degraded, down, on, policy_of, seconds, unattached,
    unknown, up,
};
use crate::{
    config::Strategy,
    domain::{IspId, Share, UplinkId},
    select::{Decision, PathInput, Policy, Reason},
};

/// NTT (weight 3) and KDDI are preferred, IIJ is the fallback; leave after 5 s, join after 10 s.
fn balanced() -> Policy {
    let mut config = config();
    config.policy.treatment.strategy = Strategy::Balanced(BTreeMap::from([(IspId(0), 3)]));
    policy_of(&config)
}

#[allow(clippy::needless_pass_by_value, reason = "the tables of cases read better without borrows")]
fn decided(paths: [PathInput; 3], memory: &Memory) -> Decision {
    decided_by(&balanced(), &paths, memory)
}

fn both() -> Memory {
    Memory { also: vec![KDDI], ..on(NTT) }
}

fn in_charge(decision: &Decision) -> Vec<UplinkId> {
    decision.shares.iter().map(|share| share.uplink).collect()
}

#[test]
fn all_that_are_preferred_and_up_are_in_charge_with_their_weights_and_the_backup_is_apart() {
    let decision = decided([up(1.0), up(1.0), up(1.0)], &Memory::default());
    assert_eq!(decision.shares, [Share { uplink: NTT, weight: 3 }, Share { uplink: KDDI, weight: 1 }]);
    assert_eq!((decision.chosen, decision.backup), (Some(NTT), Some(IIJ)));
    assert_eq!(decision.reason.to_string(), "balanced over NTT (weight 3), KDDI (weight 1)");
    let again = decided([up(1.0), up(1.0), up(1.0)], &decision.memory());
    assert_eq!((in_charge(&again), again.since), (vec![NTT, KDDI], NOW));
}

#[test]
fn at_first_every_preferred_path_is_waited_for() {
    assert_eq!(in_charge(&decided([up(1.0), unknown(1.0), up(1.0)], &Memory::default())), []);
}

#[test]
fn a_member_that_is_lost_is_left_at_once_and_the_others_carry_on() {
    for lost in [down(), unattached()] {
        let decision = decided([lost, up(100.0), up(100.0)], &both());
        assert_eq!((in_charge(&decision), decision.since, decision.moves.len()), (vec![KDDI], NOW, 0));
        assert!(matches!(decision.reason, Reason::Rebalanced { .. }));
    }
}

#[test]
fn a_degraded_member_stays_while_no_other_member_is_proven() {
    let decision = decided([degraded(50.0), unknown(1.0), down()], &both());
    assert_eq!((in_charge(&decision), decision.moves.len()), (vec![NTT, KDDI], 0));
    let proven = decided([degraded(50.0), up(1.0), down()], &both());
    assert_eq!(in_charge(&proven), [KDDI]);
}

#[test]
fn a_degraded_member_is_left_after_leave_after_and_counts_as_a_move() {
    let held = decided([up(100.0), degraded(4.0), up(100.0)], &both());
    assert_eq!((in_charge(&held), held.review_at), (vec![NTT, KDDI], Some(NOW + seconds(1))));
    let left = decided([up(100.0), degraded(5.0), up(100.0)], &both());
    assert_eq!((in_charge(&left), left.moves), (vec![NTT], vec![NOW]));
    assert_eq!(left.reason.to_string(), "balanced over NTT (weight 3), left KDDI: RTT 62.3 ms > 40 ms (20 probes)");
}

#[test]
fn a_preferred_uplink_joins_when_it_has_been_up_for_return_after() {
    let waits = decided([up(100.0), up(9.0), up(100.0)], &on(NTT));
    assert_eq!((in_charge(&waits), waits.review_at), (vec![NTT], Some(ago(9.0) + seconds(10))));
    let joined = decided([up(100.0), up(10.0), up(100.0)], &on(NTT));
    assert_eq!((in_charge(&joined), joined.moves), (vec![NTT, KDDI], vec![NOW]));
}

#[test]
fn with_every_member_lost_the_fallback_serves_until_a_preferred_one_is_proven() {
    assert_eq!(in_charge(&decided([down(), down(), up(1.0)], &both())), [IIJ]);
    assert_eq!(in_charge(&decided([up(9.0), up(9.0), up(100.0)], &on(IIJ))), [IIJ]);
    assert_eq!(in_charge(&decided([up(10.0), up(9.0), up(100.0)], &on(IIJ))), [NTT, KDDI]);
}

#[test]
fn members_that_are_all_degraded_are_left_for_one_that_is_up_and_else_stay() {
    assert_eq!(in_charge(&decided([degraded(5.0), degraded(5.0), up(1.0)], &both())), [IIJ]);
    assert_eq!(in_charge(&decided([degraded(5.0), degraded(5.0), down()], &both())), [NTT, KDDI]);
    assert_eq!(in_charge(&decided([degraded(1.0), degraded(9.0), up(1.0)], &both())), [NTT, KDDI]);
}

#[test]
fn what_the_kernel_held_is_kept_until_it_is_measured() {
    assert_eq!(in_charge(&decided([unknown(1.0), unknown(1.0), unknown(1.0)], &both())), [NTT, KDDI]);
}

#[test]
fn where_nothing_answers_traffic_stays_on_all_through_which_the_kernel_has_a_way() {
    assert_eq!(in_charge(&decided([down(), down(), down()], &both())), [NTT, KDDI]);
    assert_eq!(in_charge(&decided([down(), unattached(), down()], &both())), [NTT]);
}
