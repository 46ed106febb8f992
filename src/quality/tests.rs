mod memory;
mod model;
mod recovery;
mod service_level;
mod states;
mod targets;

use std::time::Duration;

use proptest::prelude::*;

use super::{Figures, Observation, PathQuality, Thresholds, Transition};
use crate::{
    config::Sla,
    domain::{BootTime, PathState, ProbeFailure, ProbeOutcome},
};

const INTERVAL: Duration = Duration::from_millis(500);

fn ms(value: f64) -> Duration {
    Duration::from_secs_f64(value / 1_000.0)
}

fn probed(sent_at: BootTime, outcome: ProbeOutcome) -> Observation {
    Observation { sent_at, target: 0, outcome, service_time: None }
}

fn thresholds() -> Thresholds {
    Thresholds {
        window: 20,
        down_after: 3,
        up_after: 2,
        degraded_after: 1,
        restored_after: 1,
        hold_down: Duration::ZERO,
        flap_half_life: None,
        quorum: 1,
        sla: Sla { rtt: Some(Duration::from_millis(40)), loss: Some(0.02), ..Sla::default() },
    }
}

/// A path that is probed every half second and answered at once.
struct Probed {
    quality: PathQuality,
    now: BootTime,
}

impl Probed {
    fn new(thresholds: Thresholds) -> Self {
        let now = BootTime(Duration::from_secs(100));
        Self { quality: PathQuality::new(thresholds, [], now), now }
    }

    fn up() -> Self {
        let mut path = Self::new(thresholds());
        path.answers(20, 12.0);
        assert_eq!(path.state(), PathState::Up);
        path
    }

    fn probe(&mut self, outcome: ProbeOutcome) -> Option<Transition> {
        self.now = self.now + INTERVAL;
        self.quality.observe(probed(self.now, outcome), self.now)
    }

    fn answer(&mut self, rtt_ms: f64) -> Option<Transition> {
        self.probe(ProbeOutcome::Answered(ms(rtt_ms)))
    }

    fn loss(&mut self) -> Option<Transition> {
        self.probe(ProbeOutcome::Failed(ProbeFailure::Timeout))
    }

    fn answers(&mut self, count: usize, rtt_ms: f64) -> Vec<Transition> {
        (0..count).filter_map(|_| self.answer(rtt_ms)).collect()
    }

    fn losses(&mut self, count: usize) -> Vec<Transition> {
        (0..count).filter_map(|_| self.loss()).collect()
    }

    fn state(&self) -> PathState {
        self.quality.state()
    }

    fn figures(&self) -> Figures {
        self.quality.figures()
    }
}

// Figures.

#[test]
fn median_and_95th_percentile_are_nearest_rank_of_the_answered() {
    let mut path = Probed::new(thresholds());
    for rtt in 1..=20_u8 {
        path.answer(f64::from(rtt));
    }
    let figures = path.figures();
    assert_eq!(figures.rtt_min, Some(ms(1.0)));
    assert_eq!(figures.rtt_median, Some(ms(10.0)));
    assert_eq!(figures.rtt_p95, Some(ms(19.0)));
    assert_eq!(figures.rtt_recent, Some(ms(15.0)), "median of 11..=20");
    assert_eq!(figures.probes, 20);
    assert_eq!(figures.last_sent, Some(path.now));
}

#[test]
fn jitter_is_the_mean_absolute_variation_between_neighbouring_answers() {
    let mut path = Probed::new(thresholds());
    path.answer(10.0);
    path.answer(14.0);
    path.answer(12.0);
    assert_eq!(path.figures().jitter, Some(ms(3.0)));
}

#[test]
fn a_lost_probe_makes_no_pair_for_jitter() {
    let mut path = Probed::new(thresholds());
    path.answer(10.0);
    path.loss();
    path.answer(30.0);
    assert_eq!(path.figures().jitter, None);
    path.answer(31.0);
    assert_eq!(path.figures().jitter, Some(ms(1.0)));
}

#[test]
fn loss_is_not_stated_before_there_are_ten_probes() {
    let mut path = Probed::new(thresholds());
    path.answers(8, 12.0);
    path.loss();
    assert_eq!(path.figures().loss, None);
    path.answer(12.0);
    assert_eq!(path.figures().loss, Some(0.1));
}

