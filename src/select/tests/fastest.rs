//! `strategy = "fastest"`: the least RTT among those that are preferred, with a margin that must last.

use std::time::Duration;

use super::{
    IIJ, KDDI, Memory, NOW, NTT, ago, config, decided_by, degraded, down, on, policy_of, seconds, unknown, up,
};
use crate::{
    config::{Margin, Strategy},
    domain::{BootTime, UplinkId},
    quality::Figures,
    select::{Decision, PathInput, Policy, Reason},
};

/// NTT and KDDI are preferred, IIJ is the fallback; 5 ms and 10 % of margin, held for 10 s.
fn fastest() -> Policy {
    let mut config = config();
    config.policy.treatment.strategy = Strategy::Fastest(Margin { difference: Duration::from_millis(5), share: 0.1 });
    policy_of(&config)
}

fn with_rtt(path: PathInput, milliseconds: u64) -> PathInput {
    let rtt = Some(Duration::from_millis(milliseconds));
    PathInput { figures: Figures { rtt_recent: rtt, rtt_median: rtt, ..Figures::default() }, ..path }
}

fn fast(milliseconds: u64) -> PathInput {
    with_rtt(up(100.0), milliseconds)
}

fn decided(paths: &[PathInput], memory: &Memory) -> Decision {
    decided_by(&fastest(), paths, memory)
}

fn rivalled(chosen: UplinkId, rival: UplinkId, since: BootTime) -> Memory {
    Memory { rivals: vec![(rival, since)], ..on(chosen) }
}

#[test]
fn at_first_the_fastest_that_is_preferred_is_chosen_whatever_the_margin() {
    assert_eq!(decided(&[fast(12), fast(11), fast(1)], &Memory::default()).chosen, Some(KDDI));
    assert_eq!(decided(&[fast(11), fast(11), fast(1)], &Memory::default()).chosen, Some(NTT), "a tie by preference");
    assert_eq!(
        decided(&[up(9.0), fast(90), fast(1)], &Memory::default()).chosen,
        Some(KDDI),
        "no RTT is the slowest"
    );
}

#[test]
fn every_preferred_path_is_waited_for_and_no_other() {
    assert_eq!(decided(&[fast(12), unknown(1.0), fast(1)], &Memory::default()).chosen, None);
    assert_eq!(decided(&[fast(12), fast(14), unknown(1.0)], &Memory::default()).chosen, Some(NTT));
}

#[test]
fn a_faster_path_takes_over_when_it_has_been_faster_by_the_margin_for_return_after() {
    let paths = [fast(40), fast(30), fast(1)];
    let first = decided(&paths, &on(NTT));
    assert_eq!((first.chosen, &first.rivals[..]), (Some(NTT), &[(KDDI, NOW)][..]));
    assert_eq!(first.review_at, Some(NOW + seconds(10)));
    assert_eq!(
        decided(&paths, &rivalled(NTT, KDDI, ago(4.0))).reason.to_string(),
        "stays on NTT: KDDI has been faster (30.0 ms instead of 40.0 ms) for 4 s of 10 s before it takes over"
    );
    let moved = decided(&paths, &rivalled(NTT, KDDI, ago(10.0)));
    assert_eq!((moved.chosen, moved.moves, moved.rivals), (Some(KDDI), vec![NOW], vec![]));
    assert_eq!(moved.reason.to_string(), "left NTT for the faster KDDI: RTT 30.0 ms instead of 40.0 ms for 10 s");
}

#[test]
fn both_parts_of_the_margin_must_hold() {
    for (current, other) in [(40, 36), (100, 94), (4, 1), (40, 40), (30, 40)] {
        let decision = decided(&[fast(current), fast(other), fast(1)], &rivalled(NTT, KDDI, ago(60.0)));
        assert_eq!((decision.chosen, decision.rivals), (Some(NTT), vec![]), "{current} against {other}");
    }
}

#[test]
fn an_advantage_that_was_lost_begins_anew() {
    let lost = decided(&[fast(40), fast(38), fast(1)], &rivalled(NTT, KDDI, ago(9.0)));
    assert_eq!(decided(&[fast(40), fast(30), fast(1)], &lost.memory()).rivals, [(KDDI, NOW)]);
}

#[test]
fn a_path_that_came_up_lately_takes_over_no_sooner_for_being_fast() {
    let paths = [fast(40), with_rtt(up(3.0), 30), fast(1)];
    assert_eq!(decided(&paths, &rivalled(NTT, KDDI, ago(60.0))).chosen, Some(NTT));
}

#[test]
fn the_dead_and_the_degraded_are_left_for_the_fastest_that_is_up() {
    let mut config = config();
    config.policy.preferred = vec![crate::domain::IspId(0), crate::domain::IspId(1), crate::domain::IspId(2)];
    config.policy.treatment.strategy = Strategy::Fastest(Margin { difference: Duration::ZERO, share: 0.0 });
    let policy = policy_of(&config);
    assert_eq!(decided_by(&policy, &[down(), fast(30), fast(20)], &on(NTT)).chosen, Some(IIJ));
    assert_eq!(decided_by(&policy, &[degraded(5.0), fast(30), fast(20)], &on(NTT)).chosen, Some(IIJ));
}

#[test]
fn the_fallback_is_left_for_the_fastest_that_is_preferred_and_proven() {
    let decision = decided(&[fast(40), fast(30), fast(1)], &on(IIJ));
    assert_eq!(decision.chosen, Some(KDDI));
    assert!(matches!(decision.reason, Reason::Returned { .. }));
}

#[test]
fn the_fastest_says_what_the_others_have() {
    let decision = decided(&[fast(12), fast(30), fast(1)], &on(NTT));
    assert_eq!(decision.reason.to_string(), "NTT is the fastest: RTT 12.0 ms (KDDI 30.0 ms)");
}
