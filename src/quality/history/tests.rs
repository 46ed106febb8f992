use proptest::prelude::*;

use super::*;

const STARTED: BootTime = BootTime(Duration::from_secs(1_000));

fn ms(value: f64) -> Duration {
    Duration::from_secs_f64(value / 1_000.0)
}

fn span<'a>(figures: &'a [HistoryFigures], name: &str) -> &'a HistoryFigures {
    figures.iter().find(|figures| figures.span == name).unwrap()
}

fn names(figures: &[HistoryFigures]) -> Vec<&str> {
    figures.iter().map(|figures| figures.span).collect()
}

/// A history with an answer of 10 ms in every `interval` until `age`.
fn steady(interval: Duration, age: Duration) -> (History, BootTime) {
    let mut history = History::new(STARTED);
    let mut now = STARTED;
    while now.since(STARTED) < age {
        now = now + interval;
        history.record(Some(ms(10.0)), Some(ms(0.5)), now);
    }
    (history, now)
}

#[test]
fn a_new_history_says_nothing_and_takes_no_memory() {
    let history = History::new(STARTED);
    assert_eq!(history.figures(STARTED + STEP), []);
    assert_eq!(history.trend(STARTED), [TrendStep::default(); TREND_STEPS]);
    assert_eq!(history.heap_bytes(), 0);
}

#[test]
fn spans_appear_as_the_history_grows_into_them() {
    let at = |age| {
        let (history, now) = steady(Duration::from_secs(10), Duration::from_secs(age));
        history.figures(now)
    };
    assert_eq!(names(&at(200)), ["5m"]);
    assert_eq!(names(&at(400)), ["5m", "15m"]);
    assert_eq!(names(&at(3_500)), ["5m", "15m", "1h"]);
    assert_eq!(names(&at(13 * 3_600)), ["5m", "15m", "1h", "6h", "12h", "1d"]);
    assert_eq!(span(&at(200), "5m").covered, Duration::from_secs(200));
}

#[test]
fn every_span_covers_itself_and_at_most_one_slice_more() {
    let (history, now) = steady(Duration::from_secs(20), Duration::from_secs(40 * 24 * 3_600));
    let figures = history.figures(now);
    assert_eq!(names(&figures), SPANS.map(|(name, ..)| name));
    for (told, (_, span, ring)) in figures.iter().zip(SPANS) {
        let slice = STEP * [1, 30, 360, 1_440][ring];
        assert!(told.covered >= span && told.covered <= span + slice, "{}: {:?}", told.span, told.covered);
        let expected = told.covered.as_secs() / 20;
        assert!(told.probes.abs_diff(expected) <= 1, "{}: {} for {expected}", told.span, told.probes);
        assert_eq!((told.rtt_min, told.rtt_median, told.rtt_p99), (Some(ms(10.0)), Some(ms(10.0)), Some(ms(10.0))));
        assert_eq!((told.lost, told.jitter), (0, Some(ms(0.5))));
    }
}

#[test]
fn losses_are_counted_with_their_bounds() {
    let mut history = History::new(STARTED);
    for second in 0..100 {
        let rtt = (second % 20 != 0).then(|| ms(10.0));
        history.record(rtt, None, STARTED + Duration::from_secs(second));
    }
    let figures = history.figures(STARTED + Duration::from_secs(100));
    let told = span(&figures, "5m");
    assert_eq!((told.probes, told.lost, told.loss(), told.jitter), (100, 5, Some(0.05), None));
    let (low, high) = told.loss_bounds.unwrap();
    assert!(low < 0.05 && high > 0.05);
}

#[test]
fn the_trend_shows_each_two_minutes_of_the_last_hour() {
    let mut history = History::new(BootTime::default());
    for step in 0..40_u64 {
        let now = BootTime(STEP * u32::try_from(step).unwrap());
        history.record(Some(Duration::from_millis(step + 1)), None, now);
        history.record((step != 35).then(|| Duration::from_millis(step + 1)), None, now);
    }
    let trend = history.trend(BootTime(STEP * 39));
    let medians: Vec<_> = trend.iter().map(|step| step.rtt_median.unwrap()).collect();
    assert_eq!(medians, (11..=40).map(Duration::from_millis).collect::<Vec<_>>());
    assert_eq!(trend[25].loss, Some(0.5));
    let later = history.trend(BootTime(STEP * 49));
    assert_eq!(later[19].rtt_median, Some(ms(40.0)));
    assert_eq!(later[20], TrendStep::default());
}

#[test]
fn a_suspend_of_weeks_is_one_step_and_forgets_what_is_too_old() {
    let (mut history, now) = steady(Duration::from_secs(30), Duration::from_secs(3 * 3_600));
    let resumed = now + Duration::from_secs(10 * 24 * 3_600);
    history.record(Some(ms(20.0)), None, resumed);
    let figures = history.figures(resumed);
    assert_eq!(span(&figures, "1h").probes, 1);
    assert_eq!(span(&figures, "7d").probes, 1);
    assert_eq!(span(&figures, "30d").probes, 361);
    let much_later = resumed + Duration::from_secs(u64::from(u32::MAX));
    history.record(Some(ms(20.0)), None, much_later);
    assert_eq!(span(&history.figures(much_later), "30d").probes, 1);
}

