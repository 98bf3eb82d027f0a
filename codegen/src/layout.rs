//! Layout of map keys and values, and the arithmetic of histogram buckets, shared by the code generator and the loader.
//!
//! Values of aggregations are arrays of `u64`, one copy per CPU:
//!
//! | aggregation | words | merged over CPUs by |
//! |---|---|---|
//! | count | number | adding |
//! | sum | sum, 1 when there is a value | adding (wrapping) |
//! | max | [`bias`]ed value, 1 when there is one | maximum |
//! | min | complement of the biased value, 1 when there is one | maximum |
//! | avg, stats | count, sum | adding |
//! | hist, lhist | one count per bucket | adding |
//! | tseries | for each place of a period: its number, value, and time (last) or count (avg) of the value | see the loader |

use lang::hir::{Agg, MapValue};
use lang::types::Type;

/// Bytes of a map key of this type; a scalar map is an array with a `u32` index.
#[must_use]
pub fn key_size(key: Option<&Type>) -> u32 {
    key.map_or(4, |k| k.size().next_multiple_of(8).max(8))
}

/// Bytes of a value (of one CPU).
#[must_use]
pub fn value_size(value: &MapValue) -> u32 {
    match value {
        MapValue::Plain(ty) => ty.size().next_multiple_of(8).max(8),
        MapValue::Agg(agg) => 8 * words(*agg),
    }
}

/// Number of `u64` words of an aggregation.
#[must_use]
pub fn words(agg: Agg) -> u32 {
    match agg {
        Agg::Count => 1,
        Agg::Sum { .. } | Agg::Min { .. } | Agg::Max { .. } | Agg::Avg { .. } | Agg::Stats { .. } => 2,
        Agg::Hist { bits } => hist_buckets(bits),
        Agg::Lhist { min, max, step } => lhist_buckets(min, max, step),
        Agg::Tseries { count, .. } => PERIOD_WORDS * count,
    }
}

/// Words of a period of a time series. The place of a period is its number modulo the number of periods; the number counts from
/// 1970, so a place that was never used has 0.
pub const PERIOD_WORDS: u32 = 3;

/// The form in which minima and maxima are kept: an unsigned number that orders like the value, so that a cleared slot is below all
/// values or equal to the least. Minima are kept as the complement of this.
#[must_use]
pub fn bias(value: u64, signed: bool) -> u64 {
    if signed { value ^ (1 << 63) } else { value }
}

/// Number of buckets of a power-of-two histogram: negative values, then zero, then `2^bits` per power of two (below
/// `2^bits` every value has its own).
#[must_use]
pub fn hist_buckets(bits: u8) -> u32 {
    ((65 - u32::from(bits)) << bits) + 1
}

/// Bucket of a value in a power-of-two histogram.
#[must_use]
pub fn hist_bucket(value: i64, bits: u8) -> u32 {
    if value < 0 {
        return 0;
    }
    let (value, k) = (value as u64, u32::from(bits));
    if value >> k == 0 {
        return 1 + value as u32;
    }
    let log = value.ilog2();
    let within = (value >> (log - k)) as u32 - (1 << k);
    1 + ((log - k + 1) << k) + within
}

/// Bounds `[low, high)` of a bucket of a power-of-two histogram; `None` below for the bucket of negative values. The
/// upper bound of the last bucket saturates.
#[must_use]
pub fn hist_bounds(bucket: u32, bits: u8) -> (Option<u64>, u64) {
    let k = u32::from(bits);
    match bucket.checked_sub(1) {
        None => (None, 0),
        Some(n) if n >> k == 0 => (Some(u64::from(n)), u64::from(n) + 1),
        Some(n) => {
            let shift = (n >> k) - 1;
            let start = u64::from((n & ((1 << k) - 1)) + (1 << k));
            let at = |v: u64| v.checked_shl(shift).filter(|r| r >> shift == v).unwrap_or(u64::MAX);
            (Some(at(start)), at(start + 1))
        }
    }
}

/// Number of buckets of a linear histogram: below `min`, the steps, `max` and above.
#[must_use]
pub fn lhist_buckets(min: i64, max: i64, step: i64) -> u32 {
    let span = max.wrapping_sub(min) as u64;
    span.div_ceil(step.max(1) as u64).min(u64::from(u32::MAX) - 2) as u32 + 2
}

/// Bucket of a value in a linear histogram.
#[must_use]
pub fn lhist_bucket(value: i64, min: i64, max: i64, step: i64) -> u32 {
    if value < min {
        0
    } else if value >= max {
        lhist_buckets(min, max, step) - 1
    } else {
        1 + (value.wrapping_sub(min) as u64 / step as u64) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_bounds_agree() {
        for bits in 0..=5 {
            assert_eq!(hist_bucket(i64::MAX, bits) + (1 << bits) + 1, hist_buckets(bits));
            for value in (0..5000).chain([1 << 40, (1 << 40) + 12345, i64::MAX]) {
                let (low, high) = hist_bounds(hist_bucket(value, bits), bits);
                let value = value as u64;
                assert!(low.is_some_and(|l| l <= value) && value < high, "{value} {bits}: {low:?} {high}");
            }
        }
        assert_eq!(hist_bounds(hist_bucket(-5, 0), 0).0, None);
        assert_eq!((1..=5).map(|b| hist_bounds(b, 0).0).collect::<Vec<_>>(), [0, 1, 2, 4, 8].map(Some));
    }

    #[test]
    fn linear_buckets() {
        assert_eq!(lhist_buckets(0, 100, 10), 12);
        assert_eq!([-1, 0, 9, 10, 99, 100].map(|v| lhist_bucket(v, 0, 100, 10)), [0, 1, 1, 2, 10, 11]);
        assert_eq!(
            lhist_bucket(i64::MAX, i64::MIN, i64::MAX, 1 << 62),
            lhist_buckets(i64::MIN, i64::MAX, 1 << 62) - 1
        );
    }
}
