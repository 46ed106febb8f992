//! What an SLA is judged by: percentile, jitter, loss and the time that they are taken from.

use super::*;
use crate::config::Percentile;

/// Nothing is judged but what the test asks for.
fn judged(sla: Sla) -> Thresholds {
    Thresholds { window: 60, sla, ..thresholds() }
}

fn at_p95() -> Sla {
    Sla { rtt: Some(ms(40.0)), percentile: Percentile(95), ..Sla::default() }
}

fn steady_jitter() -> Sla {
    Sla { jitter: Some(ms(10.0)), ..Sla::default() }
}

/// RTTs in turn, for as many probes.
fn answer_in_turn(path: &mut Probed, count: usize, rtts: &[f64]) -> Vec<Transition> {
    rtts.iter().cycle().take(count).filter_map(|rtt| path.answer(*rtt)).collect()
}

// Percentile.

#[test]
fn a_tail_beyond_the_bound_degrades_at_p95_and_not_at_the_median() {
    let tail = [12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 62.3];
    let mut median = Probed::new(judged(Sla { percentile: Percentile(50), ..at_p95() }));
    answer_in_turn(&mut median, 60, &tail);
    assert_eq!(median.state(), PathState::Up);
    let mut p95 = Probed::new(judged(at_p95()));
    answer_in_turn(&mut p95, 60, &tail);
    assert_eq!(p95.state(), PathState::Degraded);
    assert_eq!(p95.quality.evidence(), "p95 RTT 62.3 ms > 40 ms (60 probes)");
}

#[test]
fn the_percentile_is_the_nearest_rank_but_never_the_largest() {
    // Percentile, answers, how many of them are slow, whether it is a violation.
    let table = [
        (95, 10, 1, false),
        (95, 10, 2, true),
        (95, 39, 1, false),
        (95, 39, 2, true),
        (95, 60, 3, false),
        (95, 60, 4, true),
        (99, 60, 1, false),
        (99, 60, 2, true),
        (90, 60, 6, false),
        (90, 60, 7, true),
        (51, 60, 29, false),
        (51, 60, 30, true),
    ];
    for (percent, answers, slow, violated) in table {
        let mut path = Probed::new(judged(Sla { percentile: Percentile(percent), ..at_p95() }));
        path.answers(answers - slow, 12.0);
        path.answers(slow, 62.0);
        let state = if violated { PathState::Degraded } else { PathState::Up };
        assert_eq!(path.state(), state, "p{percent}, {slow} of {answers} are slow");
    }
}

#[test]
fn a_percentile_above_the_median_is_not_judged_by_nine_answers() {
    let mut path = Probed::new(judged(at_p95()));
    path.answers(9, 62.0);
    assert_eq!(path.state(), PathState::Up);
    path.answer(62.0);
    assert_eq!(path.state(), PathState::Degraded);
}

#[test]
fn half_of_a_small_window_is_enough_for_a_percentile() {
    let mut path = Probed::new(Thresholds { window: 6, ..judged(at_p95()) });
    path.answers(2, 62.0);
    assert_eq!(path.state(), PathState::Up);
    path.answer(62.0);
    assert_eq!(path.state(), PathState::Degraded);
}

#[test]
fn a_percentile_recovers_when_it_is_ten_percent_better_than_the_bound() {
    let mut path = Probed::new(judged(at_p95()));
    path.answers(60, 62.0);
    assert!(path.answers(60, 38.0).is_empty());
    assert_eq!(path.quality.evidence(), "p95 RTT 38.0 ms, not yet under 36 ms (60 probes)");
    let back = path.answers(60, 36.0);
    assert_eq!(back.first().map(|transition| transition.to), Some(PathState::Up));
}

// Jitter.

#[test]
fn an_unsteady_path_is_degraded_though_its_median_is_good() {
    let mut path = Probed::new(judged(Sla { rtt: Some(ms(40.0)), ..steady_jitter() }));
    answer_in_turn(&mut path, 60, &[10.0, 22.0]);
    assert_eq!(path.state(), PathState::Degraded);
    assert_eq!(path.quality.evidence(), "jitter 12.0 ms > 10 ms (60 probes)");
}