#[test]
fn time_that_seems_to_go_back_changes_nothing() {
    let (mut history, now) = steady(Duration::from_secs(30), Duration::from_secs(3_600));
    let before = span(&history.figures(now), "1h").probes;
    history.record(Some(ms(10.0)), None, STARTED);
    assert_eq!(span(&history.figures(now), "1h").probes, before + 1);
}

/// A month, with delays over two orders of magnitude and losses.
#[test]
fn a_month_stays_within_the_stated_memory() {
    let mut history = History::new(STARTED);
    let mut most = 0;
    let mut state = 1_u64;
    for second in (0..33 * 24 * 3_600_u64).step_by(16) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let uniform = (state >> 11) as f64 / (1_u64 << 53) as f64;
        let rtt = (uniform > 0.02).then(|| ms(5.0 * 100.0_f64.powf(uniform)));
        history.record(rtt, rtt.map(|rtt| rtt / 7), STARTED + Duration::from_secs(second));
        if second % 16_000 == 0 {
            most = most.max(history.heap_bytes());
        }
    }
    let bound: usize = history.rings.iter().map(Ring::most_bytes).sum();
    assert!(bound <= 5_800, "{bound} bytes");
    assert!(most <= bound + 300, "{most} bytes");
    assert!(most > 3_000, "{most} bytes: is everything kept?");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Beside a list of everything: counts, extremes and jitter are exact over the slices that a span covers, quantiles
    /// within the stated error.
    #[test]
    fn spans_agree_with_a_list_of_everything(
        steps in prop::collection::vec((1_u64..40_000, prop::option::of(1_000_u64..900_000_000)), 1..150),
        wait in 0_u64..100_000,
    ) {
        let mut history = History::new(STARTED);
        let mut all: Vec<(BootTime, Option<Duration>)> = Vec::new();
        let mut now = STARTED;
        for (gap, rtt) in steps {
            now = now + Duration::from_secs(gap);
            let rtt = rtt.map(Duration::from_nanos);
            history.record(rtt, rtt.map(|rtt| rtt / 3), now);
            all.push((now, rtt));
        }
        now = now + Duration::from_secs(wait);
        for told in history.figures(now) {
            let (_, span, ring) = SPANS.into_iter().find(|(name, ..)| *name == told.span).unwrap();
            let slice = STEP.as_secs() * [1, 30, 360, 1_440][ring];
            let from = BootTime(Duration::from_secs(now.0.saturating_sub(span).as_secs() / slice * slice));
            let within: Vec<_> = all.iter().filter(|(at, _)| *at >= from).collect();
            let mut rtts: Vec<Duration> = within.iter().filter_map(|(_, rtt)| *rtt).collect();
            rtts.sort_unstable();
            prop_assert_eq!(told.probes, within.len() as u64, "{}", told.span);
            prop_assert_eq!(told.lost, (within.len() - rtts.len()) as u64);
            prop_assert_eq!(told.rtt_min, rtts.first().copied());
            prop_assert_eq!(told.covered, now.since(from.max(STARTED)));
            let exact = rtts.get((rtts.len() * 95).div_ceil(100).saturating_sub(1)).copied();
            let (Some(exact), Some(p95)) = (exact, told.rtt_p95) else { continue };
            let error = (p95.as_secs_f64() - exact.as_secs_f64()).abs() / exact.as_secs_f64();
            prop_assert!(error <= told.relative_errors[1] + 1e-5, "{}: {} beyond {:?}", told.span, error, told.relative_errors);
            let sum: Duration = rtts.iter().map(|rtt| *rtt / 3).sum();
            let jitter = sum / u32::try_from(rtts.len()).unwrap();
            prop_assert_eq!(told.jitter.unwrap().as_nanos(), jitter.as_nanos());
        }
    }
}

/// Half of the answers within 1.5 ms, a long tail, one probe in a hundred far off: the month knows its median to a twentieth.
#[test]
fn a_usual_path_keeps_its_resolution_over_days() {
    let mut history = History::new(STARTED);
    let end = STARTED + Duration::from_secs(3 * 24 * 3_600);
    let mut now = STARTED;
    let mut state = 1_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    while now < end {
        now = now + Duration::from_secs(5);
        let base = 10.0 - 2.0 * uniform().max(1e-9).ln();
        let tail = if uniform() < 0.01 { 300.0 * uniform() * uniform() } else { 0.0 };
        history.record(Some(ms(base + tail)), None, now);
    }
    let truth = 10.0 + 2.0 * 2.0_f64.ln();
    for told in history.figures(now) {
        let [error, ..] = told.relative_errors;
        assert!(error < 0.05, "{}: {error}", told.span);
        let median = told.rtt_median.unwrap().as_secs_f64() * 1_000.0;
        // An hour has 720 samples, five minutes 60: their own medians stray.
        assert!((median - truth).abs() < truth * (error + 0.06), "{}: {median} for {truth}", told.span);
    }
}
