//! Histograms: which buckets are shown, what they are called, and the bars of the text form.
//!
//! Used by [`super::text`] and [`super::json`]. Bounds come from [`codegen::layout`], labels and line layout are
//! bpftrace's.

use codegen::layout;

/// Characters of the longest bar.
const BAR: usize = 52;

/// A line of a histogram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// Least value in it; `None` when it is open below.
    pub low: Option<i128>,
    /// Value after its greatest; `None` when it is open above.
    pub high: Option<i128>,
    /// Such as `[4, 8)`, `[1K, 2K)`, `[3]`, `(..., 0)`.
    pub label: String,
    /// Number of values.
    pub count: u64,
}

/// The part of `counts` from the first bucket that is not empty to the last one, with the index of the first.
fn used(counts: &[u64]) -> impl Iterator<Item = (u32, u64)> {
    let first = counts.iter().position(|c| *c > 0).unwrap_or(0);
    let last = counts.iter().rposition(|c| *c > 0).map_or(0, |i| i + 1);
    (0..).zip(counts.iter().copied()).take(last).skip(first)
}

/// Buckets of a power-of-two histogram with `2^bits` buckets per power, without the empty ones at either end.
#[must_use]
pub fn log2_buckets(counts: &[u64], bits: u8) -> Vec<Bucket> {
    let bucket = |(index, count)| {
        let (low, high) = layout::hist_bounds(index, bits);
        let label = match low {
            None => "(..., 0)".into(),
            Some(low) if high == low + 1 => format!("[{low}]"),
            Some(_) => format!("[{}, {})", power_label(index - 1, bits), power_label(index, bits)),
        };
        Bucket { low: low.map(i128::from), high: Some(high.into()), label, count }
    };
    used(counts).map(bucket).collect()
}

/// Lower bound of the n-th bucket from zero on, in the largest unit that does not exceed the bucket's power of two.
fn power_label(n: u32, bits: u8) -> String {
    let (k, mask) = (u32::from(bits), (1 << bits) - 1);
    let Some(shift) = (n >> k).checked_sub(1) else { return n.to_string() };
    let mantissa = u64::from((n & mask) + (1 << k));
    format!("{}{}", mantissa << (shift % 10), UNITS.get(shift as usize / 10).copied().unwrap_or(""))
}

/// Powers of 1024.
const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];

/// Buckets of a linear histogram, without the empty ones at either end.
#[must_use]
pub fn linear_buckets(counts: &[u64], min: i64, max: i64, step: i64) -> Vec<Bucket> {
    let (min, max, step) = (i128::from(min), i128::from(max), i128::from(step.max(1)));
    let above = (counts.len() as u32).saturating_sub(1);
    let name = |n| step_label(n, step);
    let bucket = |(index, count): (u32, u64)| {
        let low = min + (i128::from(index) - 1) * step;
        let high = (low + step).min(max);
        if index == 0 {
            Bucket { low: None, high: Some(min), label: format!("(..., {})", name(min)), count }
        } else if index == above {
            Bucket { low: Some(max), high: None, label: format!("[{}, ...)", name(max)), count }
        } else if high == low + 1 {
            Bucket { low: Some(low), high: Some(high), label: format!("[{}]", name(low)), count }
        } else {
            Bucket {
                low: Some(low),
                high: Some(high),
                label: format!("[{}, {})", name(low), name(high)),
                count,
            }
        }
    };
    used(counts).map(bucket).collect()
}

/// A bound in the largest unit that divides it, when the step is a multiple of 1024.
fn step_label(n: i128, step: i128) -> String {
    if step % 1024 != 0 || n == 0 {
        return n.to_string();
    }
    let units = (n.trailing_zeros() as usize / 10).min(UNITS.len() - 1);
    format!("{}{}", n >> (10 * units), UNITS[units])
}

