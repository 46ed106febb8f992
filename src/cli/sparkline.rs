//! The course of the last hour in one line of letters: how long answers took, and what was lost.
//!
//! Height is round-trip time. The ground is the shortest of the line, and the top is at least half as much again and
//! [`LEAST_SPAN_MS`] above it, so that a calm path is a flat line, however closely one looks. A step without any answer is a
//! cross, one in which nothing was sent is empty.

use super::{output::Colour, output::Style, table::Cell};
use crate::domain::view::TrendPoint;

/// Heights, lowest first.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The same by density of ink, where letters beyond ASCII cannot be shown.
const INK: [char; 8] = ['.', ':', '-', '=', '+', '*', '#', '%'];

/// Least difference between ground and top, milliseconds.
const LEAST_SPAN_MS: f64 = 2.0;

/// Loss from which it is shown in place of the height.
const NOTABLE_LOSS: f64 = 0.02;

/// Loss from which it is red.
const GRAVE_LOSS: f64 = 0.1;

/// Heights, with notable loss in their place as a digit: tenths of the probes, rounded up. `5` is more than 40 and up to
/// 50 %.
pub fn sparkline(trend: &[TrendPoint], style: Style) -> Cell {
    let scale = Scale::of(trend);
    trend
        .iter()
        .map(|point| match point.loss_ratio {
            Some(loss) if loss >= NOTABLE_LOSS => (loss_letter(loss, style), loss_colour(loss)),
            _ => (scale.letter(point, style), None),
        })
        .collect()
}

/// Heights alone.
pub fn heights(trend: &[TrendPoint], style: Style) -> Cell {
    let scale = Scale::of(trend);
    trend.iter().map(|point| (scale.letter(point, style), point.loss_ratio.and_then(loss_colour))).collect()
}

/// Loss alone, any loss: tenths of the probes, rounded up; a dot for none.
pub fn losses(trend: &[TrendPoint], style: Style) -> Cell {
    let step = |point: &TrendPoint| match point.loss_ratio {
        None => (' ', None),
        Some(loss) if loss > 0.0 => (loss_letter(loss, style), loss_colour(loss)),
        Some(_) => (if style.unicode { '·' } else { '.' }, None),
    };
    trend.iter().map(step).collect()
}

/// The same course in half as many steps: of two neighbours the worse, so that nothing is smoothed away.
pub fn halved(trend: &[TrendPoint]) -> Vec<TrendPoint> {
    let worse =
        |pair: &[TrendPoint], figure: fn(&TrendPoint) -> Option<f64>| pair.iter().filter_map(figure).reduce(f64::max);
    // From the newest back, so that the last letter is always about now.
    let mut pairs: Vec<_> = trend
        .rchunks(2)
        .map(|pair| TrendPoint {
            rtt_ms: worse(pair, |point| point.rtt_ms),
            loss_ratio: worse(pair, |point| point.loss_ratio),
        })
        .collect();
    pairs.reverse();
    pairs
}

/// Shortest and longest time of a course, milliseconds.
pub fn range(trend: &[TrendPoint]) -> Option<(f64, f64)> {
    let times = || trend.iter().filter_map(|point| point.rtt_ms);
    times().reduce(f64::min).zip(times().reduce(f64::max))
}

/// From times to letters.
struct Scale {
    ground: f64,
    span: f64,
}

impl Scale {
    fn of(trend: &[TrendPoint]) -> Self {
        let (ground, top) = range(trend).unwrap_or_default();
        Self { ground, span: (top - ground).max(ground / 2.0).max(LEAST_SPAN_MS) }
    }

    fn letter(&self, point: &TrendPoint, style: Style) -> char {
        match (point.rtt_ms, point.loss_ratio) {
            (Some(rtt), _) => {
                let share = (rtt - self.ground) / self.span;
                let height = (1..8_u8).filter(|&level| share >= f64::from(level) / 8.0).count();
                let letters = if style.unicode { BLOCKS } else { INK };
                letters.get(height).copied().unwrap_or(' ')
            }
            (None, Some(_)) => cross(style),
            (None, None) => ' ',
        }
    }
}

