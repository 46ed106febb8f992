//! Quality and selection together in virtual time: probes every half second, decisions after each and at reviews.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{KDDI, Memory, NTT, PathInput, config, exchange, policy_of};
use crate::{
    config::{Config, Margin, Strategy as Choosing},
    domain::{BootTime, ProbeFailure, ProbeOutcome, UplinkId},
    quality::{Observation, PathQuality, Thresholds},
    select::{Decision, Policy, decide},
};

/// What a probe sent at a moment meets: its RTT in milliseconds, or a loss.
type Weather<'a> = dyn Fn(UplinkId, Duration) -> Option<f64> + 'a;

/// One move: when (since the start), and to which uplink.
type Move = (Duration, Option<UplinkId>);

/// An agent with two uplinks, NTT (preferred) and KDDI.
struct Agent<'a> {
    policy: Policy,
    interval: Duration,
    timeout: Duration,
    weather: &'a Weather<'a>,
    qualities: BTreeMap<UplinkId, PathQuality>,
    memory: Memory,
    moves: Vec<Move>,
}

const START: BootTime = BootTime(Duration::from_secs(5_000));

impl<'a> Agent<'a> {
    fn new(weather: &'a Weather<'a>) -> Self {
        Self::with(&config(), weather)
    }

    fn with(config: &Config, weather: &'a Weather<'a>) -> Self {
        let quality = PathQuality::new(Thresholds::of(config), [], START);
        Self {
            policy: policy_of(config),
            interval: config.probe.interval,
            timeout: config.probe.timeout,
            weather,
            qualities: [NTT, KDDI].into_iter().map(|uplink| (uplink, quality.clone())).collect(),
            memory: Memory::default(),
            moves: Vec::new(),
        }
    }

    /// Runs for `span`: every result is taken when it is known, answered or timed out, and then decided upon.
    fn run(mut self, span: Duration) -> Vec<Move> {
        for (known, uplink, sent, rtt) in self.results(span) {
            let outcome = rtt.map_or(ProbeOutcome::Failed(ProbeFailure::Timeout), ProbeOutcome::Answered);
            let now = START + known;
            let probed = Observation { sent_at: START + sent, target: 0, outcome, service_time: None };
            self.qualities.get_mut(&uplink).unwrap().observe(probed, now);
            self.decide(now);
        }
        self.moves
    }

    /// All probe results by the time at which they are known. KDDI's probes run a little behind NTT's.
    fn results(&self, span: Duration) -> Vec<(Duration, UplinkId, Duration, Option<Duration>)> {
        let mut results = Vec::new();
        for &uplink in self.qualities.keys() {
            let mut sent = Duration::from_millis(10) * u32::from(uplink.0);
            while sent < span {
                let rtt = (self.weather)(uplink, sent).map(|ms| Duration::from_secs_f64(ms / 1_000.0));
                results.push((sent + rtt.unwrap_or(self.timeout), uplink, sent, rtt));
                sent += self.interval;
            }
        }
        results.sort_unstable();
        results
    }

