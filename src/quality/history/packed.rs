//! A finished slice in few bytes: numbers of variable length, and no more buckets than fit.
//!
//! ```text
//!   probes, lost, answers without a pair, sum of variations,
//!   and if anything was answered: smallest RTT, largest less smallest, level and index of the first bucket,
//!   then for each bucket: its count × 2, and when it is of another level than the one before or does not follow it
//!   directly: + 1, and then the width of the gap (in its own buckets) × 64 + its level
//! ```
//!
//! Numbers are little-endian groups of seven bits (LEB128), signed ones folded to positive (zigzag).

use std::time::Duration;

use super::{
    super::sketch::{Bucket, Sketch},
    slice::Slice,
};
use crate::quality::probe::nanoseconds;

/// Most bytes of a packed slice. A slice whose buckets do not fit gives up resolution.
pub const MOST_BYTES: usize = 64;

/// Packs a slice.
pub fn pack(slice: &Slice) -> Vec<u8> {
    let mut rtts = slice.rtts.clone();
    loop {
        let bytes = pack_as_is(slice, &rtts);
        if bytes.len() <= MOST_BYTES || rtts.buckets().len() <= 2 {
            return bytes;
        }
        rtts.shrink_to(rtts.buckets().len() - 1);
    }
}

/// Unpacks what [`pack`] packed; absent when it is something else.
pub fn unpack(mut bytes: &[u8]) -> Option<Slice> {
    let input = &mut bytes;
    let (probes, lost, unpaired, variation) = (narrow(input)?, narrow(input)?, narrow(input)?, take(input)?);
    let pairs = probes.checked_sub(lost)?.checked_sub(unpaired)?;
    let mut slice = Slice { probes, lost, variation, pairs, rtts: Sketch::new() };
    if input.is_empty() {
        return Some(slice);
    }
    let min = take(input)?;
    let max = min.checked_add(take(input)?)?;
    let mut level = u8::try_from(take(input)?).ok().filter(|level| *level < 32)?;
    let mut next = i32::try_from(unfold(take(input)?)).ok()?.checked_shl(u32::from(level))?;
    let mut buckets = Vec::new();
    while !input.is_empty() {
        let word = take(input)?;
        let mut gap = 0;
        if word & 1 == 1 {
            let place = take(input)?;
            level = u8::try_from(place & 63).ok().filter(|level| *level < 32)?;
            gap = i32::try_from(place >> 6).ok()?;
        }
        let index = aligned(next, level).checked_add(gap)?;
        buckets.push(Bucket { index, level, count: u32::try_from(word >> 1).ok()? });
        next = index.checked_add(1)?.checked_shl(u32::from(level))?;
    }
    slice.rtts = Sketch::of_buckets(buckets, Duration::from_nanos(min), Duration::from_nanos(max));
    Some(slice)
}

fn pack_as_is(slice: &Slice, rtts: &Sketch) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * MOST_BYTES);
    let unpaired = slice.probes.saturating_sub(slice.lost).saturating_sub(slice.pairs);
    for number in [slice.probes, slice.lost, unpaired] {
        put(&mut out, u64::from(number));
    }
    put(&mut out, slice.variation);
    let (Some(min), Some(max), Some(first)) = (rtts.min(), rtts.max(), rtts.buckets().first()) else { return out };
    put(&mut out, nanoseconds(min));
    put(&mut out, nanoseconds(max) - nanoseconds(min));
    put(&mut out, u64::from(first.level));
    put(&mut out, fold(i64::from(first.index)));
    let (mut level, mut next) = (first.level, first.start());
    for bucket in rtts.buckets() {
        let gap = u64::from(bucket.index.abs_diff(aligned(next, bucket.level)));
        let elsewhere = gap > 0 || bucket.level != level;
        put(&mut out, u64::from(bucket.count) << 1 | u64::from(elsewhere));
        if elsewhere {
            put(&mut out, gap << 6 | u64::from(bucket.level));
        }
        (level, next) = (bucket.level, bucket.end());
    }
    out
}

/// Index of the first bucket of a level that begins at `from` or later.
fn aligned(from: i32, level: u8) -> i32 {
    (from >> level) + i32::from((from >> level) << level != from)
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

fn take(input: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn narrow(input: &mut &[u8]) -> Option<u32> {
    u32::try_from(take(input)?).ok()
}

fn fold(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn unfold(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_fits_comes_back_unchanged_and_the_rest_with_fewer_buckets(
            rtts in prop::collection::vec(prop::option::of(1_u64..3_000_000_000), 0..300),
            repeat in 1_u32..500, variation in 0_u64..10_000_000,
        ) {
            let mut slice = Slice::default();
            for rtt in &rtts {
                for _ in 0..repeat {
                    let variation = rtt.filter(|rtt| rtt % 5 > 0).map(|_| Duration::from_nanos(variation));
                    slice.record(rtt.map(Duration::from_nanos), variation);
                }
            }
            let bytes = pack(&slice);
            prop_assert!(bytes.len() <= MOST_BYTES, "{} bytes", bytes.len());
            let back = unpack(&bytes).unwrap();
            prop_assert_eq!(
                (back.probes, back.lost, back.variation, back.pairs),
                (slice.probes, slice.lost, slice.variation, slice.pairs)
            );
            // One by one, as packing does: what has become one is not parted again.
            let mut same = slice.rtts.clone();
            while same.buckets().len() > back.rtts.buckets().len() {
                same.shrink_to(same.buckets().len() - 1);
            }
            prop_assert_eq!(back.rtts, same);
        }

        #[test]
        fn whatever_is_unpacked_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Some(slice) = unpack(&bytes) {
                slice.figures("5m", Duration::ZERO);
            }
        }
    }

    #[test]
    fn extremes_fit() {
        let mut slice = Slice { probes: u32::MAX, lost: 1, variation: u64::MAX, pairs: 1, ..Slice::default() };
        slice.rtts.record(Duration::ZERO);
        slice.rtts.record(Duration::from_secs(10_000_000));
        let bytes = pack(&slice);
        assert!(bytes.len() <= MOST_BYTES, "{} bytes", bytes.len());
        assert_eq!(unpack(&bytes), Some(slice));
    }
}
