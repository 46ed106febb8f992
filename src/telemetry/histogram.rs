//! Base-2 exponential histogram of OpenTelemetry's metrics data model, positive values only; the arithmetic is in
//! [`crate::domain::exponential`].
//!
//! The histogram starts at the finest scale and halves its resolution whenever the values would spread over more than
//! [`MAX_BUCKETS`]. A path whose RTT stays within a factor of 1.5 keeps buckets less than 0.6 % wide.

use std::{collections::BTreeMap, time::Duration};

use crate::domain::exponential::{FINEST_SCALE, bucket_of};

/// Most buckets from the smallest to the largest value.
pub const MAX_BUCKETS: usize = 80;

/// Durations in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    scale: i32,
    buckets: BTreeMap<i32, u64>,
    zeros: u64,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            scale: FINEST_SCALE,
            buckets: BTreeMap::new(),
            zeros: 0,
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: 0.0,
        }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: Duration) {
        let seconds = value.as_secs_f64();
        self.count += 1;
        self.sum += seconds;
        self.min = self.min.min(seconds);
        self.max = self.max.max(seconds);
        if value.is_zero() {
            self.zeros += 1;
            return;
        }
        let index = self.make_room_for(seconds);
        *self.buckets.entry(index).or_default() += 1;
    }

    /// Resolution; the base of the buckets is `2^(2^-scale)`.
    pub fn scale(&self) -> i32 {
        self.scale
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of the values in seconds.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Smallest value in seconds, if there is one.
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }

    /// Largest value in seconds, if there is one.
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }

    /// Values that were exactly zero.
    pub fn zeros(&self) -> u64 {
        self.zeros
    }

    /// Index of the first bucket, and the counts from it to the last without holes.
    pub fn dense(&self) -> (i32, Vec<u64>) {
        let (Some((&first, _)), Some((&last, _))) = (self.buckets.first_key_value(), self.buckets.last_key_value())
        else {
            return (0, Vec::new());
        };
        (first, (first..=last).map(|index| self.buckets.get(&index).copied().unwrap_or_default()).collect())
    }

    /// Coarsens until `seconds` fits beside what is there; its index.
    fn make_room_for(&mut self, seconds: f64) -> i32 {
        loop {
            let index = bucket_of(seconds, self.scale);
            let first = self.buckets.keys().next().map_or(index, |&first| first.min(index));
            let last = self.buckets.keys().next_back().map_or(index, |&last| last.max(index));
            // Indexes are within ±2^21 at the finest scale: the difference does not overflow.
            if usize::try_from(last - first).is_ok_and(|span| span < MAX_BUCKETS) {
                return index;
            }
            self.coarsen();
        }
    }

    /// Halves the resolution: two neighbours become one bucket, exactly.
    fn coarsen(&mut self) {
        self.scale -= 1;
        let mut merged = BTreeMap::new();
        for (&index, &count) in &self.buckets {
            *merged.entry(index >> 1).or_default() += count;
        }
        self.buckets = merged;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::exponential::bounds_of;

    fn of(values: impl IntoIterator<Item = Duration>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }

    fn millis(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn equal_values_share_one_bucket_at_the_finest_scale() {
        let histogram = of([millis(12), millis(12), millis(12)]);
        assert_eq!(histogram.scale(), FINEST_SCALE);
        assert_eq!(histogram.dense().1, [3]);
    }

    #[test]
    fn a_usual_path_keeps_its_resolution() {
        let histogram = of((10_000..15_000).step_by(50).map(Duration::from_micros));
        assert!(histogram.scale() >= 7, "scale {}", histogram.scale());
    }

    #[test]
    fn zero_is_counted_apart() {
        let histogram = of([Duration::ZERO, millis(1)]);
        assert_eq!((histogram.zeros(), histogram.count()), (1, 2));
        assert_eq!(histogram.dense().1, [1]);
    }

    #[test]
    fn nothing_recorded_has_no_extremes() {
        let histogram = Histogram::default();
        assert_eq!((histogram.min(), histogram.max(), histogram.dense()), (None, None, (0, Vec::new())));
    }

    proptest! {
        #[test]
        fn every_value_is_in_the_bucket_that_the_data_model_says(
            nanos in prop::collection::vec(1u64..100_000_000_000, 1..200),
        ) {
            let values: Vec<Duration> = nanos.into_iter().map(Duration::from_nanos).collect();
            let histogram = of(values.clone());
            let (offset, counts) = histogram.dense();
            prop_assert!(counts.len() <= MAX_BUCKETS);
            prop_assert_eq!(counts.iter().sum::<u64>(), values.len() as u64);
            for (index, &count) in (offset..).zip(&counts) {
                let (low, high) = bounds_of(index, histogram.scale());
                let inside = |value: &&Duration| {
                    let seconds = value.as_secs_f64();
                    // Rounding of the logarithm may put a value on the other side of a bound that it touches.
                    seconds > low * (1.0 - 1e-12) && seconds <= high * (1.0 + 1e-12)
                };
                let expected = values.iter().filter(inside).count() as u64;
                prop_assert!(count <= expected, "bucket {} holds {} of {}", index, count, expected);
            }
        }

        #[test]
        fn the_scale_is_as_fine_as_the_bound_allows(nanos in prop::collection::vec(1u64..10_000_000_000, 2..50)) {
            let histogram = of(nanos.iter().copied().map(Duration::from_nanos));
            let finer = histogram.scale() + 1;
            let (low, high) = (histogram.min().unwrap(), histogram.max().unwrap());
            let span = bucket_of(high, finer) - bucket_of(low, finer);
            prop_assert!(finer > FINEST_SCALE || usize::try_from(span).unwrap() >= MAX_BUCKETS);
        }
    }
}
