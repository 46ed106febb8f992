//! Whether one uplink is faster than another, or loses less, beyond noise.
//!
//! **RTT.** RTTs of neighbouring probes are alike, so probes are no independent witnesses. Blocks of time are better ones: for
//! each block in which both answered, the difference of the two medians. The median of these differences is what is told,
//! with the bounds between which it lies with 99 % confidence. The bounds are order statistics, as the sign test has them: they
//! ask for no distribution, and one bad hour moves them by one rank. What is not known of a median within its bucket of the
//! sketch widens them. An uplink is called faster when both bounds say so and the
//! difference is one that probes can tell. 99 % rather than 95 %, because a report has tens of such verdicts.
//!
//! **Loss.** Wilson's bounds (95 %) of the two shares: one loses less when they do not overlap, which is stricter than a test at
//! 95 %.

use serde::Serialize;

use crate::quality::{nearest_rank, wilson_bounds};

use super::{path::Path, tally::Tally};

/// Answers of both uplinks that a block must have.
const ANSWERS: u64 = 5;

/// Fewest blocks: with fewer, no difference reaches 99 %.
pub(super) const BLOCKS: usize = 8;

/// Half of what is left outside the bounds.
const TAIL: f64 = 0.005;

/// Smallest difference of RTT that probes can tell, in milliseconds.
const TELLABLE_MS: f64 = 0.1;

/// What can be said of the RTTs of two uplinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The first one is faster.
    Faster,
    /// Neither is, beyond noise.
    NoDifference,
    /// There are too few blocks with both.
    TooShort,
    /// The other one never answered.
    OnlyOne,
}

/// Two uplinks compared for one class; the first one has the smaller median.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Uplink with the smaller median.
    pub uplink: String,
    /// The other one.
    pub other: String,
    /// What can be said of their RTTs.
    pub finding: Finding,
    /// By how much the first one is faster: the median over blocks, milliseconds.
    pub faster_by_ms: Option<f64>,
    /// Bounds of that with 99 % confidence, milliseconds.
    pub bounds_ms: Option<[f64; 2]>,
    /// Blocks in which both answered.
    pub blocks: usize,
    /// Uplink that loses less, if one does.
    pub loses_less: Option<String>,
    /// All of that in a sentence.
    pub words: String,
}

/// Compares two paths; names are as people read them.
pub(super) fn verdict((name, one): (&str, &Path), (other_name, other): (&str, &Path)) -> Verdict {
    let differences: Vec<Difference> =
        one.blocks.iter().filter_map(|(at, tally)| Difference::of(tally, other.blocks.get(at)?)).collect();
    let faster_by_ms = nearest_rank(&sorted(&differences, |it| it.by), 50).map(rounded);
    let low = bounds(&sorted(&differences, |it| it.by - it.error));
    let high = bounds(&sorted(&differences, |it| it.by + it.error));
    let bounds_ms = low.zip(high).map(|([low, _], [_, high])| [rounded(low), rounded(high)]);
    let finding = match (faster_by_ms, bounds_ms) {
        _ if other.whole.rtt.count() == 0 => Finding::OnlyOne,
        (Some(by), Some([low, _])) if low > 0.0 && by >= TELLABLE_MS => Finding::Faster,
        (Some(_), Some(_)) => Finding::NoDifference,
        _ => Finding::TooShort,
    };
    let loses_less = match loses_less(&one.whole, &other.whole) {
        Some(true) => Some(name.to_owned()),
        Some(false) => Some(other_name.to_owned()),
        None => None,
    };
    let mut verdict = Verdict {
        uplink: name.to_owned(),
        other: other_name.to_owned(),
        finding,
        faster_by_ms,
        bounds_ms,
        blocks: differences.len(),
        loses_less,
        words: String::new(),
    };
    verdict.words = format!("{}; {}", in_words(&verdict), loss_in_words(&verdict, &one.whole, &other.whole));
    verdict
}

/// By how much the first one was faster in a block, and how far that may be off because medians are known to a bucket, in
/// milliseconds.
struct Difference {
    by: f64,
    error: f64,
}

