//! What holds traffic where it is although another uplink is better.

use super::{KDDI, Memory, NOW, NTT, ago, config, decide, degraded, down, exchange, on, policy_of, seconds, up};
use crate::{
    config::{Config, DayWindow, Fallback},
    domain::{BootTime, TimeOfDay, UplinkId},
    select::{Decision, Moment, PathInput, Reason},
};

fn decided(config: &Config, paths: &[PathInput], memory: &Memory, of_day: Option<TimeOfDay>) -> Decision {
    let paths = (0..).map(UplinkId).zip(paths.iter().cloned()).collect();
    decide(&policy_of(config), &exchange(), &paths, memory, Moment { at: NOW, of_day })
}

fn capped(moves: u32) -> Config {
    let mut config = config();
    config.policy.treatment.moves_per_hour = moves;
    config
}

fn at_night() -> Config {
    let mut config = config();
    config.policy.treatment.move_windows = vec![DayWindow { from: time(22, 0), to: time(5, 0) }];
    config
}

fn time(hour: u16, minute: u16) -> TimeOfDay {
    TimeOfDay::new(hour, minute).unwrap()
}

fn moved(times: &[f64]) -> Memory {
    Memory { moves: times.iter().map(|time| ago(*time)).collect(), ..on(KDDI) }
}

/// NTT has been up for long enough to return to.
fn healed() -> [PathInput; 3] {
    [up(10.0), up(100.0), up(100.0)]
}

#[test]
fn a_class_that_moved_as_often_as_the_cap_allows_stays_until_the_first_of_these_is_an_hour_old() {
    let decision = decided(&capped(2), &healed(), &moved(&[900.0, 20.0]), None);
    assert_eq!((decision.chosen, decision.review_at), (Some(KDDI), Some(ago(900.0) + seconds(3600))));
    assert_eq!(
        decision.reason.to_string(),
        "stays on KDDI (RTT 12.1 ms, loss 0.0 % (20 probes)) though NTT would take over: \
         it moved 2 times within an hour (moves_per_hour)"
    );
    let below = decided(&capped(3), &healed(), &moved(&[900.0, 20.0]), None);
    assert_eq!((below.chosen, below.moves.len()), (Some(NTT), 3));
}

#[test]
fn the_cap_holds_what_violates_its_sla_and_nothing_that_is_dead() {
    let memory = Memory { moves: vec![ago(900.0), ago(20.0)], ..on(NTT) };
    let held = decided(&capped(2), &[degraded(60.0), up(100.0), up(100.0)], &memory, None);
    assert!(matches!(held.reason, Reason::Held { .. }) && held.chosen == Some(NTT));
    let left = decided(&capped(2), &[down(), up(100.0), up(100.0)], &memory, None);
    assert_eq!((left.chosen, left.moves), (Some(KDDI), memory.moves));
}

#[test]
fn no_more_moves_are_remembered_than_the_cap_asks_for() {
    let memory = Memory { moves: vec![BootTime::default(); 3], ..on(KDDI) };
    let mut config = capped(3);
    config.policy.treatment.return_after = seconds(0);
    let paths: Vec<PathInput> = healed().into();
    let later = BootTime(seconds(10_000));
    let all = (0..).map(UplinkId).zip(paths).collect();
    let decision = decide(&policy_of(&config), &exchange(), &all, &memory, later);
    assert_eq!((decision.chosen, decision.moves), (Some(NTT), vec![BootTime::default(), BootTime::default(), later]));
}

#[test]
fn outside_of_its_windows_traffic_waits_for_the_next_one_and_inside_it_moves() {
    let held = decided(&at_night(), &healed(), &on(KDDI), Some(time(21, 30)));
    assert_eq!((held.chosen, held.review_at), (Some(KDDI), Some(NOW + seconds(30 * 60))));
    assert!(held.reason.to_string().ends_with("traffic moves from 22:00 on (move_windows)"), "{}", held.reason);
    for inside in [time(22, 0), time(23, 59), time(0, 0), time(4, 59)] {
        assert_eq!(decided(&at_night(), &healed(), &on(KDDI), Some(inside)).chosen, Some(NTT), "{inside}");
    }
    assert_eq!(decided(&at_night(), &healed(), &on(KDDI), Some(time(5, 0))).chosen, Some(KDDI));
}

#[test]
fn windows_hold_neither_what_is_dead_nor_what_violates_its_sla() {
    let noon = Some(time(12, 0));
    assert_eq!(decided(&at_night(), &[down(), up(1.0), up(1.0)], &on(NTT), noon).chosen, Some(KDDI));
    assert_eq!(decided(&at_night(), &[degraded(5.0), up(1.0), up(1.0)], &on(NTT), noon).chosen, Some(KDDI));
}

#[test]
fn without_a_clock_no_window_is_open() {
    let decision = decided(&at_night(), &healed(), &on(KDDI), None);
    assert_eq!((decision.chosen, decision.review_at), (Some(KDDI), None));
    assert!(decision.reason.to_string().contains("clock of the router is not set"), "{}", decision.reason);
}

#[test]
fn a_class_stays_at_least_as_long_as_it_must() {
    let mut config = config();
    config.policy.treatment.stay_at_least = seconds(600);
    let memory = Memory { since: ago(500.0), ..on(KDDI) };
    let held = decided(&config, &healed(), &memory, None);
    assert_eq!((held.chosen, held.review_at), (Some(KDDI), Some(NOW + seconds(100))));
    let memory = Memory { since: ago(600.0), ..on(KDDI) };
    assert_eq!(decided(&config, &healed(), &memory, None).chosen, Some(NTT));
}

/// NTT alone is preferred; the others answer and are excluded, so that the main table may lead by them.
fn ntt_or_nothing() -> Config {
    let mut config = config();
    config.policy.preferred = vec![crate::domain::IspId(0)];
    config.policy.treatment.fallback = Fallback::None;
    config
}

#[test]
fn traffic_that_the_main_table_serves_comes_back_no_sooner_than_from_another_uplink() {
    let config = ntt_or_nothing();
    let lost = decided(&config, &[down(), up(100.0), up(100.0)], &on(NTT), None);
    assert_eq!((lost.chosen, lost.displaced), (None, true));
    let waits = decided(&config, &[up(4.0), up(100.0), up(100.0)], &lost.memory(), None);
    assert_eq!((waits.chosen, waits.displaced, waits.review_at), (None, true, Some(ago(4.0) + seconds(10))));
    assert_eq!(
        waits.reason.to_string(),
        "left to the main table: NTT has been good for 4 s of 10 s before traffic returns"
    );
    let back = decided(&config, &[up(10.0), up(100.0), up(100.0)], &waits.memory(), None);
    assert_eq!((back.chosen, back.displaced, back.moves), (Some(NTT), false, vec![NOW]));
}

#[test]
fn coming_back_from_the_main_table_counts_under_the_cap() {
    let mut config = ntt_or_nothing();
    config.policy.treatment.moves_per_hour = 1;
    let memory = Memory { displaced: true, moves: vec![ago(60.0)], since: ago(500.0), ..Memory::default() };
    let held = decided(&config, &[up(10.0), up(100.0), up(100.0)], &memory, None);
    assert_eq!((held.chosen, held.review_at), (None, Some(ago(60.0) + seconds(3_600))));
}

#[test]
fn where_nobody_else_answers_the_main_table_is_not_waited_in() {
    let memory = Memory { displaced: true, since: ago(500.0), ..Memory::default() };
    assert_eq!(decided(&ntt_or_nothing(), &[up(0.0), down(), down()], &memory, None).chosen, Some(NTT));
}
