//! Arithmetic of base-2 exponential buckets, as OpenTelemetry's metrics data model defines them.
//!
//! Bucket `index` at `scale` holds values in `(base^index, base^(index + 1)]` with `base = 2^(2^-scale)`. Two neighbours
//! at one scale are exactly one bucket, `index >> 1`, of the scale below, so that resolution can be given up without
//! looking at the values again.

/// Finest scale: buckets 0.07 % wide, still far from the rounding error of the logarithm.
pub const FINEST_SCALE: i32 = 10;

/// Index of the bucket of a positive normal value in seconds. Upper bounds are inclusive.
#[allow(clippy::cast_possible_truncation, reason = "|log2| of a duration is below 65, times 2^10 at most")]
pub fn bucket_of(seconds: f64, scale: i32) -> i32 {
    let position = seconds.log2() * f64::from(scale).exp2();
    position.ceil() as i32 - 1
}

/// Lower (exclusive) and upper (inclusive) bound of a bucket, in seconds.
pub fn bounds_of(index: i32, scale: i32) -> (f64, f64) {
    let width = f64::from(-scale).exp2();
    ((f64::from(index) * width).exp2(), ((f64::from(index) + 1.0) * width).exp2())
}

/// Largest relative error of a value that is only known to lie in some bucket of that scale, when it is told as
/// [`middle_of`] that bucket: `(base - 1) / (base + 1)`.
pub fn relative_error_at(scale: i32) -> f64 {
    let base = f64::from(-scale).exp2().exp2();
    (base - 1.0) / (base + 1.0)
}

/// The value of a bucket that is relatively as far from its lower as from its upper bound, in seconds.
pub fn middle_of(index: i32, scale: i32) -> f64 {
    let (_, high) = bounds_of(index, scale);
    high * (1.0 - relative_error_at(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_lie_in_the_bucket_that_they_end() {
        for exponent in -10..4 {
            let value = f64::from(exponent).exp2();
            assert_eq!(bucket_of(value, 0), exponent - 1, "{value} s at scale 0");
            assert_eq!(bucket_of(value, 3), (exponent << 3) - 1, "{value} s at scale 3");
            assert_eq!(bucket_of(value, -1), (exponent - 1) >> 1, "{value} s at scale -1");
        }
    }

    #[test]
    fn the_middle_errs_by_the_same_share_at_both_bounds() {
        for scale in -3..=FINEST_SCALE {
            for index in [-40, -1, 0, 17] {
                let (low, high) = bounds_of(index, scale);
                let told = middle_of(index, scale);
                let error = relative_error_at(scale);
                assert!(((told - low) / low - error).abs() < 1e-9, "scale {scale}");
                assert!(((high - told) / high - error).abs() < 1e-9, "scale {scale}");
            }
        }
    }
}
