//! Quantiles of any number of round-trip times in little memory, with a stated error.
//!
//! Counts in buckets of exponential width, at most [`MAX_BUCKETS`] of them. They begin 0.07 % wide, as OpenTelemetry's
//! exponential histogram has them at its finest; when there are too many, neighbours become one, those first whose
//! counts times their width are least. So the resolution is where the values are: close around the median of a usual
//! path, coarse among its few outliers. Empty buckets are not kept. Every value is in the bucket that it belongs to
//! whatever happened before, so that the bucket in which a quantile lies bounds its error for certain:
//! [`Sketch::error_of`].
//!
//! No bucket becomes wider than it must be if values lay everywhere between the smallest and the largest. That bounds the
//! relative error of every quantile beforehand, by how far the values are spread:
//!
//! | largest / smallest | error at most | for example |
//! |---|---|---|
//! | 1.04 | 0.07 % | 10.0 to 10.4 ms |
//! | 1.5 | 1.1 % | 10 to 15 ms |
//! | 2 | 2.2 % | 10 to 20 ms |
//! | 10 | 4.4 % | 10 to 100 ms |
//! | 100 | 8.7 % | 10 ms to 1 s |
//!
//! Smallest and largest value are exact.
//!
//! Why this one: sketches must be merged (minutes into hours, hours into days) without adding to the error. A t-digest
//! does not bound it; `HdrHistogram` wants its range fixed beforehand and kilobytes for it; `DDSketch` has the same
//! buckets, all of one width, and with as few as these a single outlier would cost the median its resolution. Merging
//! siblings only, as a q-digest does, keeps bounds comparable between sketches of different resolution.

use std::time::Duration;

use crate::domain::exponential::{FINEST_SCALE, bucket_of, middle_of, relative_error_at};

#[cfg(test)]
mod tests;

/// Most buckets in use at a time.
pub const MAX_BUCKETS: usize = 32;

/// How many values lie in `2^level` buckets of the finest scale, of which `index` at that level is the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    pub index: i32,
    pub level: u8,
    pub count: u32,
}

impl Bucket {
    /// Number of its first bucket at the finest scale.
    pub fn start(self) -> i32 {
        self.index << self.level
    }

    /// Number behind its last one.
    pub fn end(self) -> i32 {
        (self.index + 1) << self.level
    }

    /// Level of the smallest bucket that holds both.
    fn level_with(self, other: Self) -> u8 {
        let level = self.level.max(other.level);
        let apart = (self.start() >> level) ^ (other.start() >> level);
        // Of both signs: together only at the top.
        level.saturating_add(u8::try_from(i32::BITS - apart.leading_zeros()).unwrap_or(u8::MAX)).min(TOP_LEVEL)
    }

    fn widened(self, level: u8) -> Self {
        Self { index: self.start() >> level, level, count: self.count }
    }

    /// OpenTelemetry's scale of that level.
    fn scale(self) -> i32 {
        FINEST_SCALE - i32::from(self.level)
    }
}

/// Widest buckets: one for all below a second and one for all above.
const TOP_LEVEL: u8 = 20;

/// Round-trip times by magnitude. Allocates nothing while empty, and at most [`MAX_BUCKETS`] + 1 buckets of 12 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    /// By place, none of them empty, none within another.
    buckets: Vec<Bucket>,
    count: u64,
    min: Duration,
    max: Duration,
}

impl Default for Sketch {
    fn default() -> Self {
        Self::new()
    }
}

impl Sketch {
    /// One without values.
    pub const fn new() -> Self {
        Self { buckets: Vec::new(), count: 0, min: Duration::MAX, max: Duration::ZERO }
    }

