use super::{
    IIJ, KDDI, Memory, NOW, NTT, ago, config, decided, decided_by, degraded, down, on, policy_of, seconds,
    unattached, unknown, up,
};
use crate::{config::Fallback, domain::UplinkId, select::Reason};

// At first.

#[test]
fn the_most_preferred_that_is_up_is_chosen_at_once() {
    let decision = decided([up(0.0), up(100.0), up(100.0)], &Memory::default());
    assert_eq!(decision.chosen, Some(NTT));
    assert_eq!(decision.since, NOW);
    assert_eq!(decision.review_at, None);
}

#[test]
fn a_more_preferred_path_that_is_being_measured_is_waited_for() {
    let decision = decided([unknown(1.0), up(0.0), up(0.0)], &Memory::default());
    assert_eq!(decision.chosen, None);
    assert_eq!(decision.backup, None);
    assert!(matches!(decision.reason, Reason::Awaited { .. }));
    assert!(decision.review_at > Some(NOW));
}

#[test]
fn a_less_preferred_path_is_not_waited_for() {
    assert_eq!(decided([up(0.0), unknown(0.1), unknown(0.1)], &Memory::default()).chosen, Some(NTT));
}

#[test]
fn nobody_waits_longer_than_first_measurements_can_take() {
    let waited = super::policy().first_measurement().as_secs_f64();
    assert_eq!(decided([unknown(waited), up(3.0), up(3.0)], &Memory::default()).chosen, Some(KDDI));
}

#[test]
fn a_degraded_path_is_not_taken_while_another_may_turn_out_better() {
    assert_eq!(decided([degraded(1.0), unknown(1.0), down()], &Memory::default()).chosen, None);
    assert_eq!(decided([degraded(1.0), down(), down()], &Memory::default()).chosen, Some(NTT));
}

#[test]
fn the_known_are_not_waited_for() {
    assert_eq!(decided([down(), up(0.0), unknown(1.0)], &Memory::default()).chosen, Some(KDDI));
    assert_eq!(decided([degraded(1.0), up(0.0), unknown(1.0)], &Memory::default()).chosen, Some(KDDI));
    assert_eq!(decided([unattached(), up(0.0), unknown(1.0)], &Memory::default()).chosen, Some(KDDI));
}

#[test]
fn with_nothing_usable_the_class_is_left_to_the_main_table() {
    let decision = decided([down(), unattached(), down()], &Memory::default());
    assert_eq!((decision.chosen, decision.backup), (None, None));
    assert!(matches!(decision.reason, Reason::NothingUsable { .. }));
}

#[test]
fn an_uplink_without_any_path_is_not_chosen() {
    assert_eq!(decided_by(&super::policy(), &[], &Memory::default()).chosen, None);
    assert_eq!(decided_by(&super::policy(), &[], &on(NTT)).chosen, None);
}

#[test]
fn an_uplink_that_is_no_longer_configured_is_forgotten() {
    assert_eq!(decided([up(1.0), up(1.0), up(1.0)], &on(UplinkId(9))).chosen, Some(NTT));
}

// After a restart.

#[test]
fn what_the_kernel_holds_is_kept_until_it_is_measured() {
    let decision = decided([unknown(1.0), unknown(1.0), unknown(1.0)], &on(KDDI));
    assert_eq!(decision.chosen, Some(KDDI));
    assert_eq!(decision.since, ago(500.0));
    assert!(matches!(decision.reason, Reason::Adopted { .. }));
}

#[test]
fn an_adopted_path_is_not_left_because_another_was_measured_first() {
    assert_eq!(decided([up(0.1), unknown(1.0), up(0.1)], &on(KDDI)).chosen, Some(KDDI));
}

#[test]
fn an_adopted_path_that_cannot_be_measured_is_left_for_one_that_is_up() {
    let waited = super::policy().first_measurement().as_secs_f64();
    assert_eq!(decided([down(), unknown(waited), up(1.0)], &on(KDDI)).chosen, Some(IIJ));
    assert_eq!(decided([down(), unknown(waited), degraded(1.0)], &on(KDDI)).chosen, Some(KDDI));
}

#[test]
fn an_adopted_path_that_turns_out_down_is_left_at_once() {
    assert_eq!(decided([unknown(1.0), down(), up(0.0)], &on(KDDI)).chosen, Some(IIJ));
}

// Down.

#[test]
fn an_uplink_that_is_down_or_gone_is_left_at_once() {
    for lost in [down(), unattached()] {
        let decision = decided([lost, up(0.0), up(100.0)], &on(NTT));
        assert_eq!(decision.chosen, Some(KDDI));
        assert_eq!(decision.since, NOW);
        assert!(matches!(decision.reason, Reason::LeftLost { .. }));
    }
}