#[test]
fn the_window_forgets_the_oldest() {
    let mut path = Probed::up();
    path.loss();
    path.answers(19, 12.0);
    assert_eq!(path.figures().loss, Some(0.05));
    path.answer(12.0);
    assert_eq!(path.figures().loss, Some(0.0));
    assert_eq!(path.figures().probes, 20);
}

#[test]
fn nothing_measured_gives_no_figures() {
    assert_eq!(Probed::new(thresholds()).figures(), Figures::default());
}

// Unknown.

#[test]
fn a_new_path_is_unknown_until_enough_answers_follow_one_another() {
    let mut path = Probed::new(thresholds());
    assert_eq!(path.state(), PathState::Unknown);
    assert_eq!(path.quality.evidence(), "not measured yet");
    assert_eq!(path.answer(12.0), None);
    assert_eq!(path.quality.evidence(), "1 of 1 probes answered so far");
    let transition = path.answer(12.1).unwrap();
    assert_eq!((transition.from, transition.to), (PathState::Unknown, PathState::Up));
    assert_eq!(transition.evidence, "RTT 12.0 ms (2 probes)");
    assert_eq!(path.quality.since(), path.now);
}

#[test]
fn a_new_path_that_never_answers_is_down_after_three_losses() {
    let mut path = Probed::new(thresholds());
    assert!(path.losses(2).is_empty());
    let transition = path.loss().unwrap();
    assert_eq!((transition.from, transition.to), (PathState::Unknown, PathState::Down));
    assert_eq!(transition.evidence, "3 probes in a row lost: no answer");
}

#[test]
fn a_new_path_that_answers_every_other_probe_does_not_stay_unknown() {
    let mut path = Probed::new(thresholds());
    for _ in 0..3 {
        path.loss();
        path.answer(12.0);
    }
    assert_eq!(path.state(), PathState::Up);
    for _ in 0..3 {
        path.loss();
        path.answer(12.0);
    }
    assert_eq!(path.state(), PathState::Degraded);
}

#[test]
fn losses_before_the_first_answers_are_not_held_against_a_path() {
    let mut path = Probed::new(thresholds());
    path.losses(2);
    path.answers(10, 12.0);
    assert_eq!(path.state(), PathState::Up);
    assert_eq!(path.figures().loss, Some(0.0));
}

#[test]
fn a_path_beyond_its_sla_from_the_start_is_degraded_at_once() {
    let mut path = Probed::new(thresholds());
    path.answer(62.0);
    let transition = path.answer(62.3).unwrap();
    assert_eq!((transition.from, transition.to), (PathState::Unknown, PathState::Degraded));
    assert_eq!(transition.evidence, "RTT 62.0 ms > 40 ms (2 probes)");
}

#[test]
fn a_slow_first_answer_alone_is_address_resolution_and_not_judged() {
    let mut path = Probed::new(Thresholds { up_after: 1, ..thresholds() });
    path.answer(90.0);
    path.answer(12.0);
    assert_eq!(path.state(), PathState::Up);
}

// Down and back.

#[test]
fn losses_in_a_row_take_a_path_down_and_an_answer_between_them_does_not() {
    let mut path = Probed::up();
    path.losses(2);
    path.answer(12.0);
    path.losses(2);
    assert_ne!(path.state(), PathState::Down);
    assert_eq!(path.loss().map(|transition| transition.to), Some(PathState::Down));
}

#[test]
fn losses_in_a_row_are_counted_in_the_order_of_sending() {
    let mut path = Probed::up();
    let start = path.now;
    let at = |step: u32| start + INTERVAL * step;
    let lost = ProbeOutcome::Failed(ProbeFailure::Timeout);
    path.quality.observe(probed(at(4), ProbeOutcome::Answered(ms(12.0))), at(4));
    for step in 1..=3 {
        path.quality.observe(probed(at(step), lost), at(5));
    }
    assert_ne!(path.state(), PathState::Down, "the newest probe was answered");
}