    /// Counts one value. Zero counts as one nanosecond, except in [`Sketch::min`].
    pub fn record(&mut self, value: Duration) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let seconds = value.max(Duration::from_nanos(1)).as_secs_f64();
        self.add(Bucket { index: bucket_of(seconds, FINEST_SCALE), level: 0, count: 1 });
        self.shrink_to(MAX_BUCKETS);
    }

    /// Counts everything that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        for bucket in &other.buckets {
            self.add(*bucket);
            self.shrink_to(MAX_BUCKETS);
        }
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Smallest value, exactly.
    pub fn min(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.min)
    }

    /// Largest value, exactly.
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.max)
    }

    /// The smallest value that at least this share of all values (0 to 1) does not exceed, within
    /// [`Sketch::error_of`] it.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let bucket = self.bucket_at(share)?;
        let middle = Duration::try_from_secs_f64(middle_of(bucket.index, bucket.scale())).unwrap_or(self.max);
        Some(middle.clamp(self.min, self.max))
    }

    /// Largest error of that quantile, as a share of the true value; 0 when there is none.
    pub fn error_of(&self, share: f64) -> f64 {
        self.bucket_at(share).map_or(0.0, |bucket| relative_error_at(bucket.scale()))
    }

    /// Largest error of any quantile, as a share of the true value.
    pub fn relative_error(&self) -> f64 {
        let widest = self.buckets.iter().map(|bucket| bucket.scale()).min();
        widest.map_or(0.0, relative_error_at)
    }

    /// One that was taken apart; buckets by place, none of them empty.
    pub(super) fn of_buckets(buckets: Vec<Bucket>, min: Duration, max: Duration) -> Self {
        let count = buckets.iter().map(|bucket| u64::from(bucket.count)).sum();
        Self { buckets, count, min, max }
    }

    /// Buckets by place, none of them empty.
    pub(super) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Gives up resolution, where it is missed least, until no more than `most` buckets are in use; two at least.
    pub(super) fn shrink_to(&mut self, most: usize) {
        // Below and above one second there is no common bucket.
        let most = most.max(2);
        if self.buckets.len() <= most {
            return;
        }
        // Where fewer buckets must do, outliers get still fewer of them.
        let widest = self.widest_needed(most) + u8::from(most < MAX_BUCKETS);
        while self.buckets.len() > most {
            let pairs = self.buckets.iter().zip(self.buckets.iter().skip(1)).enumerate();
            let cost = |(place, (one, two)): (usize, (&Bucket, &Bucket))| {
                let level = one.level_with(*two);
                // Those that would be too wide come last, the narrowest of them first.
                let mass = (u64::from(one.count) + u64::from(two.count)) << level.min(30);
                ((level.saturating_sub(widest), mass), place, level)
            };
            let Some((_, place, level)) = pairs.map(cost).min() else { return };
            let Some(bucket) = self.buckets.get(place).map(|bucket| Bucket { count: 0, ..bucket.widened(level) })
            else {
                return;
            };
            self.add(bucket);
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }

    fn bucket_at(&self, share: f64) -> Option<Bucket> {
        // 0.07 × 100 is a little more than 7 in binary, and must not become the 8th.
        let rank = (share.clamp(0.0, 1.0) * self.count as f64 * (1.0 - 4.0 * f64::EPSILON)).ceil().max(1.0);
        let mut seen = 0.0;
        let bucket = self.buckets.iter().find(|bucket| {
            seen += f64::from(bucket.count);
            seen >= rank
        });
        bucket.or(self.buckets.last()).copied()
    }

    /// The level at which the whole range takes no more than `most` buckets, however they are filled.
    fn widest_needed(&self, most: usize) -> u8 {
        let (Some(first), Some(last)) = (self.buckets.first(), self.buckets.last()) else { return 0 };
        let (first, last) = (first.start(), last.end() - 1);
        let fits = |level: &u8| usize::try_from((last >> level) - (first >> level)).is_ok_and(|span| span < most);
        (0..TOP_LEVEL).find(fits).unwrap_or(TOP_LEVEL)
    }

    /// Adds a bucket: to the one that it lies in, or in place of those that lie in it.
    fn add(&mut self, bucket: Bucket) {
        let from = self.buckets.partition_point(|other| other.end() <= bucket.start());
        let to = self.buckets.partition_point(|other| other.start() < bucket.end());
        match self.buckets.get_mut(from) {
            Some(around) if from < to && around.level >= bucket.level => {
                around.count = around.count.saturating_add(bucket.count);
            }
            Some(first) if from < to => {
                *first = Bucket { count: bucket.count.saturating_add(first.count), ..bucket };
                let inside =
                    self.buckets.drain(from + 1..to).fold(0_u32, |sum, other| sum.saturating_add(other.count));
                if let Some(first) = self.buckets.get_mut(from) {
                    first.count = first.count.saturating_add(inside);
                }
            }
            _ => {
                if self.buckets.len() == self.buckets.capacity() {
                    let len = self.buckets.len();
                    self.buckets.reserve_exact(len.max(4).min((MAX_BUCKETS + 1).saturating_sub(len).max(1)));
                }
                self.buckets.insert(from, bucket);
            }
        }
    }
}
