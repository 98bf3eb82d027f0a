//! Times of day by a `strftime(3)` format, with bpftrace's `%f` for microseconds.
//!
//! The time zone and the names of days and months are those of the user, so the C library does the work
//! ([`crate::sys::clock::strftime`]); only `%f`, which it does not know, is filled in here.

use crate::sys::clock;

/// Nanoseconds in a second.
const SECOND: i128 = 1_000_000_000;

/// A time given in nanoseconds since 1970 (UTC), written by `format` in the local time zone.
#[must_use]
pub fn format(format: &str, unix_nanos: i128) -> Vec<u8> {
    let seconds = unix_nanos.div_euclid(SECOND);
    let micros = unix_nanos.rem_euclid(SECOND) / 1000;
    clock::strftime(&fill_micros(format, micros), i64::try_from(seconds).unwrap_or(0))
}

/// Replaces `%f`; `%%f` is a percent sign and an `f`.
fn fill_micros(format: &str, micros: i128) -> String {
    let mut out = String::with_capacity(format.len() + 8);
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match (c, c == '%') {
            (_, true) => match chars.next() {
                Some('f') => out.push_str(&format!("{micros:06}")),
                Some(other) => out.extend(['%', other]),
                None => out.push('%'),
            },
            (c, false) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(f: &str, nanos: i128) -> String {
        String::from_utf8(format(f, nanos)).unwrap()
    }

    #[test]
    fn microseconds() {
        assert_eq!(text("%f|%%f|%s", 12_000_345_678), "000345|%f|12");
        assert_eq!(text("%f", -1), "999999");
    }

    #[test]
    fn plain_text_and_odd_formats() {
        assert_eq!(text("", 0), "");
        assert_eq!(text("no conversion\n", 0), "no conversion\n");
        assert_eq!(text("%f %", 0), "000000 %");
        let long = "x".repeat(5000);
        assert_eq!(text(&long, 0), long);
    }

    #[test]
    fn the_local_time_of_day() {
        // Every zone is a multiple of fifteen minutes away from UTC.
        let minutes: u32 = text("%M", 0).parse().unwrap();
        assert_eq!((minutes % 15, text("%S", 5_000_000_000).as_str()), (0, "05"));
        assert!(["1969", "1970"].contains(&text("%Y", 0).as_str()));
    }
}
