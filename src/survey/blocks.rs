//! The time of a recording in blocks of equal length, and hours of the day.

use std::time::Duration;

use crate::{domain::BootTime, recording::Dating};

/// Most blocks.
pub(super) const MOST_BLOCKS: usize = 240;

/// Lengths that people can read off an axis, in minutes.
const LENGTHS: [u64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440];

/// Blocks of a recording: by the wall clock where every run has one, else by the time recorded.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    pub length: Duration,
    pub count: usize,
    /// Begin of each run on the axis.
    begins: Vec<(Duration, BootTime)>,
    /// Begin of the axis since 1970, if it is one of the wall clock.
    pub origin: Option<Duration>,
    utc_offset: i16,
}

impl Blocks {
    /// Those of a recording that was read to its end.
    pub fn new(dating: &Dating) -> Self {
        let runs = || (0..dating.runs()).filter_map(|run| Some((run, dating.span(run)?)));
        let origin = runs().map(|(run, (start, _))| dating.wall(run, start)).collect::<Option<Vec<_>>>();
        let origin = origin.and_then(|begins| begins.into_iter().min());
        let mut begins = Vec::new();
        let (mut recorded, mut end) = (Duration::ZERO, Duration::ZERO);
        for (run, (start, last)) in runs() {
            let begin = match (origin, dating.wall(run, start)) {
                (Some(origin), Some(wall)) => wall.saturating_sub(origin),
                _ => recorded,
            };
            recorded = recorded.saturating_add(last.since(start));
            end = end.max(begin.saturating_add(last.since(start)));
            begins.push((begin, start));
        }
        let length = length(end);
        let count = usize::try_from(end.as_nanos() / length.as_nanos() + 1).unwrap_or(MOST_BLOCKS).min(MOST_BLOCKS);
        let utc_offset = dating.head(0).map_or(0, |head| head.header.utc_offset);
        Self { length, count, begins, origin, utc_offset }
    }

    /// The block that a moment of a run is in.
    pub fn place(&self, run: usize, at: BootTime) -> usize {
        let Some((begin, start)) = self.begins.get(run) else { return 0 };
        let passed = begin.saturating_add(at.since(*start));
        usize::try_from(passed.as_nanos() / self.length.as_nanos()).unwrap_or(usize::MAX).min(self.count - 1)
    }

    /// The hour of the site's day, where the wall clock was set.
    pub fn hour(&self, dating: &Dating, run: usize, at: BootTime) -> Option<usize> {
        let local = self.local(dating.wall(run, at)?);
        usize::try_from(local.as_secs() / 3600 % 24).ok()
    }

    /// A moment since 1970 as the site's clock shows it.
    pub fn local(&self, wall: Duration) -> Duration {
        let ahead = Duration::from_secs(60 * u64::from(self.utc_offset.unsigned_abs()));
        if self.utc_offset < 0 { wall.saturating_sub(ahead) } else { wall.saturating_add(ahead) }
    }
}

/// The shortest length of which a recording has no more than [`MOST_BLOCKS`].
fn length(whole: Duration) -> Duration {
    let fits = |minutes: &u64| whole.as_secs() / (60 * minutes) < MOST_BLOCKS as u64;
    match LENGTHS.into_iter().find(fits) {
        Some(minutes) => Duration::from_secs(60 * minutes),
        // Whole days.
        None => Duration::from_secs(86_400 * (whole.as_secs() / 86_400 / MOST_BLOCKS as u64 + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_as_short_as_their_number_allows() {
        for (hours, minutes) in [(0, 1), (3, 1), (4, 2), (24, 10), (168, 60), (8_760, 2_880)] {
            assert_eq!(length(Duration::from_secs(3600 * hours)), Duration::from_secs(60 * minutes), "{hours} h");
        }
    }
}
