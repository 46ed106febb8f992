//! What a path was like, from minutes to a month, in bounded memory.
//!
//! Last words are counted in the slice of two minutes in which they come. Slices are kept in four rings, each step being
//! made from the finished ones of the step below:
//!
//! | ring | slices | serves |
//! |---|---|---|
//! | 0 | 30 of 2 minutes | 5 m, 15 m, 1 h, and the trend |
//! | 1 | 24 of 1 hour | 6 h, 12 h, 1 d |
//! | 2 | 14 of 12 hours | 7 d |
//! | 3 | 15 of 2 days | 30 d |
//!
//! Slices begin at multiples of their length since boot, suspend included, so that a clock that is set changes nothing.
//! A slice without probes takes no memory, and a suspend of days costs no more than one of minutes.
//!
//! **Memory.** A finished slice is packed into [`packed::MOST_BYTES`], whatever was measured: 83 slices with their heads
//! take 5.6 KiB at most. The slice under way has up to 33 buckets of 12 bytes.
//!
//! What targets lost while they were silent is not here; what they lost before that was known is.

mod packed;
mod ring;
mod slice;

use std::time::Duration;

use ring::Ring;
use slice::Slice;

use super::loss::wilson_bounds;
use crate::domain::BootTime;

/// Length of the shortest slice.
pub const STEP: Duration = Duration::from_secs(120);

/// Steps in a trend.
pub const TREND_STEPS: usize = 30;

/// Spans that are told, with their names and the ring that serves them.
const SPANS: [(&str, Duration, usize); 8] = [
    ("5m", Duration::from_secs(5 * 60), 0),
    ("15m", Duration::from_secs(15 * 60), 0),
    ("1h", Duration::from_secs(3_600), 0),
    ("6h", Duration::from_secs(6 * 3_600), 1),
    ("12h", Duration::from_secs(12 * 3_600), 1),
    ("1d", Duration::from_secs(24 * 3_600), 1),
    ("7d", Duration::from_secs(7 * 24 * 3_600), 2),
    ("30d", Duration::from_secs(30 * 24 * 3_600), 3),
];

/// Statistics over a span of the past.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryFigures {
    /// `5m`, `15m`, `1h`, `6h`, `12h`, `1d`, `7d` or `30d`.
    pub span: &'static str,
    /// What it really covers: less while the path is young, up to one slice more.
    pub covered: Duration,
    /// Probes with a last word.
    pub probes: u64,
    /// Lost ones.
    pub lost: u64,
    /// Bounds between which the loss of the path lies with 95 % confidence, if losses are independent of one another.
    pub loss_bounds: Option<(f64, f64)>,
    /// Smallest RTT, exactly.
    pub rtt_min: Option<Duration>,
    /// Median RTT.
    pub rtt_median: Option<Duration>,
    /// 95th percentile of RTT.
    pub rtt_p95: Option<Duration>,
    /// 99th percentile of RTT.
    pub rtt_p99: Option<Duration>,
    /// Largest errors of the median, the 95th and the 99th percentile, as a share of the true values.
    pub relative_errors: [f64; 3],
    /// Mean absolute IPDV of consecutive answers of the same target (RFC 3393).
    pub jitter: Option<Duration>,
}

impl HistoryFigures {
    /// Share of lost probes, if there were any probes.
    pub fn loss(&self) -> Option<f64> {
        (self.probes > 0).then(|| self.lost as f64 / self.probes as f64)
    }
}

/// One step of a trend.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TrendStep {
    /// Median RTT, if anything was answered.
    pub rtt_median: Option<Duration>,
    /// Share of lost probes, if there were any.
    pub loss: Option<f64>,
}

/// The past of one path.
#[derive(Debug, Clone)]
pub(super) struct History {
    began: BootTime,
    rings: [Ring; 4],
    /// The slice under way, and its number.
    current: Slice,
    number: u64,
}

impl History {
    /// Nothing yet; allocates nothing.
    pub fn new(now: BootTime) -> Self {
        let rings = [Ring::new(1, 30), Ring::new(30, 24), Ring::new(360, 14), Ring::new(1_440, 15)];
        Self { began: now, rings, current: Slice::default(), number: number_at(now) }
    }

