//! Bounds of a service level: when a figure violates one, and when it no longer does.
//!
//! A violation begins when the figure is beyond its bound, with the evidence that the constants of this room ask for, and
//! ends when the figure is better than the bound: RTT and jitter by 10 % of it, loss by any margin (or nothing lost).

use std::{fmt, time::Duration};

use crate::config::{Percentile, Sla};

use super::{LOSS_EVIDENCE_LOST, RECOVERY_PERCENT, judged::Judged, loss::Share, milliseconds};

/// A figure that violates its bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Violation {
    /// RTT at this percentile.
    Rtt(Percentile, Excess<Duration>),
    /// Mean absolute delay variation (RFC 3393).
    Jitter(Excess<Duration>),
    /// Share of lost probes, 0 to 1.
    Loss(Excess<f64>),
}

/// How far a figure is beyond its bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Excess<T> {
    /// What it is now; absent where too little was measured lately.
    pub measured: Option<T>,
    /// What it was to keep.
    pub bound: T,
    /// What it must get under, which is better than the bound.
    pub under: T,
}

/// The figures that are in violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Violations {
    rtt: bool,
    jitter: bool,
    loss: bool,
}

impl Violations {
    /// Whether anything is violated.
    pub fn any(self) -> bool {
        self.rtt || self.jitter || self.loss
    }

    /// The judgement of what is measured; a figure that cannot be judged stays as it was, and nothing comes of it when
    /// none can.
    pub fn judged(self, sla: &Sla, judged: &Judged<'_>) -> Option<Self> {
        let rtt = sla.rtt.and_then(|bound| Some(is_over(self.rtt, bound, judged.rtt(self.rtt)?)));
        let jitter = sla.jitter.and_then(|bound| Some(is_over(self.jitter, bound, judged.jitter(self.jitter)?)));
        let loss = sla.loss.and_then(|bound| Some(is_lossy(self.loss, bound, judged.loss(self.loss)?)));
        rtt.or(jitter).or(loss)?;
        Some(Self {
            rtt: rtt.unwrap_or(self.rtt),
            jitter: jitter.unwrap_or(self.jitter),
            loss: loss.unwrap_or(self.loss),
        })
    }

    /// Those that are in violation, with their figures.
    pub fn told(self, sla: &Sla, judged: &Judged<'_>) -> Vec<Violation> {
        let delay = |bound, measured| Excess { measured, bound, under: recovery_bound(bound) };
        let rtt = sla.rtt.filter(|_| self.rtt).map(|bound| delay(bound, judged.rtt(true)));
        let jitter = sla.jitter.filter(|_| self.jitter).map(|bound| delay(bound, judged.jitter(true)));
        let measured = || judged.loss(true).map(Share::value);
        let loss = sla.loss.filter(|_| self.loss).map(|bound| Excess { measured: measured(), bound, under: bound });
        let told = [
            rtt.map(|excess| Violation::Rtt(sla.percentile, excess)),
            jitter.map(Violation::Jitter),
            loss.map(Violation::Loss),
        ];
        told.into_iter().flatten().collect()
    }
}

impl Violation {
    /// The figure and its bound: `p95 RTT 62.3 ms > 40 ms`.
    pub(super) fn in_words(&self) -> String {
        let Spelled { name, counted, measured, bound, under, is_over } = self.spelled();
        match measured {
            Some(measured) if is_over => format!("{name} {measured} > {bound}"),
            Some(measured) => format!("{name} {measured}, not yet under {under}"),
            None => format!("{name} was beyond its bound, too few {counted} since"),
        }
    }

    fn spelled(&self) -> Spelled {
        match self {
            Self::Rtt(percentile, excess) => excess.spelled(percentile.name_of_rtt(), "answers", milliseconds, delay),
            Self::Jitter(excess) => excess.spelled("jitter".to_owned(), "answers", milliseconds, delay),
            Self::Loss(excess) => {
                excess.spelled("loss".to_owned(), "probes", |lost| format!("{:.1} %", lost * 100.0), share)
            }
        }
    }
}

impl fmt::Display for Violation {
    /// What the figure is, and what it must become: `loss 2.4 %, must be under 2 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spelled { name, counted, measured, under, .. } = self.spelled();
        match measured {
            Some(measured) => write!(f, "{name} {measured}, ")?,
            None => write!(f, "{name} with too few {counted}, ")?,
        }
        // Nothing is under a bound of no loss at all.
        if matches!(self, Self::Loss(excess) if excess.under <= 0.0) {
            return write!(f, "must be {under}");
        }
        write!(f, "must be under {under}")
    }
}

/// The parts of a violation in words.
struct Spelled {
    name: String,
    counted: &'static str,
    measured: Option<String>,
    bound: String,
    under: String,
    is_over: bool,
}

impl<T: Copy + PartialOrd> Excess<T> {
    fn spelled(
        &self,
        name: String,
        counted: &'static str,
        measured: fn(T) -> String,
        bound: fn(T) -> String,
    ) -> Spelled {
        Spelled {
            name,
            counted,
            measured: self.measured.map(measured),
            bound: bound(self.bound),
            under: bound(self.under),
            is_over: self.measured.is_some_and(|value| value > self.bound),
        }
    }
}

fn recovery_bound(bound: Duration) -> Duration {
    bound * RECOVERY_PERCENT / 100
}

fn is_over(before: bool, bound: Duration, measured: Duration) -> bool {
    measured > if before { recovery_bound(bound) } else { bound }
}

fn is_lossy(before: bool, bound: f64, share: Share) -> bool {
    if before {
        return share.lost > 0 && share.value() >= bound;
    }
    share.lost >= LOSS_EVIDENCE_LOST && share.value() > bound
}

fn delay(bound: Duration) -> String {
    short(bound.as_secs_f64() * 1_000.0, "ms")
}

fn share(bound: f64) -> String {
    short(bound * 100.0, "%")
}

/// Whole numbers without decimals, as people write bounds.
fn short(value: f64, unit: &str) -> String {
    if (value - value.round()).abs() < 0.05 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}