#[test]
fn jitter_recovers_when_it_is_ten_percent_better_than_the_bound() {
    let mut path = Probed::new(judged(steady_jitter()));
    answer_in_turn(&mut path, 60, &[10.0, 22.0]);
    assert!(answer_in_turn(&mut path, 60, &[10.0, 19.5]).is_empty());
    assert_eq!(path.quality.evidence(), "jitter 9.5 ms, not yet under 9 ms (60 probes)");
    let back = answer_in_turn(&mut path, 60, &[10.0, 18.5]);
    assert_eq!(back.first().map(|transition| transition.to), Some(PathState::Up));
}

#[test]
fn jitter_is_not_judged_before_there_are_five_pairs() {
    let mut path = Probed::new(judged(steady_jitter()));
    answer_in_turn(&mut path, 5, &[10.0, 90.0]);
    assert_eq!(path.state(), PathState::Up);
    path.answer(90.0);
    assert_eq!(path.state(), PathState::Degraded);
}

#[test]
fn lost_probes_make_no_jitter() {
    let mut path = Probed::new(judged(steady_jitter()));
    for _ in 0..30 {
        path.answer(10.0);
        path.loss();
        path.answer(90.0);
        path.loss();
    }
    assert_eq!(path.figures().jitter, None);
    assert_eq!(path.state(), PathState::Up);
}

#[test]
fn figures_are_named_in_the_order_of_rtt_jitter_and_loss() {
    let sla = Sla { loss: Some(0.02), jitter: Some(ms(10.0)), ..at_p95() };
    let mut path = Probed::new(judged(sla));
    answer_in_turn(&mut path, 57, &[50.3, 62.3]);
    for _ in 0..3 {
        path.loss();
        path.answer(62.3);
    }
    assert_eq!(
        path.quality.evidence(),
        "p95 RTT 62.3 ms > 40 ms, jitter 12.0 ms > 10 ms, loss 5.0 % > 2 % (60 probes)"
    );
}

// Window: probes go every half second.

#[test]
fn only_probes_within_the_time_of_the_sla_are_judged() {
    let recent = Sla { window: Some(Duration::from_secs(10)), loss: Some(0.02), ..at_p95() };
    let mut path = Probed::new(judged(recent));
    path.answers(20, 62.0);
    assert_eq!(path.state(), PathState::Degraded);
    let back = (1..=60).find(|_| path.answer(12.0).is_some()).unwrap();
    assert_eq!(back, 20, "one of 21 probes within 10 s is the largest, and two are not");
    assert_eq!(path.state(), PathState::Up);
    assert_eq!(path.figures().rtt_p95, Some(ms(62.0)), "what is shown is of the whole window");
}

#[test]
fn the_median_is_of_the_time_of_the_sla_and_not_of_the_newest_half() {
    let slow_since = |window| {
        let mut path = Probed::new(judged(Sla { rtt: Some(ms(40.0)), window, ..Sla::default() }));
        path.answers(60, 12.0);
        (1..=60).find(|_| path.answer(52.0).is_some())
    };
    assert_eq!(slow_since(Some(Duration::from_secs(5))), Some(6), "11 probes within 5 s");
    assert_eq!(slow_since(None), Some(16), "30 probes in the newest half");
    assert_eq!(slow_since(Some(Duration::from_secs(600))), Some(31), "all 60");
}

#[test]
fn what_is_lost_before_the_time_of_the_sla_is_forgiven() {
    let sla = Sla { loss: Some(0.02), window: Some(Duration::from_secs(10)), ..Sla::default() };
    let mut path = Probed::new(judged(sla));
    path.answers(40, 12.0);
    path.losses(2);
    assert_eq!(path.state(), PathState::Degraded);
    assert_eq!(path.quality.evidence(), "loss 9.5 % > 2 % (42 probes)");
    path.answers(21, 12.0);
    assert_eq!(path.state(), PathState::Up);
    assert!(path.figures().loss.is_some_and(|loss| loss > 0.02), "what is shown is of the whole window");
}