#[test]
fn a_degraded_uplink_is_better_than_a_lost_one() {
    assert_eq!(decided([down(), degraded(60.0), down()], &on(NTT)).chosen, Some(KDDI));
}

#[test]
fn of_what_is_left_the_one_that_is_up_goes_before_the_preferred_one() {
    assert_eq!(decided([down(), degraded(60.0), up(0.0)], &on(NTT)).chosen, Some(IIJ));
}

#[test]
fn a_path_not_measured_yet_gets_no_traffic_even_when_all_others_are_lost() {
    assert_eq!(decided([unattached(), unknown(60.0), down()], &on(NTT)).chosen, None);
}

#[test]
fn a_backup_not_measured_yet_takes_over_from_what_is_lost() {
    let memory = Memory { backup: Some(KDDI), ..on(NTT) };
    assert_eq!(decided([unattached(), unknown(1.0), down()], &memory).chosen, Some(KDDI));
}

#[test]
fn where_nothing_answers_traffic_stays_while_the_kernel_has_a_way_through() {
    for others in [down(), unattached(), unknown(60.0)] {
        let decision = decided([down(), others.clone(), others], &on(NTT));
        assert_eq!(decision.chosen, Some(NTT));
        assert!(matches!(decision.reason, Reason::NothingBetter { .. }));
    }
    assert_eq!(decided([unattached(), down(), down()], &on(NTT)).chosen, None);
}

// Degraded.

#[test]
fn a_degraded_uplink_is_kept_until_leave_after_has_passed() {
    let decision = decided([degraded(4.9), up(100.0), up(100.0)], &on(NTT));
    assert_eq!(decision.chosen, Some(NTT));
    assert!(matches!(decision.reason, Reason::HeldDegraded { .. }));
    assert_eq!(decision.review_at, Some(ago(4.9) + seconds(5)));
}

#[test]
fn a_degraded_uplink_is_left_after_leave_after() {
    let decision = decided([degraded(5.0), up(0.0), up(100.0)], &on(NTT));
    assert_eq!(decision.chosen, Some(KDDI));
    assert!(matches!(decision.reason, Reason::LeftDegraded { .. }));
}

#[test]
fn a_degraded_uplink_is_kept_while_nothing_is_up() {
    let decision = decided([degraded(60.0), degraded(1.0), down()], &on(NTT));
    assert_eq!(decision.chosen, Some(NTT));
    assert!(matches!(decision.reason, Reason::LeastBad { .. }));
    assert_eq!(decision.review_at, None);
    assert_eq!(decided([degraded(60.0), degraded(60.0), down()], &on(KDDI)).chosen, Some(KDDI), "nor for preference");
}

// Returning.

#[test]
fn a_more_preferred_uplink_is_returned_to_after_return_after() {
    let decision = decided([up(9.5), up(100.0), up(100.0)], &on(KDDI));
    assert_eq!(decision.chosen, Some(KDDI));
    assert!(matches!(decision.reason, Reason::WaitsToReturn { .. }));
    assert_eq!(decision.review_at, Some(ago(9.5) + seconds(10)));

    let decision = decided([up(10.0), up(100.0), up(100.0)], &on(KDDI));
    assert_eq!(decision.chosen, Some(NTT));
    assert!(matches!(decision.reason, Reason::Returned { .. }));
}

#[test]
fn a_degraded_uplink_is_not_returned_to() {
    assert_eq!(decided([degraded(100.0), up(1.0), up(100.0)], &on(KDDI)).chosen, Some(KDDI));
}

#[test]
fn the_fallback_is_left_for_whatever_is_preferred_and_proven() {
    assert_eq!(decided([down(), up(10.0), up(100.0)], &on(IIJ)).chosen, Some(KDDI));
}

#[test]
fn an_uplink_that_is_good_enough_is_not_left_for_a_less_preferred_one() {
    let decision = decided([up(1.0), up(1_000.0), up(1_000.0)], &on(NTT));
    assert_eq!(decision.chosen, Some(NTT));
    assert_eq!(decision.since, ago(500.0));
}

#[test]
fn an_excluded_uplink_is_never_used_and_left_at_once() {
    let mut config = config();
    config.policy.treatment.fallback = Fallback::None;
    let policy = policy_of(&config);
    assert_eq!(decided_by(&policy, &[down(), down(), up(100.0)], &Memory::default()).chosen, None);
    assert_eq!(decided_by(&policy, &[down(), degraded(1.0), up(100.0)], &on(IIJ)).chosen, Some(KDDI));
    assert_eq!(decided_by(&policy, &[down(), down(), up(100.0)], &on(IIJ)).chosen, None);
}
