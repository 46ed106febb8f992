//! Overdue probes, counts of judgements, hold-down and damping.

use super::*;

fn late(path: &mut Probed, rtt_ms: f64) -> Vec<Transition> {
    let sent = path.now + INTERVAL;
    path.now = sent + Duration::from_millis(400);
    let overdue = path.quality.observe(probed(sent, ProbeOutcome::Overdue), path.now);
    path.now = path.now + Duration::from_millis(400);
    let answered = path.quality.observe(probed(sent, ProbeOutcome::Answered(ms(rtt_ms))), path.now);
    overdue.into_iter().chain(answered).collect()
}

#[test]
fn a_late_answer_takes_the_place_of_its_overdue_probe() {
    let mut path = Probed::up();
    let sent = path.now + INTERVAL;
    path.quality.observe(probed(sent, ProbeOutcome::Overdue), sent + ms(300.0));
    assert_eq!((path.figures().loss, path.figures().probes), (Some(0.05), 20));
    path.quality.observe(probed(sent, ProbeOutcome::Answered(ms(700.0))), sent + ms(700.0));
    assert_eq!((path.figures().loss, path.figures().probes), (Some(0.0), 20));
    assert_eq!(path.figures().rtt_p99, Some(ms(700.0)));
    assert_eq!(path.quality.history(path.now)[0].probes, 21);
}

#[test]
fn an_overdue_probe_that_is_lost_is_lost_once() {
    let mut path = Probed::up();
    let sent = path.now + INTERVAL;
    for outcome in [ProbeOutcome::Overdue, ProbeOutcome::Failed(ProbeFailure::Timeout), ProbeOutcome::Overdue] {
        path.quality.observe(probed(sent, outcome), sent);
    }
    assert_eq!(path.figures().loss, Some(0.05));
    assert_eq!(path.quality.history(sent)[0].lost, 1);
}

#[test]
fn overdue_probes_take_a_path_down_and_their_late_answers_bring_it_back() {
    let mut path = Probed::up();
    let start = path.now;
    for step in 1..=3 {
        path.quality.observe(probed(start + INTERVAL * step, ProbeOutcome::Overdue), start + INTERVAL * 4);
    }
    assert_eq!(path.state(), PathState::Down);
    assert_eq!(path.quality.evidence(), "3 probes in a row lost: answers are overdue");
    for step in [1, 2] {
        path.quality.observe(probed(start + INTERVAL * step, ProbeOutcome::Answered(ms(30.0))), start + INTERVAL * 5);
    }
    assert_eq!(path.state(), PathState::Down, "the newest is still overdue");
    path.quality.observe(probed(start + INTERVAL * 3, ProbeOutcome::Answered(ms(30.0))), start + INTERVAL * 5);
    assert_eq!(path.state(), PathState::Up);
    assert_eq!(path.quality.history(path.now)[0].lost, 0, "late is not lost");
}

#[test]
fn a_path_that_became_slow_is_degraded_and_not_dead() {
    let mut path = Probed::up();
    let states: Vec<_> = (0..20).flat_map(|_| late(&mut path, 600.0)).map(|change| change.to).collect();
    assert_eq!(states, [PathState::Degraded]);
}

#[test]
fn as_many_judgements_in_a_row_as_configured_degrade_and_restore() {
    let mut path = Probed::new(Thresholds { degraded_after: 4, restored_after: 5, ..thresholds() });
    path.answers(20, 12.0);
    path.loss();
    path.answers(2, 12.0);
    path.loss();
    assert_eq!(path.state(), PathState::Up, "one judgement");
    path.answers(2, 12.0);
    assert_eq!(path.state(), PathState::Up);
    path.answer(12.0);
    assert_eq!(path.state(), PathState::Degraded);
    path.answers(17, 12.0);
    assert_eq!(path.quality.evidence(), "within its SLA again, 1 of 5 judgements (20 probes)");
    path.answers(3, 12.0);
    assert_eq!(path.state(), PathState::Degraded);
    path.answer(12.0);
    assert_eq!(path.state(), PathState::Up);
}