/// Appends the lines of a histogram. Counts are divided by `div`; the longest bar belongs to the greatest count.
pub fn write_lines(out: &mut Vec<u8>, buckets: &[Bucket], div: u32) {
    let div = u64::from(div.max(1));
    let greatest = buckets.iter().map(|b| b.count / div).max().unwrap_or(0).max(1);
    for bucket in buckets {
        let count = bucket.count / div;
        let length = (count as u128 * BAR as u128 / u128::from(greatest)) as usize;
        let line = format!("{:<16}{count:>8} |{:<BAR$}|\n", bucket.label, "@".repeat(length));
        out.extend_from_slice(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log2(values: &[i64], bits: u8) -> Vec<Bucket> {
        let mut counts = vec![0; layout::hist_buckets(bits) as usize];
        values.iter().for_each(|v| counts[layout::hist_bucket(*v, bits) as usize] += 1);
        log2_buckets(&counts, bits)
    }

    fn linear(values: &[i64], min: i64, max: i64, step: i64) -> Vec<Bucket> {
        let mut counts = vec![0; layout::lhist_buckets(min, max, step) as usize];
        values.iter().for_each(|v| counts[layout::lhist_bucket(*v, min, max, step) as usize] += 1);
        linear_buckets(&counts, min, max, step)
    }

    fn labels(buckets: &[Bucket]) -> Vec<&str> {
        buckets.iter().filter(|b| b.count > 0).map(|b| b.label.as_str()).collect()
    }

    /// Labels as bpftrace 0.27.1 prints them for the same values.
    #[test]
    fn labels_of_powers() {
        let values = [-3, 0, 1, 5, 600, 100_000, 1 << 40, 1 << 62, i64::MAX];
        let all = ["(..., 0)", "[0]", "[1]", "[4, 8)", "[512, 1K)", "[64K, 128K)", "[1T, 2T)", "[4E, 8E)"];
        assert_eq!(labels(&log2(&values, 0)), all);
        let values = [1, 2, 3, 4, 6, 1023, 1500, 2000, 3000, 4000, 5000, 7000, 1 << 20, 3 << 19];
        #[rustfmt::skip]
        let all = [
            "[1]", "[2]", "[3]", "[4, 6)", "[6, 8)", "[768, 1024)", "[1024, 1536)", "[1536, 2K)", "[2K, 3K)",
            "[3K, 4K)", "[4K, 6K)", "[6K, 8K)", "[1024K, 1536K)", "[1536K, 2M)",
        ];
        assert_eq!(labels(&log2(&values, 1)), all);
        assert_eq!(labels(&log2(&[-1, 0, 5, 1000], 2)), ["(..., 0)", "[0]", "[5]", "[896, 1024)"]);
        assert_eq!(labels(&log2(&[i64::MAX], 3)), ["[7680P, 8E)"]);
    }

    #[test]
    fn bounds_of_the_last_bucket() {
        let buckets = log2(&[i64::MAX], 0);
        assert_eq!((buckets[0].low, buckets[0].high), (Some(1 << 62), Some(1 << 63)));
    }

    #[test]
    fn labels_of_steps() {
        assert_eq!(labels(&linear(&[-5, 5, 500], 0, 100, 10)), ["(..., 0)", "[0, 10)", "[100, ...)"]);
        assert_eq!(labels(&linear(&[5_000_000], 0, 10_000_000, 1_000_000)), ["[5000000, 6000000)"]);
        assert_eq!(labels(&linear(&[1, 20480], 0, 20480, 5120)), ["[0, 5K)", "[20K, ...)"]);
        assert_eq!(labels(&linear(&[1 << 20], 1 << 20, 3 << 20, 1 << 19)), ["[1M, 1536K)"]);
        assert_eq!(labels(&linear(&[3], 0, 10, 1)), ["[3]"]);
        // The last step is shorter when the range is no multiple of it.
        assert_eq!(labels(&linear(&[22, 25], 0, 25, 10)), ["[20, 25)", "[25, ...)"]);
        assert_eq!(labels(&linear(&[-4096], -4096, 4096, 2048)), ["[-4K, -2K)"]);
    }

    #[test]
    fn lines() {
        let mut out = Vec::new();
        write_lines(&mut out, &log2(&[1, 2, 2, 2, 8], 0), 1);
        let want = "\
[1]                    1 |@@@@@@@@@@@@@@@@@                                   |
[2, 4)                 3 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
[4, 8)                 0 |                                                    |
[8, 16)                1 |@@@@@@@@@@@@@@@@@                                   |
";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn lines_with_a_divisor_and_a_wide_label() {
        let mut out = Vec::new();
        write_lines(&mut out, &log2(&[1, 2, 2, 2], 0), 2);
        write_lines(&mut out, &linear(&[5_000_000], 0, 10_000_000, 1_000_000), 5);
        let want = "\
[1]                    0 |                                                    |
[2, 4)                 1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
[5000000, 6000000)       0 |                                                    |
";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn an_empty_histogram_has_no_lines() {
        assert!(log2(&[], 0).is_empty());
        assert!(linear(&[], 0, 10, 1).is_empty());
    }
}