impl Difference {
    /// None where that cannot be told.
    fn of(one: &Tally, other: &Tally) -> Option<Self> {
        if one.rtt.count() < ANSWERS || other.rtt.count() < ANSWERS {
            return None;
        }
        let (fast, slow) = (one.rtt_ms(0.5)?, other.rtt_ms(0.5)?);
        Some(Self { by: slow - fast, error: fast * one.rtt.error_of(0.5) + slow * other.rtt.error_of(0.5) })
    }
}

fn sorted(differences: &[Difference], of: impl Fn(&Difference) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = differences.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Bounds of the median of sorted values: the widest pair of ranks outside of which it lies with 1 % at most, if every value
/// is as likely above it as below (binomial, p = 1/2).
fn bounds(sorted: &[f64]) -> Option<[f64; 2]> {
    let n = sorted.len();
    if n < BLOCKS {
        return None;
    }
    // In logarithms, because 2^-n has no place in a number when n is large.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let (mut below, mut rank) = (0.0, 0_usize);
    while rank < n / 2 {
        below += log_term.exp();
        if below > TAIL {
            break;
        }
        log_term += ((n - rank) as f64 / (rank + 1) as f64).ln();
        rank += 1;
    }
    let low = rank.checked_sub(1)?;
    Some([*sorted.get(low)?, *sorted.get(n - 1 - low)?])
}

/// Whether the first one loses less; nothing where the bounds overlap.
fn loses_less(one: &Tally, other: &Tally) -> Option<bool> {
    let (low, high) = wilson_bounds(one.lost, one.probes)?;
    let (other_low, other_high) = wilson_bounds(other.lost, other.probes)?;
    if high < other_low {
        return Some(true);
    }
    (other_high < low).then_some(false)
}

fn in_words(verdict: &Verdict) -> String {
    let Verdict { uplink, other, blocks, .. } = verdict;
    let sure = match (verdict.faster_by_ms, verdict.bounds_ms) {
        (Some(by), Some([low, high])) => Some((by, format!("99 % sure of {low:.2} to {high:.2} ms"))),
        _ => None,
    };
    match (verdict.finding, sure) {
        (Finding::Faster, Some((by, sure))) => {
            format!("{uplink} is {by:.1} ms faster than {other} at the median ({sure})")
        }
        (Finding::NoDifference, Some((by, sure))) => {
            format!("no difference between {uplink} and {other} beyond noise (median difference {by:.1} ms, {sure})")
        }
        (Finding::OnlyOne, _) => format!("{uplink} answered, {other} never did"),
        _ => format!(
            "too short to tell {uplink} and {other} apart: {blocks} blocks of time with both, {BLOCKS} are needed"
        ),
    }
}

fn loss_in_words(verdict: &Verdict, one: &Tally, other: &Tally) -> String {
    if one.lost == 0 && other.lost == 0 {
        return "both without loss".to_owned();
    }
    let shares = [(&verdict.uplink, one), (&verdict.other, other)].map(|(name, tally)| {
        let share = tally.loss().unwrap_or_default();
        let (low, high) = wilson_bounds(tally.lost, tally.probes).unwrap_or((0.0, 1.0));
        format!("{name} {:.2} % ({:.2} to {:.2})", share * 100.0, low * 100.0, high * 100.0)
    });
    match &verdict.loses_less {
        Some(name) => format!("{name} loses less: {}", shares.join(", ")),
        None => format!("no difference of loss beyond noise: {}", shares.join(", ")),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranks of the bounds in tables of the sign test: `n` values lie below the `k`-th with 0.5 % at most.
    #[test]
    fn bounds_are_the_ranks_of_the_sign_test() {
        for (n, rank) in [(8, 1), (10, 1), (12, 2), (20, 4), (25, 6), (50, 16), (100, 37)] {
            let values: Vec<f64> = (1..=n).map(f64::from).collect();
            let [low, high] = bounds(&values).unwrap();
            assert_eq!((low, high), (f64::from(rank), f64::from(n + 1 - rank)), "{n} values");
        }
        assert_eq!(bounds(&[1.0; 7]), None, "seven alike are still more likely than 1 %");
    }
}