#[test]
fn too_few_probes_within_the_time_of_the_sla_are_no_violation() {
    let sla = Sla { loss: Some(0.02), window: Some(Duration::from_secs(4)), ..at_p95() };
    let mut path = Probed::new(judged(sla));
    for _ in 0..60 {
        path.answers(1, 90.0);
        path.losses(2);
    }
    assert_ne!(path.state(), PathState::Degraded, "9 probes within 4 s");
    assert_eq!(path.quality.evidence().find('>'), None);
}

#[test]
fn judgements_that_know_too_little_do_not_count() {
    let sla = Sla { loss: Some(0.02), window: Some(Duration::from_secs(60)), ..Sla::default() };
    let mut path = Probed::new(Thresholds { degraded_after: 3, ..judged(sla) });
    path.answers(8, 12.0);
    path.losses(2);
    assert_eq!(path.state(), PathState::Up, "one judgement");
    path.answers(1, 12.0);
    assert_eq!(path.state(), PathState::Up, "two");
    path.answers(1, 12.0);
    assert_eq!(path.state(), PathState::Degraded);
}

#[test]
fn a_violation_seen_in_a_burst_of_probes_does_not_last_for_want_of_further_ones() {
    let sla = Sla { loss: Some(0.02), window: Some(Duration::from_secs(10)), ..Sla::default() };
    let mut path = Probed::new(judged(sla));
    path.answers(18, 12.0);
    path.losses(2);
    assert_eq!(path.state(), PathState::Degraded);
    let mut slowly = || {
        path.now = path.now + Duration::from_secs(4);
        path.answer(12.0).map(|transition| transition.to)
    };
    let seen: Vec<PathState> = (0..10).filter_map(|_| slowly()).collect();
    assert_eq!(seen, [PathState::Up], "three probes within 10 s, but none of the newest ten is lost");
}

/// What Microsoft asks of a network for Teams: RTT under 100 ms, jitter under 30 ms and loss under 1 %, each over 15 s.
#[test]
fn bounds_of_teams_tell_a_good_call_from_a_bad_one() {
    let sla = Sla {
        rtt: Some(ms(100.0)),
        percentile: Percentile(95),
        jitter: Some(ms(30.0)),
        loss: Some(0.01),
        window: Some(Duration::from_secs(15)),
    };
    let call = |rtts: &[f64]| {
        let mut path = Probed::new(judged(sla));
        answer_in_turn(&mut path, 60, rtts);
        path.quality.evidence()
    };
    assert_eq!(call(&[60.0, 70.0, 80.0]), "RTT 70.0 ms, loss 0.0 % (60 probes)");
    assert_eq!(call(&[60.0, 70.0, 110.0]), "p95 RTT 110.0 ms > 100 ms, jitter 33.3 ms > 30 ms (60 probes)");
    assert_eq!(call(&[40.0, 90.0]), "jitter 50.0 ms > 30 ms (60 probes)");
}

fn any_sla() -> impl Strategy<Value = Sla> {
    let bound = || prop::option::of((0_u64..80).prop_map(Duration::from_millis));
    let loss = prop::option::of((0_u32..=100).prop_map(|percent| f64::from(percent) / 100.0));
    let age = prop::option::of((0_u64..100).prop_map(Duration::from_secs));
    (bound(), 0..=255_u8, bound(), loss, age).prop_map(|(rtt, percent, jitter, loss, window)| Sla {
        rtt,
        percentile: Percentile(percent),
        jitter,
        loss,
        window,
    })
}

