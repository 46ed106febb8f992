//! Quantiles of any number of round-trip times in little memory, with a stated error.
//!
//! Counts in base-2 exponential buckets, as OpenTelemetry's exponential histogram has them. It starts at the finest
//! resolution (buckets 0.07 % wide) and halves it whenever more than [`MAX_BUCKETS`] buckets would be in use. Empty
//! buckets are not kept: a single outlier costs one bucket, not the resolution of all others.
//!
//! The relative error of a quantile is half the width of a bucket. It depends on how far the values are spread:
//!
//! | largest / smallest | error at most | for example |
//! |---|---|---|
//! | 1.04 | 0.07 % | 10.0 to 10.4 ms |
//! | 1.5 | 1.1 % | 10 to 15 ms |
//! | 2 | 2.2 % | 10 to 20 ms |
//! | 10 | 4.4 % | 10 to 100 ms |
//! | 100 | 8.7 % | 10 ms to 1 s |
//!
//! That is when values are spread over the whole range; a usual path, with most of its answers close to one another and
//! few far off, does better, and [`Sketch::relative_error`] says how well. Smallest and largest value are exact.
//!
//! Why this one: sketches must be merged (minutes into hours, hours into days) without adding to the error or depending
//! on the order. A t-digest does not state a bound and depends on the order; `HdrHistogram` wants its range fixed
//! beforehand and kilobytes for it; `DDSketch` has the same buckets at a fixed error, and gives up its lowest quantiles
//! when they do not fit. Here every bit of memory goes to the resolution that the spread allows, the outcome is the same
//! in whatever order values and sketches come, and the arithmetic is that of the histograms that are reported.

use std::time::Duration;

use crate::domain::exponential::{FINEST_SCALE, bucket_of, middle_of, relative_error_at};

/// Most buckets in use at a time.
pub const MAX_BUCKETS: usize = 32;

/// One bucket: how many values have that index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    pub index: i32,
    pub count: u32,
}

/// Round-trip times by magnitude. Allocates nothing while empty, and at most [`MAX_BUCKETS`] + 1 buckets of 8 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    scale: i32,
    /// By index, none of them empty.
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
        Self { scale: FINEST_SCALE, buckets: Vec::new(), count: 0, min: Duration::MAX, max: Duration::ZERO }
    }

    /// Counts one value. Zero counts as one nanosecond, except in [`Sketch::min`].
    pub fn record(&mut self, value: Duration) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let seconds = value.max(Duration::from_nanos(1)).as_secs_f64();
        self.add(Bucket { index: bucket_of(seconds, self.scale), count: 1 });
        self.coarsen_to(MAX_BUCKETS);
    }

    /// Counts everything that `other` counted: the outcome is that of recording all values here.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        while self.scale > other.scale {
            self.coarsen();
        }
        for bucket in &other.buckets {
            // Looked at anew each time: adding may have coarsened.
            let index = bucket.index >> (other.scale - self.scale);
            self.add(Bucket { index, count: bucket.count });
            self.coarsen_to(MAX_BUCKETS);
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
    /// [`Sketch::relative_error`] of it.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        // 0.07 × 100 is a little more than 7 in binary, and must not become the 8th.
        let rank = (share.clamp(0.0, 1.0) * self.count as f64 * (1.0 - 4.0 * f64::EPSILON)).ceil().max(1.0);
        let mut seen = 0.0;
        let bucket = self.buckets.iter().find(|bucket| {
            seen += f64::from(bucket.count);
            seen >= rank
        });
        let middle = middle_of(bucket.or(self.buckets.last())?.index, self.scale);
        let middle = Duration::try_from_secs_f64(middle).unwrap_or(self.max);
        Some(middle.clamp(self.min, self.max))
    }

    /// Largest error of [`Sketch::quantile`], as a share of the true value.
    pub fn relative_error(&self) -> f64 {
        relative_error_at(self.scale)
    }

    /// Adds to a bucket of the present scale.
    fn add(&mut self, bucket: Bucket) {
        let place = self.buckets.partition_point(|other| other.index < bucket.index);
        match self.buckets.get_mut(place) {
            Some(same) if same.index == bucket.index => same.count = same.count.saturating_add(bucket.count),
            _ => {
                if self.buckets.len() == self.buckets.capacity() {
                    // Doubling, but never beyond the bound.
                    let room = self.buckets.len().max(4).min(MAX_BUCKETS + 1 - self.buckets.len().min(MAX_BUCKETS));
                    self.buckets.reserve_exact(room);
                }
                self.buckets.insert(place, bucket);
            }
        }
    }

    /// Gives up resolution until no more than `most` buckets are in use.
    fn coarsen_to(&mut self, most: usize) {
        while self.buckets.len() > most {
            self.coarsen();
        }
    }

    /// Halves the resolution: two neighbours become one bucket, exactly.
    fn coarsen(&mut self) {
        self.scale -= 1;
        for bucket in &mut self.buckets {
            bucket.index >>= 1;
        }
        self.buckets.dedup_by(|next, kept| {
            let same = next.index == kept.index;
            if same {
                kept.count = kept.count.saturating_add(next.count);
            }
            same
        });
    }
}

#[cfg(test)]
mod tests;