fn cross(style: Style) -> char {
    if style.unicode { '×' } else { 'x' }
}

fn loss_letter(loss: f64, style: Style) -> char {
    if loss >= 1.0 {
        return cross(style);
    }
    let tenths = (1..9_u8).filter(|&tenth| loss > f64::from(tenth) / 10.0).count();
    ('1'..='9').nth(tenths).unwrap_or('9')
}

fn loss_colour(loss: f64) -> Option<Colour> {
    match loss {
        grave if grave >= GRAVE_LOSS => Some(Colour::Red),
        notable if notable >= NOTABLE_LOSS => Some(Colour::Yellow),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASCII: Style = Style { colour: false, unicode: false, width: None };
    const UNICODE: Style = Style { colour: false, unicode: true, width: None };

    fn answered(rtt_ms: f64) -> TrendPoint {
        TrendPoint { rtt_ms: Some(rtt_ms), loss_ratio: Some(0.0) }
    }

    fn lossy(rtt_ms: f64, loss: f64) -> TrendPoint {
        TrendPoint { rtt_ms: Some(rtt_ms), loss_ratio: Some(loss) }
    }

    const LOST: TrendPoint = TrendPoint { rtt_ms: None, loss_ratio: Some(1.0) };
    const UNSENT: TrendPoint = TrendPoint { rtt_ms: None, loss_ratio: None };

    #[test]
    fn a_calm_path_is_a_flat_line() {
        let trend: Vec<_> = [9.1, 9.2, 9.15, 9.4, 9.1].map(answered).to_vec();
        assert_eq!(sparkline(&trend, UNICODE).render(UNICODE), "▁▁▁▁▁");
        assert_eq!(sparkline(&trend, ASCII).render(ASCII), ".....");
    }

    #[test]
    fn the_longest_time_reaches_the_top() {
        let trend: Vec<_> = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0].map(answered).to_vec();
        assert_eq!(sparkline(&trend, UNICODE).render(UNICODE), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&trend, ASCII).render(ASCII), ".:-=+*#%");
    }

    #[test]
    fn loss_is_seen_without_colour() {
        let trend =
            [answered(9.0), lossy(9.0, 0.01), lossy(9.0, 0.05), lossy(9.0, 0.5), lossy(9.0, 0.99), LOST, UNSENT];
        assert_eq!(sparkline(&trend, UNICODE).render(UNICODE), "▁▁159× ");
        assert_eq!(sparkline(&trend, ASCII).render(ASCII), "..159x ");
        assert_eq!(heights(&trend, ASCII).render(ASCII), ".....x ");
        assert_eq!(losses(&trend, ASCII).render(ASCII), ".1159x ");
    }

    #[test]
    fn loss_is_coloured_by_its_weight() {
        let painted = Style { colour: true, ..ASCII };
        let trend = [answered(9.0), lossy(9.0, 0.05), LOST, LOST];
        assert_eq!(sparkline(&trend, painted).render(painted), ".\x1b[33m1\x1b[0m\x1b[31mxx\x1b[0m");
    }

    #[test]
    fn halving_keeps_the_worse_of_two_and_begins_at_the_newest() {
        let trend = [answered(1.0), answered(5.0), lossy(3.0, 0.5), LOST, answered(4.0)];
        let half = halved(&trend);
        let expected = [answered(1.0), lossy(5.0, 0.5), lossy(4.0, 1.0)];
        assert_eq!(half, expected);
    }

    #[test]
    fn nothing_known_is_nothing_shown() {
        assert_eq!(sparkline(&[], ASCII).render(ASCII), "");
        assert_eq!(range(&[UNSENT, LOST]), None);
    }
}