    fn decide(&mut self, now: BootTime) -> Decision {
        let paths = self.qualities.iter().map(|(uplink, quality)| (*uplink, PathInput::new(quality, None))).collect();
        let decision = decide(&self.policy, &exchange(), &paths, &self.memory, now);
        if decision.chosen != self.memory.chosen {
            self.moves.push((now.since(START), decision.chosen));
        }
        self.memory = decision.memory();
        decision
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn between(at: Duration, from: u64, to: u64) -> bool {
    at >= seconds(from) && at < seconds(to)
}

fn targets(moves: &[Move]) -> Vec<Option<UplinkId>> {
    moves.iter().map(|(_, to)| *to).collect()
}

#[test]
fn at_start_the_preferred_uplink_is_chosen_though_the_other_answers_sooner() {
    let moves = Agent::new(&|uplink, _| Some(if uplink == NTT { 30.0 } else { 2.0 })).run(seconds(60));
    assert_eq!(targets(&moves), [Some(NTT)]);
    assert!(moves[0].0 < seconds(1));
}

#[test]
fn at_start_with_the_preferred_uplink_dead_the_other_is_chosen_as_soon_as_that_is_known() {
    let moves = Agent::new(&|uplink, _| (uplink == KDDI).then_some(2.0)).run(seconds(60));
    assert_eq!(targets(&moves), [Some(KDDI)]);
    assert!(moves[0].0 < seconds(3), "{moves:?}");
}

#[test]
fn a_brown_out_moves_traffic_once_and_once_back() {
    let weather = |uplink, at| Some(if uplink == NTT && between(at, 60, 120) { 52.0 } else { 12.0 });
    let moves = Agent::new(&weather).run(seconds(300));
    assert_eq!(targets(&moves), [Some(NTT), Some(KDDI), Some(NTT)]);
    let (left, returned) = (moves[1].0, moves[2].0);
    assert!(between(left, 65, 71), "seen in half a window, held 5 s: {left:?}");
    assert!(between(returned, 130, 141), "healed, held 10 s: {returned:?}");
}

#[test]
fn a_black_hole_is_left_after_three_lost_probes_and_not_judged_again_as_loss() {
    let weather = |uplink, at| (uplink != NTT || !between(at, 60, 90)).then_some(12.0);
    let moves = Agent::new(&weather).run(seconds(300));
    assert_eq!(targets(&moves), [Some(NTT), Some(KDDI), Some(NTT)]);
    assert!(between(moves[1].0, 61, 63), "{moves:?}");
    assert!(between(moves[2].0, 100, 102), "back up, held 10 s: {moves:?}");
}

#[test]
fn scattered_single_losses_move_nothing() {
    let weather = |uplink, at: Duration| (uplink != NTT || !at.as_millis().is_multiple_of(15_000)).then_some(12.0);
    assert_eq!(targets(&Agent::new(&weather).run(seconds(600))), [Some(NTT)]);
}

#[test]
fn five_percent_of_loss_is_left() {
    let weather = |uplink, at: Duration| (uplink != NTT || !at.as_millis().is_multiple_of(5_000)).then_some(12.0);
    let moves = Agent::new(&weather).run(seconds(120));
    assert_eq!(targets(&moves), [Some(NTT), Some(KDDI)]);
}

#[test]
fn of_two_bad_uplinks_the_one_in_charge_is_kept() {
    let weather = |_, at| Some(if at < seconds(60) { 12.0 } else { 90.0 });
    assert_eq!(targets(&Agent::new(&weather).run(seconds(300))), [Some(NTT)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the preferred uplink swings between good and bad, a cycle of two moves takes both hold times.
    #[test]
    fn a_square_wave_moves_traffic_no_faster_than_the_hold_times(
        period_ms in 500_u64..60_000, duty in 0.1_f64..0.9,
    ) {
        let weather = |uplink, at: Duration| {
            let phase = (at.as_millis() as f64 / period_ms as f64).fract();
            Some(if uplink == NTT && phase < duty { 80.0 } else { 12.0 })
        };
        let span = 600;
        let moves = Agent::new(&weather).run(seconds(span));
        prop_assert!(moves.len() as u64 <= 2 * (span / (5 + 10)) + 1, "{} moves", moves.len());
    }

    /// Whatever two uplinks do short of an outage, traffic stays at least one hold time where it went.
    #[test]
    fn two_swinging_uplinks_move_traffic_no_faster_than_one_hold_time(
        periods in prop::collection::vec(500_u64..60_000, 2), shift_ms in 0_u64..60_000,
    ) {
        let weather = |uplink: UplinkId, at: Duration| {
            let period = u128::from(periods[usize::from(uplink.0)]);
            let phase = (at.as_millis() + u128::from(shift_ms) * u128::from(uplink.0)) % period;
            Some(if phase < period / 2 { 80.0 } else { 12.0 })
        };
        let moves = Agent::new(&weather).run(seconds(600));
        // The first choice may be the least bad one, which is left as soon as that has lasted.
        for pair in moves[1..].windows(2) {
            prop_assert!(pair[1].0.saturating_sub(pair[0].0) >= seconds(5), "{:?}", moves);
        }
    }
}

proptest! {
    // More than an hour each.
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever two uplinks do short of an outage, and however eager the policy is, a class moves no more often than the
    /// cap allows in any hour.
    #[test]
    fn no_square_wave_moves_traffic_more_often_than_the_cap_allows(
        periods in prop::collection::vec(500_u64..200_000, 2), cap in 1_u32..5, fastest in any::<bool>(),
    ) {
        let weather = |uplink: UplinkId, at: Duration| {
            let period = u128::from(periods[usize::from(uplink.0)]);
            Some(if at.as_millis() % period < period / 2 { 80.0 } else { 12.0 })
        };
        let mut config = config();
        let treatment = &mut config.policy.treatment;
        (treatment.leave_after, treatment.return_after) = (Duration::ZERO, Duration::ZERO);
        treatment.moves_per_hour = cap;
        if fastest {
            treatment.strategy = Choosing::Fastest(Margin { difference: Duration::ZERO, share: 0.0 });
        }
        let moves = Agent::with(&config, &weather).run(seconds(5_000));
        // The first one is no move: nothing was in charge.
        for pair in moves[1..].windows(cap as usize + 1) {
            prop_assert!(pair[cap as usize].0.saturating_sub(pair[0].0) >= seconds(3_600), "{:?}", moves);
        }
    }
}
