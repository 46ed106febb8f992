//! How far a share of lost probes can be trusted.

/// 97.5th percentile of the normal distribution: bounds with 95 % confidence.
const Z: f64 = 1.959_963_984_540_054;

/// Lost probes among those that tell of loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Share {
    /// Lost ones.
    pub lost: usize,
    /// Lost and answered ones.
    pub of: usize,
}

impl Share {
    /// 0 to 1; 0 of none.
    pub fn value(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.lost as f64 / self.of as f64 }
    }
}

/// Bounds between which the loss of the path lies with 95 % confidence (Wilson's score interval), 0 to 1; absent without
/// probes.
///
/// It takes probes for independent of one another. Losses come in bursts, and then as many probes say less than that: the
/// true bounds are wider. Wilson's interval rather than the usual one because it holds for few probes and for shares
/// close to 0, where a path ought to be: 0 of 20 lost is 0 to 16 %, and not 0 to 0.
pub fn wilson_bounds(lost: u64, probes: u64) -> Option<(f64, f64)> {
    if probes == 0 {
        return None;
    }
    let n = probes as f64;
    let share = (lost.min(probes) as f64) / n;
    let scale = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // The ends are exact: rounding must not leave the true share outside.
    let low = if lost == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if lost >= probes { 1.0 } else { (centre + half).min(1.0) };
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn bounds(lost: u64, probes: u64, low: f64, high: f64) {
        let (is_low, is_high) = wilson_bounds(lost, probes).unwrap();
        assert!((is_low - low).abs() < 5e-4, "{lost} of {probes}: {is_low}");
        assert!((is_high - high).abs() < 5e-4, "{lost} of {probes}: {is_high}");
    }

    #[test]
    fn bounds_are_those_of_the_literature() {
        // Newcombe, "Two-sided confidence intervals for the single proportion", table I.
        bounds(81, 263, 0.2553, 0.3662);
        bounds(15, 148, 0.0624, 0.1605);
        bounds(0, 20, 0.0, 0.1611);
        bounds(1, 29, 0.0061, 0.1718);
    }

    #[test]
    fn nothing_sent_has_no_bounds_and_everything_lost_reaches_to_one() {
        assert_eq!(wilson_bounds(0, 0), None);
        assert_eq!(wilson_bounds(3, 3).map(|(_, high)| high), Some(1.0));
    }

    #[test]
    fn more_probes_narrow_the_bounds_around_the_share() {
        let mut width = 1.0;
        for probes in [20, 200, 2_000, 20_000] {
            let (low, high) = wilson_bounds(probes / 20, probes).unwrap();
            assert!(low < 0.05 && high > 0.05);
            assert!(high - low < width);
            width = high - low;
        }
    }
}
