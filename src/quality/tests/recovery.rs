//! What a path says it still needs to be up again.

use super::*;
use crate::{
    config::{self, Percentile},
    domain::Target,
    quality::{Count, Excess, Recovery, Violation},
};

fn said(path: &Probed) -> String {
    path.quality.recovery(path.now).map_or_else(String::new, |recovery| recovery.to_string())
}

#[test]
fn a_path_that_is_up_or_never_was_has_nothing_to_recover_from() {
    assert_eq!(Probed::up().quality.recovery(BootTime::default()), None);
    assert_eq!(Probed::new(thresholds()).quality.recovery(BootTime::default()), None);
}

#[test]
fn each_violated_figure_comes_with_what_it_must_get_under() {
    let sla = Sla { jitter: Some(ms(10.0)), percentile: Percentile(95), ..thresholds().sla };
    let mut path = Probed::new(Thresholds { sla, restored_after: 5, ..thresholds() });
    for _ in 0..9 {
        path.answer(50.0);
        path.answer(62.0);
    }
    path.losses(2);
    let violated = vec![
        Violation::Rtt(Percentile(95), Excess { measured: Some(ms(62.0)), bound: ms(40.0), under: ms(36.0) }),
        Violation::Jitter(Excess { measured: Some(ms(12.0)), bound: ms(10.0), under: ms(9.0) }),
        Violation::Loss(Excess { measured: Some(0.1), bound: 0.02, under: 0.02 }),
    ];
    let judgements = Some(Count { so_far: 0, needed: 5 });
    assert_eq!(path.quality.recovery(path.now), Some(Recovery::Degraded { violated, judgements, damped_for: None }));
    assert_eq!(
        said(&path),
        "p95 RTT 62.0 ms, must be under 36 ms; jitter 12.0 ms, must be under 9 ms; loss 10.0 %, must be under 2 %; \
         0 of 5 judgements in a row"
    );
}

#[test]
fn judgements_are_counted_once_all_figures_are_good_again() {
    let mut path = Probed::new(Thresholds { restored_after: 5, ..thresholds() });
    path.answers(20, 52.0);
    path.answers(5, 12.0);
    assert_eq!(said(&path), "0 of 5 judgements in a row".replace('0', "1"));
    path.answers(3, 12.0);
    assert_eq!(said(&path), "4 of 5 judgements in a row");
    path.answer(12.0);
    assert_eq!(said(&path), "");
}

#[test]
fn a_bound_of_no_loss_at_all_is_told_as_that() {
    let mut path = Probed::new(Thresholds { sla: Sla { loss: Some(0.0), ..Sla::default() }, ..thresholds() });
    path.answers(18, 12.0);
    path.losses(2);
    assert_eq!(said(&path), "loss 10.0 %, must be 0 %; 0 of 1 judgements in a row");
}

#[test]
fn a_path_that_is_only_damped_needs_nothing_but_time() {
    let half_life = Some(Duration::from_secs(300));
    let mut path = Probed::new(Thresholds { flap_half_life: half_life, ..thresholds() });
    for _ in 0..4 {
        path.answers(2, 12.0);
        path.quality.short_cut_down("no carrier", path.now);
    }
    path.answers(2, 12.0);
    let until = path.quality.damped_until(path.now).unwrap();
    let damped_for = Some(until.since(path.now));
    let only = Recovery::Degraded { violated: Vec::new(), judgements: None, damped_for };
    assert_eq!(path.quality.recovery(path.now), Some(only));
    assert_eq!(said(&path), "damped for another 13 min");
    let due = path.quality.recovery(until).unwrap();
    assert_eq!(due.to_string(), "nothing: it is up when it is looked at next");
}

#[test]
fn a_path_that_is_down_counts_answers_and_the_time_that_it_is_held() {
    let mut path = Probed::new(Thresholds { hold_down: Duration::from_secs(10), up_after: 3, ..thresholds() });
    path.answers(20, 12.0);
    path.losses(3);
    assert_eq!(said(&path), "0 of 3 answers in a row; held down for another 10 s");
    path.answers(2, 12.0);
    assert_eq!(said(&path), "2 of 3 answers in a row; held down for another 9 s");
    path.answers(8, 12.0);
    assert_eq!(said(&path), "3 of 3 answers in a row; held down for another 5 s");
    path.loss();
    path.now = path.now + Duration::from_secs(10);
    assert_eq!(said(&path), "0 of 3 answers in a row");
}

#[test]
fn a_quorum_that_is_missing_is_told_with_the_targets_that_answered() {
    let at = |port| Target::tcp(std::net::SocketAddr::from(([192, 0, 2, 1], port)));
    let mut now = BootTime(Duration::from_secs(100));
    let mut quality = PathQuality::new(Thresholds { quorum: 2, ..thresholds() }, vec![at(1), at(2), at(3)], now);
    quality.short_cut_down("no carrier", now);
    for _ in 0..3 {
        now = now + INTERVAL;
        quality.observe(probed(now, ProbeOutcome::Answered(ms(12.0))), now);
    }
    assert_eq!(quality.recovery(now).unwrap().to_string(), "2 of 2 answers in a row; 1 of 2 targets answered");
}

#[test]
fn a_path_on_which_others_answered_waits_for_proof() {
    let tls = config::target("tls:outlook.office.com:443", 443).unwrap();
    let mut now = BootTime(Duration::from_secs(100));
    let mut quality = PathQuality::new(thresholds(), vec![tls], now);
    for _ in 0..3 {
        now = now + INTERVAL;
        quality.observe(probed(now, ProbeOutcome::Failed(ProbeFailure::Untrusted)), now);
    }
    let recovery = quality.recovery(now).unwrap();
    assert_eq!(recovery.to_string(), "0 of 2 answers in a row; waits for proof of identity");
}

proptest! {
    /// Once all that is asked for is there, the path is up at the next look; as long as it is not, it says what is missing.
    #[test]
    fn a_path_that_lacks_nothing_comes_up(
        outcomes in prop::collection::vec(outcome(), 0..200), hold in 0_u64..8, damped in any::<bool>(),
    ) {
        let flap_half_life = damped.then_some(Duration::from_secs(20));
        let mut path = Probed::new(Thresholds { hold_down: Duration::from_secs(hold), flap_half_life, ..thresholds() });
        for outcome in outcomes {
            match outcome { Some(rtt) => path.answer(f64::from(rtt)), None => path.loss() };
            let recovery = path.quality.recovery(path.now);
            prop_assert_eq!(recovery.is_some(), matches!(path.state(), PathState::Down | PathState::Degraded));
            match recovery {
                Some(Recovery::Down { answers, targets, unproven, held_for }) => {
                    prop_assert!(!answers.is_reached() || !targets.is_reached() || unproven || held_for.is_some());
                }
                Some(Recovery::Degraded { violated, judgements, damped_for }) => {
                    prop_assert!(damped_for.is_some() || judgements.is_some_and(|count| !count.is_reached()));
                    prop_assert!(violated.is_empty() || judgements.is_some());
                }
                None => {}
            }
        }
    }
}
