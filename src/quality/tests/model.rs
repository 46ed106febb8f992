//! The window beside a naive one, and what holds of the state machine whatever is observed.

use std::collections::BTreeMap;

use super::*;
use crate::domain::Target;

#[derive(Debug, Clone, Copy)]
enum Word {
    Answered(u16),
    Lost,
    Overdue,
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        5 => (1_u16..100).prop_map(Word::Answered),
        1 => Just(Word::Lost),
        1 => Just(Word::Overdue),
    ]
}

fn outcome_of(word: Word) -> ProbeOutcome {
    match word {
        Word::Answered(rtt) => ProbeOutcome::Answered(ms(f64::from(rtt))),
        Word::Lost => ProbeOutcome::Failed(ProbeFailure::Timeout),
        Word::Overdue => ProbeOutcome::Overdue,
    }
}

/// Never goes down and never up, so that nothing empties its window.
fn steady() -> Thresholds {
    Thresholds { window: 1_000, up_after: 1_000, down_after: 1_000, ..thresholds() }
}

proptest! {
    /// Results in any order, overdue ones before their last words: the window holds what a map of last words holds.
    #[test]
    fn the_window_agrees_with_a_naive_one(words in prop::collection::vec((0_u32..120, word()), 0..300)) {
        let mut path = PathQuality::new(steady(), [], BootTime::default());
        let mut naive: BTreeMap<u32, ProbeOutcome> = BTreeMap::new();
        for (step, word) in words {
            let outcome = outcome_of(word);
            path.observe(probed(BootTime(INTERVAL * step), outcome), BootTime(INTERVAL * 200));
            let known = naive.entry(step).or_insert(outcome);
            if *known == ProbeOutcome::Overdue {
                *known = outcome;
            }
        }
        let figures = path.figures();
        let mut rtts: Vec<Duration> = naive.values().filter_map(|outcome| outcome.rtt()).collect();
        let pairs: Vec<Duration> = naive.values().zip(naive.values().skip(1))
            .filter_map(|(one, two)| Some(one.rtt()?.abs_diff(two.rtt()?))).collect();
        let jitter = pairs.iter().sum::<Duration>().checked_div(u32::try_from(pairs.len()).unwrap());
        let lost = naive.len() - rtts.len();
        rtts.sort_unstable();
        let rank = |percent: usize| rtts.get((rtts.len() * percent).div_ceil(100).max(1) - 1).copied();
        prop_assert_eq!(figures.probes, naive.len());
        prop_assert_eq!(
            (figures.rtt_min, figures.rtt_median, figures.rtt_p95, figures.rtt_p99),
            (rank(0), rank(50), rank(95), rank(99))
        );
        prop_assert_eq!(figures.jitter, jitter);
        let loss = (naive.len() >= 10).then(|| lost as f64 / naive.len() as f64);
        prop_assert_eq!(figures.loss, loss);
    }

    /// A small window holds the newest probes, in whatever order they become known within it.
    #[test]
    fn a_window_holds_the_newest(rtts in prop::collection::vec(1_u16..500, 1..200), window in 5_usize..40) {
        let mut path = PathQuality::new(Thresholds { window, sla: Sla::default(), ..thresholds() }, [], BootTime::default());
        for (pair, step) in rtts.chunks(2).zip(0_u32..) {
            for (rtt, swapped) in pair.iter().zip([1, 0]) {
                let sent = BootTime(INTERVAL * (2 * step + swapped));
                path.observe(probed(sent, outcome_of(Word::Answered(*rtt))), sent + INTERVAL);
            }
        }
        let figures = path.figures();
        prop_assert!(figures.probes <= window);
        let mut by_sending: Vec<u16> = rtts.chunks(2).flat_map(|pair| pair.iter().rev().copied()).collect();
        let from = by_sending.len().saturating_sub(window);
        let mut newest = by_sending.split_off(from);
        newest.sort_unstable();
        if rtts.len() % 2 == 0 && rtts.len() > window {
            prop_assert_eq!(figures.rtt_min, newest.first().map(|rtt| ms(f64::from(*rtt))));
        }
    }

    /// Never up with fewer than `up_after` answers since it was down, never before the hold-down ended, never up while
    /// damped; every fall has `down_after` losses or the kernel's word; evidence is never empty; figures stay in range.
    #[test]
    fn the_machine_keeps_its_rules(
        steps in prop::collection::vec((0_u8..40, word(), 1_u32..8), 1..300),
        up_after in 1_u32..5, down_after in 1_u32..5, hold in 0_u64..5, damping in any::<bool>(), quorum in 1_u32..4,
    ) {
        let thresholds = Thresholds {
            up_after, down_after, quorum, hold_down: Duration::from_secs(hold),
            flap_half_life: damping.then_some(Duration::from_secs(20)), ..thresholds()
        };
        let targets: Vec<_> = (0..3_u16).map(|port| Target::tcp(std::net::SocketAddr::from(([192, 0, 2, 1], port)))).collect();
        let mut path = PathQuality::new(thresholds, targets, BootTime::default());
        let mut now = BootTime(Duration::from_secs(1));
        let mut state = PathState::Unknown;
        let mut fell = None;
        let mut answers = 0;
        let mut cut = false;
        for (action, word, wait) in steps {
            now = now + Duration::from_millis(100) * wait;
            let change = match action {
                0 => { cut = true; path.short_cut_down("no carrier", now) }
                1 => path.review(now),
                _ => {
                    let observed = Observation { target: usize::from(action % 3), ..probed(now, outcome_of(word)) };
                    let change = path.observe(observed, now);
                    answers += u32::from(matches!(word, Word::Answered(_)));
                    change
                }
            };
            if action == 0 { answers = 0; }
            if let Some(change) = &change {
                prop_assert_eq!(change.from, state);
                prop_assert_ne!(change.to, change.from);
                prop_assert!(!change.evidence.is_empty());
                prop_assert_ne!(change.to, PathState::Unknown);
                prop_assert_eq!(path.since(), now);
                if change.to == PathState::Down {
                    fell = Some(now);
                    answers = 0;
                    prop_assert!(cut || action > 1, "a fall without news");
                } else if change.from == PathState::Down {
                    prop_assert!(answers >= up_after, "{answers} answers since it fell");
                    prop_assert!(now.since(fell.unwrap()) >= thresholds.hold_down);
                }
                state = change.to;
            }
            prop_assert_eq!(path.state(), state);
            prop_assert!(state != PathState::Up || path.damped_until(now).is_none());
            prop_assert!(!path.evidence().is_empty());
            let figures = path.figures();
            prop_assert!(figures.loss.is_none_or(|loss| (0.0..=1.0).contains(&loss)));
            prop_assert!(figures.probes <= 20);
            if let Some(wakes) = path.wakes_at() {
                prop_assert!(wakes > now || state == PathState::Down, "{wakes:?} at {now:?}");
                let mut later = path.clone();
                later.review(wakes);
                prop_assert!(later.wakes_at().is_none_or(|again| again > wakes), "it would wake for ever");
            }
        }
    }
}
