use proptest::prelude::*;

use super::*;

fn of(nanos: impl IntoIterator<Item = u64>) -> Sketch {
    let mut sketch = Sketch::new();
    nanos.into_iter().for_each(|value| sketch.record(Duration::from_nanos(value)));
    sketch
}

#[test]
fn nothing_recorded_says_nothing_and_takes_no_memory() {
    let sketch = Sketch::new();
    assert_eq!((sketch.count(), sketch.min(), sketch.max(), sketch.quantile(0.5)), (0, None, None, None));
    assert_eq!(sketch.buckets.capacity(), 0);
}

#[test]
fn a_single_value_is_exact() {
    let sketch = of([12_345_678]);
    for share in [0.0, 0.5, 0.99, 1.0] {
        assert_eq!(sketch.quantile(share), Some(Duration::from_nanos(12_345_678)));
    }
}

#[test]
fn zero_and_the_longest_durations_are_no_special_cases() {
    let mut sketch = of([0, 1]);
    sketch.record(Duration::MAX);
    assert_eq!((sketch.min(), sketch.max()), (Some(Duration::ZERO), Some(Duration::MAX)));
    assert_eq!(sketch.count(), 3);
}

#[test]
fn outliers_cost_the_median_no_resolution() {
    let mut sketch = of((0..1_000).map(|step| 10_000_000 + step * 200));
    let before = sketch.error_of(0.5);
    for outlier in [40, 90, 200, 500, 3_000] {
        sketch.record(Duration::from_millis(outlier));
    }
    assert!(sketch.error_of(0.5) <= before * 2.01, "{} after {before}", sketch.error_of(0.5));
    assert!(sketch.error_of(0.5) < 0.002);
}

/// Most error that the spread allows, as the head of the module tells it.
fn stated(spread: f64) -> f64 {
    // A span of buckets touches one more than its length, and one more for each end within a bucket.
    let fits = |scale: &i32| spread.log2() * f64::from(*scale).exp2() <= MAX_BUCKETS as f64 - 2.0;
    relative_error_at((-5..=FINEST_SCALE).rev().find(fits).unwrap())
}

#[test]
fn the_error_is_as_the_table_says() {
    for (spread, error) in [(1.04, 0.0007), (1.5, 0.011), (2.0, 0.022), (10.0, 0.044), (100.0, 0.087)] {
        assert!(stated(spread) <= error, "{spread}: {}", stated(spread));
        assert!(stated(spread) > error * 0.7, "{spread}: the table is too modest, {}", stated(spread));
        let step = (spread.log2() / 5_000.0).exp2();
        let mut value = 0.01;
        let mut sketch = Sketch::new();
        for _ in 0..=5_000 {
            sketch.record(Duration::from_secs_f64(value));
            value *= step;
        }
        assert!(sketch.relative_error() <= error, "{spread}: {}", sketch.relative_error());
    }
}

#[test]
fn ranks_are_exact_where_the_share_is_not() {
    let sketch = of((1..=100).map(|value: u32| u64::from(value).pow(2) * 1_000));
    let seventh = sketch.quantile(0.07).unwrap().as_secs_f64();
    assert!((seventh - 49e-6).abs() < 49e-6 * sketch.error_of(0.07) * 1.000_001, "{seventh}");
}

proptest! {
    #[test]
    fn quantiles_are_within_the_stated_error_of_the_exact_ones(
        mut nanos in prop::collection::vec(1_000_u64..3_000_000_000, 1..400),
        percent in 0_u8..=100,
    ) {
        let sketch = of(nanos.clone());
        nanos.sort_unstable();
        let rank = (nanos.len() * usize::from(percent)).div_ceil(100).max(1);
        let exact = nanos[rank - 1] as f64;
        let told = sketch.quantile(f64::from(percent) / 100.0).unwrap().as_nanos() as f64;
        prop_assert!((told - exact).abs() <= exact * sketch.error_of(f64::from(percent) / 100.0) * 1.000_001 + 1.0, "{} for {}", told, exact);
        prop_assert!(sketch.relative_error() <= stated(nanos[nanos.len() - 1] as f64 / nanos[0] as f64));
        prop_assert_eq!(sketch.count(), nanos.len() as u64);
        prop_assert_eq!(sketch.min(), Some(Duration::from_nanos(nanos[0])));
        prop_assert_eq!(sketch.max(), Some(Duration::from_nanos(nanos[nanos.len() - 1])));
        prop_assert!(sketch.buckets.len() <= MAX_BUCKETS);
        prop_assert!(sketch.buckets.capacity() <= MAX_BUCKETS + 1);
    }

    #[test]
    fn merging_loses_nothing_and_keeps_the_stated_error(
        parts in prop::collection::vec(prop::collection::vec(1_000_u64..2_000_000_000, 0..80), 1..12),
        percent in 0_u8..=100,
    ) {
        let mut sketch = Sketch::new();
        for part in &parts {
            sketch.merge(&of(part.iter().copied()));
        }
        let mut all: Vec<u64> = parts.concat();
        all.sort_unstable();
        prop_assert_eq!(sketch.count(), all.len() as u64);
        prop_assert_eq!(sketch.min(), all.first().copied().map(Duration::from_nanos));
        prop_assert_eq!(sketch.max(), all.last().copied().map(Duration::from_nanos));
        prop_assert_eq!(sketch.buckets.iter().map(|bucket| u64::from(bucket.count)).sum::<u64>(), all.len() as u64);
        prop_assert!(sketch.buckets.windows(2).all(|pair| pair[0].end() <= pair[1].start()));
        let share = f64::from(percent) / 100.0;
        let rank = (all.len() * usize::from(percent)).div_ceil(100).max(1);
        if let (Some(exact), Some(told)) = (all.get(rank - 1), sketch.quantile(share)) {
            let (exact, told) = (*exact as f64, told.as_nanos() as f64);
            prop_assert!((told - exact).abs() <= exact * sketch.error_of(share) * 1.000_001 + 1.0, "{} for {}", told, exact);
        }
    }

    #[test]
    fn shrinking_ends_at_two_buckets_with_everything_in_them(nanos in prop::collection::vec(any::<u64>(), 1..100)) {
        let mut sketch = of(nanos.iter().map(|nanos| nanos >> (nanos % 60)));
        sketch.shrink_to(0);
        prop_assert!(sketch.buckets.len() <= 2);
        prop_assert_eq!(sketch.buckets.iter().map(|bucket| u64::from(bucket.count)).sum::<u64>(), nanos.len() as u64);
    }
}
