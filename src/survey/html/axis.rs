//! Axes: where a value stands, the round values that are written beside them, and lines in a plot.

use std::fmt::Write;

/// A straight axis from one value to another, over some units of a plot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    /// Where `low` stands, and `high`.
    begin: f64,
    end: f64,
}

impl Axis {
    pub fn new((low, high): (f64, f64), (begin, end): (f64, f64)) -> Self {
        // A single value stands in the middle.
        let (low, high) = if high > low { (low, high) } else { (low - 1.0, high + 1.0) };
        Self { low, high, begin, end }
    }

    /// Where a value stands; one beyond the axis stands at its end.
    pub fn place(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.begin + share * (self.end - self.begin)
    }

    /// Some round values on it: steps of 1, 2 or 5 times a power of ten.
    pub fn ticks(&self, about: f64) -> Vec<f64> {
        let raw = (self.high - self.low) / about;
        let power = 10_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= raw);
        let Some(step) = step.filter(|step| step.is_finite() && *step > 0.0) else { return Vec::new() };
        let first = (self.low / step).ceil();
        let ticks = (0_u8..50).map(|number| (first + f64::from(number)) * step);
        ticks.take_while(|tick| *tick <= self.high + step * 1e-9).collect()
    }
}

/// A round value without needless decimals.
pub(super) fn label(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Writes a line of the grid from the left to the right, with the words beside it.
pub(super) fn level(to: &mut String, at: f64, (left, right): (f64, f64), words: &str) -> std::fmt::Result {
    writeln!(to, "<path class=\"grid\" d=\"M{left} {at:.1}H{right:.1}\"/>")?;
    writeln!(to, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{words}</text>", left - 5.0, at + 4.0)
}

/// A line through these points, as the `d` of a path has it.
pub(super) fn trace(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut shape = String::new();
    for (number, (at, height)) in points.enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(shape, "{}{at:.1} {height:.1}", if number == 0 { 'M' } else { 'L' });
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_on_the_axis() {
        let axis = Axis::new((9.3, 61.0), (0.0, 100.0));
        assert_eq!(axis.ticks(5.0), [20.0, 40.0, 60.0]);
        assert_eq!(Axis::new((0.0, 1.0), (0.0, 1.0)).ticks(4.0).len(), 3);
        assert_eq!([0.1, 0.25, 20.0, 100.0].map(label), ["0.1", "0.25", "20", "100"]);
    }

    #[test]
    fn a_single_value_stands_in_the_middle() {
        assert!((Axis::new((7.0, 7.0), (0.0, 100.0)).place(7.0) - 50.0).abs() < 1e-9);
    }
}
