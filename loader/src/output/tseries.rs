//! Time series: the chart of the text form, which is bpftrace's.
//!
//! Used by [`super::text`] and [`super::json`].

use crate::maps::TimeSeries;
use crate::sys::clock;
use std::io::Write;

/// Columns between the two sides of a chart.
const WIDTH: usize = 51;
/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// Form of a time of day: name, width, digits behind the seconds.
type Form = (&'static str, usize, usize);

/// Forms by the nanoseconds that their last digit stands for, coarse ones first.
const FORMS: [(u64, Form); 4] = [
    (SECOND, ("hh:mm:ss", 8, 0)),
    (1_000_000, ("hh:mm:ss.ms", 12, 3)),
    (1000, ("hh:mm:ss.us", 15, 6)),
    (1, EXACT),
];
const EXACT: Form = ("hh:mm:ss.ns", 18, 9);

/// When a period began: `2026-01-31 23:59:59.000000000`, local time.
#[must_use]
pub fn date(series: &TimeSeries, number: u64) -> String {
    time("%Y-%m-%d %H:%M:%S", number.saturating_mul(series.interval), 9)
}

fn time(format: &str, nanos: u64, digits: usize) -> String {
    let seconds = clock::strftime(format, i64::try_from(nanos / SECOND).unwrap_or(i64::MAX));
    let seconds = String::from_utf8_lossy(&seconds).into_owned();
    let fraction = format!("{:09}", nanos % SECOND);
    match digits {
        0 => seconds,
        digits => format!("{seconds}.{}", &fraction[..digits]),
    }
}

/// Appends the chart: a line for each period from the first with a value on, its value as a mark between the least and the greatest.
pub fn write(out: &mut Vec<u8>, series: &TimeSeries) {
    let TimeSeries { interval, latest, points } = series;
    let (Some((first, _)), Some(least), Some(most)) = (
        points.first(),
        points.iter().map(|(_, value)| value.value()).min(),
        points.iter().map(|(_, value)| value.value()).max(),
    ) else {
        out.extend_from_slice(b"<no data>");
        return;
    };
    let (low, high) = if least == most { (least - 1, most + 1) } else { (least, most) };
    let (name, width, digits) = match latest > first {
        true => FORMS.iter().find(|(unit, _)| interval % unit == 0).map_or(EXACT, |(_, form)| *form),
        false => EXACT,
    };
    let (low_text, line) = (low.to_string(), "_".repeat(WIDTH));
    let bounds = format!(
        "{:indent$}{low_text}{high:>rest$}\n",
        "",
        indent = width + 1,
        rest = (WIDTH + 2).saturating_sub(low_text.len())
    );
    // Writing to a vector cannot fail.
    let _ = writeln!(out, "{bounds}{name:<width$} |{line}|");
    let mut points = points.iter().peekable();
    for number in *first..=*latest {
        let at = time("%H:%M:%S", number.saturating_mul(*interval), digits);
        let value = points.next_if(|(at, _)| *at == number).map(|(_, value)| value.value());
        let mut row = format!("|{}|", " ".repeat(WIDTH)).into_bytes();
        if let Some(value) = value {
            let column = (value - low) * (WIDTH as i128 + 1) / (high - low);
            if let Some(place) = usize::try_from(column).ok().and_then(|column| row.get_mut(column)) {
                *place = b'*';
            }
        }
        let shown = value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let _ = writeln!(out, "{at:<width$} {} {shown}", String::from_utf8_lossy(&row));
    }
    let _ = write!(out, "{:indent$}v{line}v\n{bounds}", "", indent = width + 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Int;

    fn series(points: &[(u64, i64)]) -> TimeSeries {
        let points: Vec<(u64, Int)> =
            points.iter().map(|(n, v)| (*n, Int::of_64(v.cast_unsigned(), true))).collect();
        TimeSeries { interval: 100_000_000, latest: points.last().map_or(0, |(n, _)| *n), points }
    }

    #[test]
    fn a_chart() {
        let mut out = Vec::new();
        write(&mut out, &series(&[(10, 0), (11, 2), (13, 6)]));
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let blank = " ".repeat(13);
        assert_eq!(lines[0], format!("{blank}0{}6", " ".repeat(51)));
        assert_eq!(lines[1], format!("hh:mm:ss.ms  |{}|", "_".repeat(51)));
        assert!(lines[2].ends_with(&format!(":01.000 *{}| 0", " ".repeat(51))), "{}", lines[2]);
        assert!(
            lines[3].ends_with(&format!(":01.100 |{}*{}| 2", " ".repeat(16), " ".repeat(34))),
            "{}",
            lines[3]
        );
        assert!(lines[4].ends_with(&format!(":01.200 |{}| -", " ".repeat(51))));
        assert!(lines[5].ends_with(&format!(":01.300 |{}* 6", " ".repeat(51))));
        assert_eq!(lines[6], format!("{blank}v{}v", "_".repeat(51)));
        assert_eq!((lines[7], lines.len()), (lines[0], 8));
    }

    #[test]
    fn one_value_stands_in_the_middle_and_none_is_said() {
        let mut out = Vec::new();
        write(&mut out, &series(&[(10, 5)]));
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with(&format!("{}4{}6\nhh:mm:ss.ns        |", " ".repeat(19), " ".repeat(51))),
            "{text}"
        );
        assert!(text.contains(&format!(".000000000 |{}*{}| 5\n", " ".repeat(25), " ".repeat(25))), "{text}");
        let mut out = Vec::new();
        write(&mut out, &series(&[]));
        assert_eq!(out, b"<no data>");
    }
}
