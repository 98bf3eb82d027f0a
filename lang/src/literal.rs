//! Decodes number and string literals.

use std::fmt;

/// Why a literal is malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiteralError {
    /// More than 64 bits.
    TooLarge,
    /// A digit that the base does not have.
    Digit(char, u32),
    /// Letters behind the digits that are no unit or suffix.
    Suffix(String),
    /// `0x` and nothing behind it.
    NoDigits,
    /// `\q` in a string.
    Escape(char),
    /// `\x` without hexadecimal digits, or above 0xff.
    HexEscape,
    /// An octal escape above 0377.
    OctalEscape,
}

impl fmt::Display for LiteralError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiteralError::TooLarge => f.write_str("this number does not fit 64 bits"),
            LiteralError::Digit(c, base) => write!(f, "`{c}` is no digit of a number in base {base}"),
            LiteralError::Suffix(s) => write!(f, "`{s}` is no unit or suffix of a number"),
            LiteralError::NoDigits => f.write_str("digits are missing"),
            LiteralError::Escape(c) => write!(f, "unknown escape `\\{c}` in a string"),
            LiteralError::HexEscape => f.write_str("`\\x` needs one or two hexadecimal digits"),
            LiteralError::OctalEscape => f.write_str("an octal escape is at most `\\377`"),
        }
    }
}

/// Durations: a number with one of these units is a number of nanoseconds.
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Decodes `42`, `0x2a`, `052`, `1_000`, `1e6`, `10ms`, `5ULL`.
///
/// # Errors
/// See [`LiteralError`].
pub fn number(text: &str) -> Result<u64, LiteralError> {
    let lower = text.to_ascii_lowercase();
    let (base, digits) = match lower.strip_prefix("0x") {
        Some(hex) => (16, hex),
        None if lower.len() > 1 && lower.starts_with('0') => (8, lower.get(1..).unwrap_or_default()),
        None => (10, lower.as_str()),
    };
    let end = digits.find(|c: char| c != '_' && !c.is_digit(base.max(10))).unwrap_or(digits.len());
    let (digits, suffix) = digits.split_at(end);
    let mut value: u64 = 0;
    for c in digits.chars().filter(|c| *c != '_') {
        let digit = c.to_digit(base).ok_or(LiteralError::Digit(c, base))?;
        value = value
            .checked_mul(u64::from(base))
            .and_then(|v| v.checked_add(u64::from(digit)))
            .ok_or(LiteralError::TooLarge)?;
    }
    if base == 16 && !digits.contains(|c: char| c.is_ascii_hexdigit()) {
        return Err(LiteralError::NoDigits);
    }
    if matches!(suffix, "" | "u" | "l" | "ll" | "ul" | "ull" | "lu" | "llu") {
        return Ok(value);
    }
    // `0s` is zero seconds although its digits look like an octal number.
    if (base == 10 || value == 0)
        && let Some((_, nanos)) = UNITS.iter().find(|(unit, _)| *unit == suffix)
    {
        return value.checked_mul(*nanos).ok_or(LiteralError::TooLarge);
    }
    if let (10, Some(exponent)) = (base, suffix.strip_prefix('e'))
        && let Ok(exponent) = exponent.parse::<u32>()
    {
        let power = 10u64.checked_pow(exponent).ok_or(LiteralError::TooLarge)?;
        return value.checked_mul(power).ok_or(LiteralError::TooLarge);
    }
    Err(LiteralError::Suffix(text.get(text.len() - suffix.len()..).unwrap_or(text).to_owned()))
}

/// Decodes a string literal, quotes included.
///
/// # Errors
/// The error and the byte offset in the literal where it is.
pub fn string(text: &str) -> Result<Vec<u8>, (LiteralError, usize)> {
    let inner = text.strip_prefix('"').unwrap_or(text);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut out = Vec::with_capacity(inner.len());
    let mut chars = inner.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let Some((_, escaped)) = chars.next() else { continue };
        let mut digits = |base: u32, first: u32, most: usize| {
            let (mut value, mut count) = (first, 0);
            while let Some((_, d)) = chars.peek().copied().filter(|_| count < most) {
                let Some(digit) = d.to_digit(base) else { break };
                value = value * base + digit;
                count += 1;
                chars.next();
            }
            (value, count)
        };
        out.push(match escaped {
            'n' => b'\n',
            't' => b'\t',
            'r' => b'\r',
            '"' => b'"',
            '\\' => b'\\',
            'x' => match digits(16, 0, 2) {
                (_, 0) => return Err((LiteralError::HexEscape, at + 1)),
                (value, _) => value as u8,
            },
            '0'..='7' => {
                let (value, _) = digits(8, escaped as u32 - '0' as u32, 2);
                u8::try_from(value).map_err(|_| (LiteralError::OctalEscape, at + 1))?
            }
            other => return Err((LiteralError::Escape(other), at + 1)),
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, value) in [
            ("0", 0),
            ("42", 42),
            ("0x2A", 42),
            ("0Xff", 255),
            ("052", 42),
            ("1_000", 1000),
            ("1e6", 1_000_000),
            ("1E3", 1000),
            ("5ULL", 5),
            ("5L", 5),
            ("0x10u", 16),
            ("1ns", 1),
            ("2us", 2_000),
            ("10ms", 10_000_000),
            ("1s", 1_000_000_000),
            ("0s", 0),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1d", 86_400_000_000_000),
            ("18446744073709551615", u64::MAX),
            ("0xffffffffffffffff", u64::MAX),
        ] {
            assert_eq!(number(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn malformed_numbers() {
        for (text, error) in [
            ("18446744073709551616", LiteralError::TooLarge),
            ("1e30", LiteralError::TooLarge),
            ("999999999d", LiteralError::TooLarge),
            ("089", LiteralError::Digit('8', 8)),
            ("0x", LiteralError::NoDigits),
            ("12abc", LiteralError::Suffix("abc".into())),
            ("1e", LiteralError::Suffix("e".into())),
            ("0xfgh", LiteralError::Suffix("gh".into())),
        ] {
            assert_eq!(number(text), Err(error), "{text}");
        }
    }

    #[test]
    fn strings() {
        assert_eq!(string(r#""a\n\t\r\"\\\x41\101\0é""#), Ok(b"a\n\t\r\"\\AA\0\xc3\xa9".to_vec()));
        assert_eq!(string(r#""\x4g""#), Ok(b"\x04g".to_vec()));
        assert_eq!(string(r#""ab\q""#), Err((LiteralError::Escape('q'), 3)));
        assert_eq!(string(r#""\xg""#), Err((LiteralError::HexEscape, 1)));
        assert_eq!(string(r#""\400""#), Err((LiteralError::OctalEscape, 1)));
    }
}