#[test]
fn coming_back_needs_answers_in_a_row() {
    let mut path = Probed::up();
    path.losses(5);
    path.answer(12.0);
    path.loss();
    assert!(path.answers(1, 12.0).is_empty());
    let transition = path.answer(12.0).unwrap();
    assert_eq!((transition.from, transition.to), (PathState::Down, PathState::Up));
}

#[test]
fn an_outage_is_not_judged_again_as_loss() {
    let mut path = Probed::up();
    path.losses(30);
    assert_eq!(path.answers(40, 12.0).len(), 1, "up, and nothing after it");
    assert_eq!(path.state(), PathState::Up);
    assert_eq!(path.figures().loss, Some(0.0));
}

#[test]
fn loss_is_judged_afresh_after_an_outage() {
    let mut path = Probed::up();
    path.losses(3);
    path.answers(2, 12.0);
    path.loss();
    path.answers(4, 12.0);
    path.loss();
    assert_eq!(path.state(), PathState::Up, "2 of 8 is no evidence yet");
    path.answers(2, 12.0);
    assert_eq!(path.state(), PathState::Degraded);
    assert_eq!(path.quality.evidence(), "loss 20.0 % > 2 % (10 probes)");
}

#[test]
fn going_down_empties_the_window() {
    let mut path = Probed::up();
    path.losses(3);
    assert_eq!(path.figures(), Figures { last_sent: Some(path.now), ..Figures::default() });
}

#[test]
fn the_kernel_takes_a_path_down_without_waiting_for_probes() {
    let mut path = Probed::up();
    let transition = path.quality.short_cut_down("interface wan0 has no carrier", path.now).unwrap();
    assert_eq!((transition.from, transition.to), (PathState::Up, PathState::Down));
    assert_eq!(transition.evidence, "interface wan0 has no carrier");
    assert_eq!(path.quality.evidence(), "interface wan0 has no carrier");
    assert_eq!(path.figures().probes, 0);
    assert_eq!(path.quality.short_cut_down("still gone", path.now), None);
    assert_eq!(path.answers(2, 12.0).len(), 1);
}

#[test]
fn answers_to_probes_sent_before_the_carrier_was_lost_do_not_bring_a_path_back() {
    let mut path = Probed::up();
    let before = path.now;
    let cut = before + ms(200.0);
    path.quality.short_cut_down("no carrier", cut);
    for offset in [50.0, 100.0, 150.0] {
        path.quality.observe(probed(before + ms(offset), ProbeOutcome::Answered(ms(12.0))), cut + ms(10.0));
    }
    assert_eq!(path.state(), PathState::Down);
}

#[test]
fn late_losses_of_the_outage_do_not_count_after_it() {
    let mut path = Probed::up();
    path.losses(3);
    let outage = path.now + ms(100.0);
    path.answers(2, 12.0);
    path.quality.observe(probed(outage, ProbeOutcome::Failed(ProbeFailure::Timeout)), path.now);
    path.answers(10, 12.0);
    assert_eq!(path.figures().loss, Some(0.0));
}

// Degraded and back.

#[test]
fn a_brown_out_of_40_ms_is_seen_within_half_a_window() {
    let mut path = Probed::up();
    let seen = (1..=20).find(|_| path.answer(52.0).is_some()).unwrap();
    assert!(seen <= 10, "seen after {seen} probes");
    assert_eq!(path.state(), PathState::Degraded);
    assert_eq!(path.quality.evidence(), "RTT 52.0 ms > 40 ms (20 probes)");
}

#[test]
fn single_slow_answers_are_no_violation() {
    let mut path = Probed::up();
    for _ in 0..10 {
        path.answer(300.0);
        path.answers(3, 12.0);
    }
    assert_eq!(path.state(), PathState::Up);
}

#[test]
fn a_path_is_degraded_until_its_rtt_is_ten_percent_better_than_the_bound() {
    let mut path = Probed::up();
    path.answers(20, 52.0);
    assert!(path.answers(20, 38.0).is_empty());
    assert_eq!(path.quality.evidence(), "RTT 38.0 ms, not yet under 36 ms (20 probes)");
    let transitions = path.answers(20, 35.9);
    assert_eq!(transitions.len(), 1);
    assert_eq!(transitions[0].to, PathState::Up);
}

