//! Floats, durations and times in the forms that Go prints them in (`%v`), and floats in C's (`%f`, `%e`, `%g`).

use crate::number::Float;
use lang::format::FloatForm;

/// A float as Go's `%v` shows it: as few digits as tell it from its neighbours, with an exponent below -4 and from 6 on.
#[must_use]
pub fn float(value: Float) -> String {
    let (finite, shortest) = match value {
        Float::Single(f) => (f.is_finite(), format!("{f:e}")),
        Float::Double(f) => (f.is_finite(), format!("{f:e}")),
    };
    if !finite {
        return not_finite(value.value()).into();
    }
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..EXPONENT_FROM).contains(&exponent) {
        return match value {
            Float::Single(f) => f.to_string(),
            Float::Double(f) => f.to_string(),
        };
    }
    with_exponent(digits, exponent)
}

/// The shortest form has an exponent from here on (`eprec` in src/strconv/ftoa.go of the Go source).
const EXPONENT_FROM: i32 = 6;

/// Digits and an exponent of at least two digits, as C and Go write it.
fn with_exponent(digits: &str, exponent: i32) -> String {
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn not_finite(f: f64) -> &'static str {
    match f {
        f if f.is_nan() => "NaN",
        f if f > 0.0 => "+Inf",
        _ => "-Inf",
    }
}

/// A complex number as Go shows it.
#[must_use]
pub fn complex(real: Float, imaginary: Float) -> String {
    let imaginary = float(imaginary);
    let plus = if imaginary.starts_with(['+', '-']) { "" } else { "+" };
    format!("({}{plus}{imaginary}i)", float(real))
}

/// A float in one of C's forms, without sign and padding; `precision` is 6 if the format says none.
#[must_use]
pub fn c_float(f: f64, form: FloatForm, precision: Option<u32>) -> String {
    let precision = precision.unwrap_or(6) as usize;
    if !f.is_finite() {
        return if f.is_nan() { "nan".into() } else { "inf".into() };
    }
    let f = f.abs();
    let exponential = |precision: usize| {
        let text = format!("{f:.precision$e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        (digits.to_owned(), exponent.parse::<i32>().unwrap_or(0))
    };
    match form {
        FloatForm::Fixed => format!("{f:.precision$}"),
        FloatForm::Exponent => {
            let (digits, exponent) = exponential(precision);
            with_exponent(&digits, exponent)
        }
        FloatForm::Shortest => {
            let precision = precision.max(1);
            let (digits, exponent) = exponential(precision - 1);
            let trimmed = |text: String| match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            };
            if exponent < -4 || exponent >= precision as i32 {
                return with_exponent(&trimmed(digits), exponent);
            }
            let behind = (precision as i32 - 1 - exponent).max(0) as usize;
            trimmed(format!("{f:.behind$}"))
        }
    }
}

/// Nanoseconds as `time.Duration` prints: `1h0m0.5s`, `1.5ms`, `0s`.
#[must_use]
pub fn duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    let unit = |size: u64, name: &str| format!("{sign}{}{name}", fraction(n, size));
    match n {
        0 => "0s".into(),
        1..1_000 => format!("{sign}{n}ns"),
        1_000..1_000_000 => unit(1_000, "µs"),
        1_000_000..1_000_000_000 => unit(1_000_000, "ms"),
        _ => {
            let (minutes, rest) = (n / 60_000_000_000, n % 60_000_000_000);
            let seconds = fraction(rest, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// `n / size` with as many decimals as there are.
fn fraction(n: u64, size: u64) -> String {
    let (whole, rest) = (n / size, n % size);
    if rest == 0 {
        return whole.to_string();
    }
    let width = size.ilog10() as usize;
    let decimals = format!("{rest:0width$}");
    format!("{whole}.{}", decimals.trim_end_matches('0'))
}

/// A time in UTC as RFC 3339 has it, with as many decimals as there are.
#[must_use]
pub fn time(seconds: i64, nanos: u32) -> String {
    const DAY: i64 = 86_400;
    let (year, month, day) = date(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    let decimals = match nanos {
        0 => String::new(),
        n => format!(".{}", format!("{n:09}").trim_end_matches('0')),
    };
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{decimals}Z")
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar. Years begin in March here, so that a leap day is the last
/// one, and 400 of them are 146097 days.
fn date(days: i64) -> (i64, i64, i64) {
    let since = days + 719_468;
    let (era, day_of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_go_prints_them() {
        for (f, shown) in [
            (2.5, "2.5"),
            (0.0, "0"),
            (-0.5, "-0.5"),
            (100.0, "100"),
            (123_456.5, "123456.5"),
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (0.00001, "1e-05"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(float(Float::Double(f)), shown);
        }
        assert_eq!(float(Float::Single(0.1)), "0.1");
        assert_eq!(complex(Float::Double(1.5), Float::Double(-2.0)), "(1.5-2i)");
    }

    #[test]
    fn floats_as_c_prints_them() {
        assert_eq!(c_float(2.5, FloatForm::Fixed, None), "2.500000");
        assert_eq!(c_float(-2.25, FloatForm::Fixed, Some(1)), "2.2");
        assert_eq!(c_float(12345.678, FloatForm::Exponent, Some(2)), "1.23e+04");
        for (f, shown) in
            [(2.5, "2.5"), (1e6, "1e+06"), (100_000.0, "100000"), (0.0001, "0.0001"), (0.00001, "1e-05")]
        {
            assert_eq!(c_float(f, FloatForm::Shortest, None), shown);
        }
    }

    #[test]
    fn durations() {
        for (n, shown) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (1_500_000_000, "1.5s"),
            (-90_000_000_000, "-1m30s"),
            (3_600_000_000_001, "1h0m0.000000001s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(duration(n), shown);
        }
    }

    #[test]
    fn times() {
        assert_eq!(time(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(time(-62_135_596_800, 0), "0001-01-01T00:00:00Z");
        assert_eq!(time(951_782_399, 500_000_000), "2000-02-28T23:59:59.5Z");
        assert_eq!(time(951_868_799, 1), "2000-02-29T23:59:59.000000001Z");
    }
}