proptest! {
    /// Whatever is asked for and measured: a degraded path says why, with figures that are not better than they must be.
    #[test]
    fn a_degraded_path_has_a_figure_that_must_get_better_or_is_being_restored(
        sla in any_sla(), window in 5_usize..50, outcomes in prop::collection::vec(outcome(), 0..200),
    ) {
        let mut path = Probed::new(Thresholds { window, restored_after: 3, ..judged(sla) });
        for outcome in outcomes {
            match outcome { Some(rtt) => path.answer(f64::from(rtt)), None => path.loss() };
            let evidence = path.quality.evidence();
            if path.state() == PathState::Degraded {
                prop_assert!(evidence.contains('>') || evidence.contains("not yet under")
                    || evidence.contains("too few") || evidence.contains("again"), "{evidence}");
            }
        }
    }

    /// A path whose figures never were beyond a bound is never degraded.
    #[test]
    fn a_path_with_figures_inside_all_bounds_is_never_degraded(
        sla in any_sla(), outcomes in prop::collection::vec(outcome(), 0..200),
    ) {
        let sla = Sla { window: None, percentile: Percentile(sla.percentile.0.clamp(50, 99)), ..sla };
        let mut path = Probed::new(judged(sla));
        for outcome in outcomes {
            match outcome { Some(rtt) => path.answer(f64::from(rtt)), None => path.loss() };
            let figures = path.figures();
            let rtt = if sla.percentile.0 == 50 { figures.rtt_recent } else { figures.rtt_p99 };
            let is_beyond = |bound: Option<Duration>, measured: Option<Duration>| {
                bound.zip(measured).is_some_and(|(bound, measured)| measured > bound)
            };
            let lossy = sla.loss.zip(figures.loss).is_some_and(|(bound, loss)| loss > bound);
            if is_beyond(sla.rtt, rtt) || is_beyond(sla.jitter, figures.jitter) || lossy {
                return Ok(());
            }
            prop_assert_ne!(path.state(), PathState::Degraded);
        }
    }

    /// A constant RTT has no jitter, and violates no bound of it.
    #[test]
    fn a_constant_rtt_has_no_jitter(rtt in 1_u16..1_000, lost in prop::collection::vec(any::<bool>(), 1..100)) {
        let mut path = Probed::new(judged(Sla { jitter: Some(Duration::ZERO), ..Sla::default() }));
        for lost in lost {
            if lost { path.loss(); } else { path.answer(f64::from(rtt)); }
            prop_assert_ne!(path.state(), PathState::Degraded);
            prop_assert!(path.figures().jitter.is_none_or(|jitter| jitter.is_zero()));
        }
    }

    /// A window of the SLA that covers everything changes nothing but what the median is taken from.
    #[test]
    fn a_time_that_covers_everything_is_as_none(
        sla in any_sla(), window in 5_usize..50, outcomes in prop::collection::vec(outcome(), 0..200),
    ) {
        let sla = Sla { window: None, percentile: Percentile(sla.percentile.0.clamp(51, 99)), ..sla };
        let mut bare = Probed::new(Thresholds { window, ..judged(sla) });
        let timed = Sla { window: Some(Duration::from_secs(600)), ..sla };
        let mut timed = Probed::new(Thresholds { window, ..judged(timed) });
        for outcome in outcomes {
            for path in [&mut bare, &mut timed] {
                match outcome { Some(rtt) => path.answer(f64::from(rtt)), None => path.loss() };
            }
            prop_assert_eq!(bare.state(), timed.state());
            prop_assert_eq!(bare.quality.evidence(), timed.quality.evidence());
        }
    }

    /// Time that passes without a probe, and probes that come seldom, panic nowhere and change no judgement by themselves.
    #[test]
    fn a_review_without_a_probe_judges_nothing(
        sla in any_sla(), steps in prop::collection::vec((outcome(), 0_u64..40), 0..100),
    ) {
        let mut path = Probed::new(judged(sla));
        for (outcome, wait) in steps {
            match outcome { Some(rtt) => path.answer(f64::from(rtt)), None => path.loss() };
            let before = (path.state(), path.quality.evidence());
            path.now = path.now + Duration::from_secs(wait);
            path.quality.review(path.now);
            prop_assert_eq!(before, (path.state(), path.quality.evidence()));
        }
    }
}