#[test]
fn a_path_stays_down_as_long_as_it_is_held_and_comes_up_without_a_probe() {
    let mut path = Probed::new(Thresholds { hold_down: Duration::from_secs(10), ..thresholds() });
    path.answers(20, 12.0);
    path.losses(3);
    let fell = path.now;
    assert_eq!(path.quality.wakes_at(), None, "nothing answers");
    path.answers(2, 12.0);
    assert_eq!(path.state(), PathState::Down);
    let wakes = path.quality.wakes_at().unwrap();
    assert_eq!(wakes, fell + Duration::from_secs(10));
    assert_eq!(path.quality.review(fell + ms(9_999.0)), None);
    let transition = path.quality.review(wakes).unwrap();
    assert_eq!((transition.from, transition.to), (PathState::Down, PathState::Up));
    assert_eq!(path.quality.wakes_at(), None);
}

#[test]
fn a_run_of_answers_that_breaks_while_held_begins_again() {
    let mut path = Probed::new(Thresholds { hold_down: Duration::from_secs(2), ..thresholds() });
    path.answers(20, 12.0);
    path.losses(3);
    path.answers(3, 12.0);
    path.loss();
    assert_eq!(path.quality.review(path.now + Duration::from_secs(60)), None);
    path.answers(2, 12.0);
    assert_eq!(path.state(), PathState::Up);
}

fn damped() -> Probed {
    let mut path = Probed::new(Thresholds { flap_half_life: Some(Duration::from_secs(300)), ..thresholds() });
    path.answers(20, 12.0);
    for _ in 0..4 {
        path.losses(3);
        path.answers(2, 12.0);
    }
    path
}

#[test]
fn a_path_that_flaps_is_degraded_for_a_while_though_it_answers() {
    let mut path = damped();
    assert_eq!(path.state(), PathState::Degraded);
    assert_eq!(path.quality.evidence(), "flapped 4 times in 8 s; damped for another 12 min (2 probes)");
    path.answers(40, 12.0);
    assert_eq!(path.state(), PathState::Degraded, "not by probes");
    let until = path.quality.damped_until(path.now).unwrap();
    assert_eq!(path.quality.wakes_at(), Some(until));
    let transition = path.quality.review(until).unwrap();
    assert_eq!((transition.to, path.quality.damped_until(until)), (PathState::Up, None));
    assert_eq!(path.quality.wakes_at(), None);
}

#[test]
fn what_else_is_wrong_with_a_damped_path_is_told_and_outlasts_damping() {
    let mut path = damped();
    path.answers(20, 52.0);
    assert!(
        path.quality.evidence().starts_with("RTT 52.0 ms > 40 ms; flapped 4 times"),
        "{}",
        path.quality.evidence()
    );
    let until = path.quality.damped_until(path.now).unwrap();
    assert_eq!(path.quality.review(until), None);
    assert_eq!(path.quality.evidence(), "RTT 52.0 ms > 40 ms (20 probes)");
}

#[test]
fn a_carrier_that_flaps_is_a_path_that_flaps_and_one_that_is_gone_is_not() {
    let half_life = Some(Duration::from_secs(300));
    let mut path = Probed::new(Thresholds { flap_half_life: half_life, ..thresholds() });
    for _ in 0..4 {
        path.answers(2, 12.0);
        path.quality.short_cut_down("no carrier", path.now);
    }
    assert!(path.quality.damped_until(path.now).is_some());
    let mut path = Probed::new(Thresholds { flap_half_life: half_life, ..thresholds() });
    for _ in 0..40 {
        path.quality.short_cut_down("no carrier", path.now);
        path.losses(3);
    }
    assert_eq!(path.quality.damped_until(path.now), None);
}

#[test]
fn loss_is_told_with_its_bounds() {
    let mut path = Probed::up();
    path.loss();
    let (low, high) = path.figures().loss_bounds.unwrap();
    assert!(low > 0.0 && low < 0.05 && high > 0.2 && high < 0.25, "{low} to {high}");
}

#[test]
fn smoothed_jitter_is_that_of_rfc_3550() {
    let mut path = Probed::new(thresholds());
    path.answer(10.0);
    path.answer(14.0);
    assert_eq!(path.figures().jitter_smoothed, Some(ms(4.0)));
    path.answer(14.0);
    assert_eq!(path.figures().jitter_smoothed, Some(ms(3.75)));
}

#[test]
fn service_time_is_apart_from_the_rtt() {
    let mut path = Probed::new(thresholds());
    for service in [40.0, 80.0, 60.0] {
        path.now = path.now + INTERVAL;
        let observed = probed(path.now, ProbeOutcome::Answered(ms(12.0)));
        path.quality.observe(Observation { service_time: Some(ms(service)), ..observed }, path.now);
    }
    assert_eq!((path.figures().service_median, path.figures().rtt_median), (Some(ms(60.0)), Some(ms(12.0))));
}
