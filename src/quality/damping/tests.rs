use proptest::prelude::*;

use super::*;

const HALF_LIFE: Duration = Duration::from_secs(300);

fn at(seconds: f64) -> BootTime {
    BootTime(Duration::from_secs_f64(seconds))
}

fn after_falls(times: &[f64]) -> Damping {
    let mut damping = Damping::new(Some(HALF_LIFE));
    for seconds in times {
        damping.fall(at(*seconds));
    }
    damping
}

#[test]
fn three_falls_are_bad_luck_and_the_fourth_in_a_short_time_is_flapping() {
    assert_eq!(after_falls(&[10.0, 20.0, 30.0]).until(at(30.0)), None);
    let damping = after_falls(&[10.0, 20.0, 30.0, 40.0]);
    let left = damping.until(at(40.0)).unwrap().since(at(40.0));
    assert!(left > 2 * HALF_LIFE && left < 3 * HALF_LIFE, "{left:?}");
    assert_eq!(damping.in_words(at(40.0)).unwrap(), "flapped 4 times in 30 s; damped for another 12 min");
}

#[test]
fn falls_far_apart_are_never_damped() {
    let hourly: Vec<f64> = (1..100).map(|hour| f64::from(hour) * 3_600.0).collect();
    assert_eq!(after_falls(&hourly).until(at(100.0 * 3_600.0)), None);
}

#[test]
fn damping_ends_by_itself_after_four_half_lives_at_most() {
    let often: Vec<f64> = (1..1_000).map(f64::from).collect();
    let damping = after_falls(&often);
    let left = damping.until(at(999.0)).unwrap().since(at(999.0));
    assert!(left <= 4 * HALF_LIFE && left + Duration::from_secs(1) > 4 * HALF_LIFE, "{left:?}");
    assert_eq!(damping.until(at(999.0) + 4 * HALF_LIFE), None);
}

#[test]
fn what_has_decayed_is_not_told_again() {
    let damping = after_falls(&[0.0, 10_000.0, 10_010.0, 10_020.0, 10_030.0]);
    assert!(damping.in_words(at(10_030.0)).unwrap().starts_with("flapped 4 times in 30 s"));
}

#[test]
fn without_a_half_life_nothing_is_damped() {
    for half_life in [None, Some(Duration::ZERO)] {
        let mut damping = Damping::new(half_life);
        (0..100).for_each(|second| damping.fall(at(f64::from(second))));
        assert_eq!(damping.until(at(100.0)), None);
    }
}

proptest! {
    /// Without its ceiling, the penalty is the sum of what each fall alone would have left.
    #[test]
    fn the_penalty_is_the_sum_of_its_falls(gaps in prop::collection::vec(0.1_f64..2_000.0, 1..10), wait in 0.0_f64..2_000.0) {
        let times: Vec<f64> = gaps.iter().scan(0.0, |time, gap| { *time += gap; Some(*time) }).collect();
        let now = times.last().unwrap() + wait;
        let sum: f64 = times.iter().map(|time| 1_000.0 * (-(now - time) / 300.0).exp2()).sum();
        let damping = after_falls(&times);
        prop_assert!((damping.penalty_at(at(now)) - sum).abs() < 0.01, "{} for {sum}", damping.penalty_at(at(now)));
    }

    /// While it is damped the penalty is above the bound of reuse, and damping ends where it meets that bound.
    #[test]
    fn damping_ends_where_the_penalty_meets_the_bound(gaps in prop::collection::vec(0.1_f64..200.0, 4..40)) {
        let times: Vec<f64> = gaps.iter().scan(0.0, |time, gap| { *time += gap; Some(*time) }).collect();
        let damping = after_falls(&times);
        let now = at(*times.last().unwrap());
        if let Some(until) = damping.until(now) {
            prop_assert!((damping.penalty_at(until) - 750.0).abs() < 0.01);
            prop_assert!(until.since(now) <= 4 * HALF_LIFE);
        } else {
            prop_assert!(damping.penalty_at(now) <= 3_000.0);
        }
    }
}