#[test]
fn an_rtt_between_the_bounds_changes_no_state_either_way() {
    let mut path = Probed::up();
    assert!(path.answers(40, 39.0).is_empty());
}

#[test]
fn one_lost_probe_is_chance_and_two_of_twenty_are_a_violation() {
    let mut path = Probed::up();
    path.loss();
    path.answers(5, 12.0);
    assert_eq!(path.state(), PathState::Up, "1 of 20 is 5 %, and chance");
    let transition = path.loss().unwrap();
    assert_eq!(transition.to, PathState::Degraded);
    assert_eq!(transition.evidence, "loss 10.0 % > 2 % (20 probes)");
}

#[test]
fn a_lossy_path_is_degraded_until_its_loss_is_back_under_the_bound() {
    let mut path = Probed::up();
    path.loss();
    path.answers(3, 12.0);
    path.loss();
    path.answers(16, 12.0);
    assert_eq!(path.state(), PathState::Degraded, "one of the two is still in the window");
    assert_eq!(path.quality.evidence(), "loss 5.0 % > 2 % (20 probes)");
    path.answers(4, 12.0);
    assert_eq!(path.state(), PathState::Up);
}

#[test]
fn every_violated_figure_is_named() {
    let mut path = Probed::up();
    path.answers(10, 62.3);
    path.losses(2);
    assert_eq!(path.quality.evidence(), "RTT 62.3 ms > 40 ms, loss 10.0 % > 2 % (20 probes)");
}

#[test]
fn figures_without_a_bound_are_not_judged() {
    let mut path = Probed::new(Thresholds { sla: Sla::default(), ..thresholds() });
    for _ in 0..20 {
        path.answers(2, 900.0);
        path.losses(2);
    }
    assert_eq!(path.state(), PathState::Up);
}

#[test]
fn a_bound_of_no_loss_at_all_can_be_met_again() {
    let sla = Sla { loss: Some(0.0), ..Sla::default() };
    let mut path = Probed::new(Thresholds { sla, ..thresholds() });
    path.answers(10, 12.0);
    path.losses(2);
    assert_eq!(path.state(), PathState::Degraded);
    path.answers(20, 12.0);
    assert_eq!(path.state(), PathState::Up);
}

#[test]
fn a_degraded_path_that_stops_answering_goes_down() {
    let mut path = Probed::up();
    path.answers(20, 52.0);
    let transitions = path.losses(3);
    assert_eq!(transitions.last().map(|transition| transition.to), Some(PathState::Down));
}

#[test]
fn a_window_smaller_than_the_runs_is_widened_to_them() {
    let mut path =
        Probed::new(Thresholds { window: 1, down_after: 5, up_after: 4, sla: Sla::default(), ..thresholds() });
    path.answers(4, 12.0);
    assert_eq!(path.state(), PathState::Up);
    path.losses(5);
    assert_eq!(path.state(), PathState::Down);
}

fn outcome() -> impl Strategy<Value = Option<u16>> {
    prop_oneof![3 => (1_u16..100).prop_map(Some), 1 => Just(None)]
}

proptest! {
    /// Whatever is observed: transitions are real changes, follow one another, and a path is never down within
    /// `up_after` answers of its newest probes nor alive after `down_after` losses.
    #[test]
    fn states_agree_with_the_newest_probes(outcomes in prop::collection::vec(outcome(), 0..200)) {
        let mut path = Probed::new(thresholds());
        let mut state = path.state();
        let mut answers = 0;
        let mut losses = 0;
        for outcome in outcomes {
            let transition = match outcome {
                Some(rtt) => { answers += 1; losses = 0; path.answer(f64::from(rtt)) }
                None => { losses += 1; answers = 0; path.loss() }
            };
            if let Some(transition) = transition {
                prop_assert_eq!(transition.from, state);
                prop_assert_ne!(transition.to, state);
                prop_assert!(!transition.evidence.is_empty());
                prop_assert_eq!(path.quality.since(), path.now);
                state = transition.to;
            }
            prop_assert_eq!(path.state(), state);
            prop_assert!(answers < 2 || matches!(state, PathState::Up | PathState::Degraded));
            prop_assert!(losses < 3 || state == PathState::Down);
            prop_assert!(path.figures().probes <= 20);
        }
    }
}
