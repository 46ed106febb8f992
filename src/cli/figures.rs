//! Numbers as people read them. An absent figure is a dash.

use std::{fmt::Display, time::Duration};

/// What stands for "none" or "not known".
pub const ABSENT: &str = "-";

/// Milliseconds with one decimal.
pub fn milliseconds(value: Option<f64>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| format!("{value:.1} ms"))
}

/// Milliseconds with two decimals, for one probe at a time.
pub fn fine_milliseconds(value: Option<Duration>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| format!("{:.2} ms", value.as_secs_f64() * 1e3))
}

/// A ratio (0 to 1) in percent with one decimal.
pub fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| ABSENT.to_owned(), |ratio| format!("{:.1} %", ratio * 100.0))
}

/// A loss with the bounds between which it lies with 95 % confidence: `5.0 % (1-24)`.
pub fn loss_with_bounds(ratio: Option<f64>, bounds: Option<[f64; 2]>) -> String {
    match (ratio, bounds) {
        (Some(_), Some(bounds)) => {
            let [low, high] = bounds.map(|bound| bound * 100.0);
            // Over many probes they lie close to one another.
            let decimals = usize::from(high - low < 2.0);
            format!("{} ({low:.decimals$}-{high:.decimals$})", percent(ratio))
        }
        _ => percent(ratio),
    }
}

/// Seconds in at most two units.
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// Seconds since something that recurs, with one decimal.
pub fn age(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| ABSENT.to_owned(), |seconds| format!("{seconds:.1} s"))
}

/// A number and what is counted, in singular or plural.
pub fn count<N: Copy + Display + From<u8> + PartialEq>(number: N, one: &str, many: &str) -> String {
    let word = if number == N::from(1) { one } else { many };
    format!("{number} {word}")
}

/// An optional name.
pub fn or_absent(name: Option<&str>) -> &str {
    name.unwrap_or(ABSENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        let cases = [(0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3_725, "1 h 2 min"), (90_000, "1 d 1 h")];
        for (seconds, expected) in cases {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn figures_are_rounded_or_absent() {
        assert_eq!(milliseconds(Some(12.345)), "12.3 ms");
        assert_eq!(percent(Some(0.0251)), "2.5 %");
        assert_eq!(milliseconds(None), "-");
        assert_eq!(loss_with_bounds(Some(0.05), Some([0.0089, 0.2361])), "5.0 % (1-24)");
        assert_eq!(loss_with_bounds(Some(0.001), Some([0.0005, 0.0021])), "0.1 % (0.1-0.2)");
        assert_eq!(loss_with_bounds(Some(0.0), None), "0.0 %");
        assert_eq!(loss_with_bounds(None, Some([0.0, 1.0])), "-");
        assert_eq!(count(1_u64, "class", "classes"), "1 class");
        assert_eq!(count(0_usize, "class", "classes"), "0 classes");
    }
}