    /// Counts a last word: an answer with its RTT, or a loss.
    pub fn record(&mut self, rtt: Option<Duration>, variation: Option<Duration>, now: BootTime) {
        self.advance(now);
        self.current.record(rtt, variation);
    }

    /// Statistics of every span of which more is known than of the one before it, shortest first.
    pub fn figures(&self, now: BootTime) -> Vec<HistoryFigures> {
        let mut history = self.clone();
        history.advance(now);
        let mut told = Duration::ZERO;
        let mut all = Vec::new();
        for (name, span, ring) in SPANS {
            if told > Duration::ZERO && now.since(self.began) <= told {
                break;
            }
            told = span;
            let figures = history.over(name, span, ring, now);
            all.extend(Some(figures).filter(|figures| figures.probes > 0));
        }
        all
    }

    /// The last hour in steps of two minutes, oldest first; the last one is under way.
    pub fn trend(&self, now: BootTime) -> [TrendStep; TREND_STEPS] {
        let mut history = self.clone();
        history.advance(now);
        let mut steps = [TrendStep::default(); TREND_STEPS];
        let [finest, ..] = &history.rings;
        let finished = finest.slices();
        for (number, slice) in finished.chain([(history.number, history.current.clone())]) {
            let ago = usize::try_from(history.number.saturating_sub(number)).unwrap_or(usize::MAX);
            let place = TREND_STEPS.checked_sub(1).and_then(|last| last.checked_sub(ago));
            if let Some(step) = place.and_then(|place| steps.get_mut(place)) {
                *step = slice.trend();
            }
        }
        steps
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.rings.iter().map(Ring::heap_bytes).sum::<usize>() + self.current.heap_bytes()
    }

    fn over(&self, name: &'static str, span: Duration, ring: usize, now: BootTime) -> HistoryFigures {
        let start = BootTime(now.0.saturating_sub(span));
        let step = self.rings.get(ring).map_or(1, Ring::step);
        let first = number_at(start) / step;
        let mut sum = self.unfinished(ring);
        for (_, slice) in self.rings.get(ring).into_iter().flat_map(|ring| ring.slices_from(first)) {
            sum.merge(&slice);
        }
        let reaches = BootTime(STEP.saturating_mul(u32::try_from(first * step).unwrap_or(u32::MAX)));
        sum.figures(name, now.since(self.began.max(reaches)))
    }

    /// What is not yet in that ring: the slice under way, and the finished ones of finer rings since.
    fn unfinished(&self, ring: usize) -> Slice {
        let mut sum = self.current.clone();
        for (finer, coarser) in self.rings.iter().zip(self.rings.iter().skip(1)).take(ring) {
            let from = self.number / coarser.step() * (coarser.step() / finer.step());
            for (_, slice) in finer.slices_from(from) {
                sum.merge(&slice);
            }
        }
        sum
    }

    /// Finishes what ended before `now`, and forgets what is too old.
    fn advance(&mut self, now: BootTime) {
        let number = number_at(now).max(self.number);
        if number == self.number {
            return;
        }
        let ended = std::mem::replace(&mut self.number, number);
        let mut slice = std::mem::take(&mut self.current);
        for position in 0..self.rings.len() {
            let Some(ring) = self.rings.get_mut(position) else { break };
            let step = ring.step();
            if number / step == ended / step {
                break;
            }
            ring.push(ended / step, &slice);
            // The next ring's slice is the sum of this ring's within it, the one just finished included.
            if let Some(coarser) = self.rings.get(position + 1).map(Ring::step) {
                slice = self.sum_within(position, ended / coarser * (coarser / step));
            }
        }
        for ring in &mut self.rings {
            ring.forget_before(number);
        }
    }

    fn sum_within(&self, ring: usize, from: u64) -> Slice {
        let mut sum = Slice::default();
        for (_, slice) in self.rings.get(ring).into_iter().flat_map(|ring| ring.slices_from(from)) {
            sum.merge(&slice);
        }
        sum
    }
}

fn number_at(time: BootTime) -> u64 {
    time.0.as_secs() / STEP.as_secs()
}

#[cfg(test)]
mod tests;
