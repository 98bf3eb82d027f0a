//! Carries out a `printf` format.
//!
//! The formats have been checked against the types of their arguments; an argument that does not fit after all is shown
//! in its own form. Arguments know their width, so `%x` of a 64-bit number needs no length modifier. Numbers narrower
//! than 32 bits are widened first, as in C: to 32 bits, or with `l` to 64.

use super::{Context, gfp, goform, text};
use crate::number::Int;
use crate::value::Value;
use lang::format::{Conv, FloatForm, Format, Piece, Size, Spec};

/// Widest field: a format is part of the script, but a number in it may be a slip.
const MAX_WIDTH: u32 = 1 << 16;

/// Appends the formatted arguments.
pub fn format(out: &mut Vec<u8>, format: &Format, args: &[Value], cx: &Context) {
    let mut args = args.iter();
    for piece in &format.pieces {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Conv(spec) => {
                let mut spec = spec.clone();
                if spec.width == Some(Size::Argument) {
                    let width = size(args.next());
                    spec.left |= width < 0;
                    spec.width = Some(Size::Fixed(u32::try_from(width.unsigned_abs()).unwrap_or(u32::MAX)));
                }
                if spec.precision == Some(Size::Argument) {
                    let precision = size(args.next());
                    let given = precision >= 0;
                    spec.precision = given.then(|| Size::Fixed(u32::try_from(precision).unwrap_or(u32::MAX)));
                }
                if let Some(arg) = args.next() {
                    convert(out, &spec, arg, cx);
                }
            }
        }
    }
}

/// What a format makes of values.
#[must_use]
pub fn to_bytes(format: &Format, args: &[Value], cx: &Context) -> Vec<u8> {
    let mut shown = Vec::new();
    self::format(&mut shown, format, args, cx);
    shown
}

/// The argument that stands for a width or precision.
fn size(arg: Option<&Value>) -> i128 {
    arg.and_then(as_integer).map_or(0, Int::value)
}

/// The least width in characters.
fn width(spec: &Spec) -> usize {
    match spec.width {
        Some(Size::Fixed(chars)) => chars.min(MAX_WIDTH) as usize,
        Some(Size::Argument) | None => 0,
    }
}

/// The precision, if the conversion has one.
fn precision(spec: &Spec) -> Option<u32> {
    match spec.precision {
        Some(Size::Fixed(n)) => Some(n),
        Some(Size::Argument) | None => None,
    }
}

fn convert(out: &mut Vec<u8>, spec: &Spec, arg: &Value, cx: &Context) {
    match (spec.conv, arg) {
        (Conv::Buffer, Value::Buffer(bytes)) => {
            let mut shown = Vec::new();
            text::escaped(&mut shown, bytes);
            pad(out, spec, &shown);
        }
        (Conv::BufferHex, Value::Buffer(bytes)) => {
            let shown: String = bytes.iter().map(|b| format!("\\x{b:02x}")).collect();
            pad(out, spec, shown.as_bytes());
        }
        (Conv::BufferHexSpaced, Value::Buffer(bytes)) => {
            let shown: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
            pad(out, spec, shown.join(" ").as_bytes());
        }
        (Conv::Text | Conv::Buffer | Conv::BufferHex | Conv::BufferHexSpaced, _) => {
            own_form(out, spec, arg, cx);
        }
        (Conv::AllocationFlags, arg) => match as_integer(arg) {
            Some(n) => pad(out, spec, gfp::names(n.value() as u64).as_bytes()),
            None => own_form(out, spec, arg, cx),
        },
        (Conv::Float(form), Value::Float(f)) => float(out, spec, f.value(), form),
        (_, arg) => match as_integer(arg) {
            Some(n) => number(out, spec, narrowed(spec, n)),
            None => own_form(out, spec, arg, cx),
        },
    }
}

/// `%s`. A precision cuts strings; cutting anything else would make a wrong value of it.
fn own_form(out: &mut Vec<u8>, spec: &Spec, arg: &Value, cx: &Context) {
    let mut shown = Vec::new();
    match (arg, precision(spec)) {
        (Value::Text(t), Some(most)) if (most as usize) < t.bytes.len() => {
            shown.extend(t.bytes.iter().take(most as usize));
        }
        _ => text::value(&mut shown, arg, cx),
    }
    pad(out, spec, &shown);
}

fn as_integer(arg: &Value) -> Option<Int> {
    match arg {
        Value::Int(n) | Value::Enum { value: n, .. } => Some(*n),
        Value::Bool(b) => Some(Int::Unsigned { value: u64::from(*b), bits: 8 }),
        Value::Pointer(value)
        | Value::KernelSymbol(value)
        | Value::UserSymbol { address: value, .. }
        | Value::GoFunction { address: value, .. } => Some(Int::of_64(*value, false)),
        Value::Timestamp { nanos, .. } => Some(Int::of_64(*nanos, false)),
        Value::Duration(nanos) => Some(Int::of_64(nanos.cast_unsigned(), true)),
        Value::Time { seconds, nanos } => {
            let nanos = seconds.saturating_mul(1_000_000_000).saturating_add((*nanos).into());
            Some(Int::of_64(nanos.cast_unsigned(), true))
        }
        _ => None,
    }
}

/// What `%hd` and `%hhx` leave of a number: its low bits, as a number without sign where the conversion has none.
fn narrowed(spec: &Spec, n: Int) -> Int {
    let Some(bits) = spec.bits else { return n };
    match (spec.conv, n.narrowed(bits)) {
        (Conv::Signed, n) => Int::of_64(n.value() as u64, true).narrowed(bits),
        (_, Int::Signed { value, .. }) => Int::Unsigned { value: (value as u64) & ((1 << bits) - 1), bits },
        (_, n) => n,
    }
}

fn number(out: &mut Vec<u8>, spec: &Spec, n: Int) {
    // The bits as in a register of the promoted width.
    let mask = if n.bits() > 32 || spec.long { u64::MAX } else { u64::from(u32::MAX) };
    let bits = n.value() as u64 & mask;
    let (sign, prefix, digits) = match spec.conv {
        Conv::Char => return pad(out, spec, &[bits as u8]),
        Conv::Signed => {
            // An `int` of C in a register.
            let is_int = spec.register && bits <= u32::MAX.into();
            let value =
                if mask == u64::MAX && !is_int { bits.cast_signed() } else { i64::from(bits as u32 as i32) };
            let sign = match value {
                ..0 => "-",
                _ if spec.plus => "+",
                _ if spec.space => " ",
                _ => "",
            };
            (sign, "", value.unsigned_abs().to_string())
        }
        Conv::Octal => ("", if spec.alt && bits != 0 { "0" } else { "" }, format!("{bits:o}")),
        Conv::HexLower => ("", if spec.alt && bits != 0 { "0x" } else { "" }, format!("{bits:x}")),
        Conv::HexUpper => ("", if spec.alt && bits != 0 { "0X" } else { "" }, format!("{bits:X}")),
        Conv::Pointer => ("", if bits != 0 { "0x" } else { "" }, format!("{bits:x}")),
        _ => ("", "", bits.to_string()),
    };
    let least = precision(spec).unwrap_or(1).min(MAX_WIDTH) as usize;
    // A precision of 0 shows nothing for 0.
    let digits = if least == 0 && bits == 0 { String::new() } else { format!("{digits:0>least$}") };
    // The 0 of %#o counts as a digit of the precision.
    let prefix = if spec.conv == Conv::Octal && digits.starts_with('0') { "" } else { prefix };
    let head = sign.len() + prefix.len();
    let width = width(spec);
    // Zeros go between sign and digits, and only where neither `-` nor a precision rules them out.
    let digits = if spec.zero && !spec.left && spec.precision.is_none() {
        let least = width.saturating_sub(head);
        format!("{digits:0>least$}")
    } else {
        digits
    };
    pad(out, spec, format!("{sign}{prefix}{digits}").as_bytes());
}

/// A floating-point number in one of C's forms.
fn float(out: &mut Vec<u8>, spec: &Spec, f: f64, form: FloatForm) {
    let digits = goform::c_float(f, form, precision(spec));
    let sign = match f.is_sign_negative() && !f.is_nan() {
        true => "-",
        false if spec.plus => "+",
        false if spec.space => " ",
        false => "",
    };
    let width = width(spec);
    let zeros = if spec.zero && !spec.left && f.is_finite() { width.saturating_sub(sign.len()) } else { 0 };
    pad(out, spec, format!("{sign}{digits:0>zeros$}").as_bytes());
}

/// Appends `shown` with spaces up to the width, which counts characters.
fn pad(out: &mut Vec<u8>, spec: &Spec, shown: &[u8]) {
    // Bytes that continue a UTF-8 sequence do not start a character.
    let length = shown.iter().filter(|b| **b & 0xc0 != 0x80).count();
    let missing = width(spec).saturating_sub(length);
    let spaces = std::iter::repeat_n(b' ', missing);
    if spec.left {
        out.extend_from_slice(shown);
        out.extend(spaces);
    } else {
        out.extend(spaces);
        out.extend_from_slice(shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::text::tests::{context, int, str, user_stack};
    use crate::value::{Mode, Text};

    /// Just enough of a parser for conversions such as `-08.3d` (without the percent sign).
    fn spec(conversion: &str) -> Spec {
        let mut spec = Spec::plain(Conv::Text);
        let rest = conversion.trim_start_matches(|c| {
            match c {
                '-' => spec.left = true,
                '+' => spec.plus = true,
                ' ' => spec.space = true,
                '#' => spec.alt = true,
                '0' => spec.zero = true,
                _ => return false,
            }
            true
        });
        let conv = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let (width, precision) = rest[..rest.len() - conv.len()].split_once('.').map_or_else(
            || (&rest[..rest.len() - conv.len()], None),
            |(width, precision)| (width, Some(precision.parse().unwrap_or(0))),
        );
        spec.width = width.parse().ok().map(Size::Fixed);
        spec.precision = precision.map(Size::Fixed);
        spec.conv = match conv {
            "d" => Conv::Signed,
            "u" => Conv::Unsigned,
            "o" => Conv::Octal,
            "x" => Conv::HexLower,
            "X" => Conv::HexUpper,
            "c" => Conv::Char,
            "p" => Conv::Pointer,
            "r" => Conv::Buffer,
            "rx" => Conv::BufferHex,
            "rh" => Conv::BufferHexSpaced,
            _ => Conv::Text,
        };
        spec
    }

    fn show(conversion: &str, arg: &Value) -> String {
        let pieces =
            vec![Piece::Text(b"[".to_vec()), Piece::Conv(spec(conversion)), Piece::Text(b"]".to_vec())];
        let mut out = Vec::new();
        format(&mut out, &Format { pieces }, std::slice::from_ref(arg), &context());
        String::from_utf8_lossy(&out).into_owned()
    }

    fn sized(value: i64, bits: u8) -> Value {
        Value::Int(Int::Signed { value, bits })
    }

    #[test]
    fn decimal() {
        let five = int(5);
        let table = [
            ("d", "[5]"),
            ("5d", "[    5]"),
            ("-5d", "[5    ]"),
            ("05d", "[00005]"),
            ("-05d", "[5    ]"),
            ("+d", "[+5]"),
            ("+5d", "[   +5]"),
            ("+05d", "[+0005]"),
            (" d", "[ 5]"),
            (".3d", "[005]"),
            ("8.3d", "[     005]"),
            ("-8.3d", "[005     ]"),
            ("08.3d", "[     005]"),
            ("u", "[5]"),
        ];
        table
            .iter()
            .for_each(|(conversion, want)| assert_eq!(show(conversion, &five), *want, "{conversion}"));
        assert_eq!(show("05d", &int(-5)), "[-0005]");
        assert_eq!(show(".0d", &int(0)), "[]");
        assert_eq!(show("d", &int(i64::MIN)), "[-9223372036854775808]");
        assert_eq!(show("d", &Value::Bool(true)), "[1]");
    }

    #[test]
    fn other_bases() {
        let n = int(255);
        let table = [
            ("x", "[ff]"),
            ("X", "[FF]"),
            ("#x", "[0xff]"),
            ("#X", "[0XFF]"),
            ("08x", "[000000ff]"),
            ("#08x", "[0x0000ff]"),
            ("#10x", "[      0xff]"),
            ("o", "[377]"),
            ("#o", "[0377]"),
            ("#.6o", "[000377]"),
            ("p", "[0xff]"),
            ("8p", "[    0xff]"),
        ];
        table.iter().for_each(|(conversion, want)| assert_eq!(show(conversion, &n), *want, "{conversion}"));
        assert_eq!(show("#x", &int(0)), "[0]");
        assert_eq!(show("p", &Value::Pointer(0x1234)), "[0x1234]");
        assert_eq!(show("-20p", &Value::Pointer(0x1234)), "[0x1234              ]");
    }

    #[test]
    fn negative_numbers_show_their_own_width() {
        assert_eq!(show("x", &int(-1)), "[ffffffffffffffff]");
        assert_eq!(show("u", &int(-1)), "[18446744073709551615]");
        assert_eq!(show("x", &sized(-1, 32)), "[ffffffff]");
        assert_eq!(show("u", &sized(-1, 8)), "[4294967295]");
        assert_eq!(show("d", &sized(-1, 8)), "[-1]");
        let unsigned = |value, bits| Value::Int(Int::Unsigned { value, bits });
        assert_eq!(show("d", &unsigned(0xffff_ffff, 32)), "[-1]");
        assert_eq!(show("d", &unsigned(0xff, 8)), "[255]");
        assert_eq!(show("d", &unsigned(1 << 40, 64)), "[1099511627776]");
    }

    #[test]
    fn characters() {
        assert_eq!(show("c", &int(65)), "[A]");
        assert_eq!(show("5c", &int(66)), "[    B]");
        assert_eq!(show("-3c", &int(65)), "[A  ]");
        let mut out = Vec::new();
        convert(&mut out, &spec("c"), &int(0xe9), &context());
        assert_eq!(out, [0xe9]);
    }

    #[test]
    fn text_of_any_type() {
        assert_eq!(show("s", &str("abc")), "[abc]");
        assert_eq!(show("10s", &str("abc")), "[       abc]");
        assert_eq!(show("-10s", &str("abc")), "[abc       ]");
        assert_eq!(show(".2s", &str("abc")), "[ab]");
        assert_eq!(show("5.2s", &str("abc")), "[   ab]");
        assert_eq!(show("05s", &str("ab")), "[   ab]");
        assert_eq!(show("4s", &str("é")), "[   é]");
        assert_eq!(show("10s", &Value::Tuple(vec![int(1), str("a")])), "[    (1, a)]");
        assert_eq!(show("5s", &int(5)), "[    5]");
        assert_eq!(show("s", &Value::Bool(true)), "[true]");
        assert_eq!(show("s", &user_stack(&[0x1000], Mode::Symbols)), "[\n        main.f+12\n]");
        let cut = Value::Text(Text { bytes: b"abcdef".to_vec(), cut: true });
        assert_eq!(show("s", &cut), "[abcdef..]");
        assert_eq!(show(".6s", &cut), "[abcdef..]");
        assert_eq!(show(".3s", &cut), "[abc]");
    }

    #[test]
    fn buffers() {
        let buffer = Value::Buffer(b"a\0b\xff".to_vec());
        assert_eq!(show("r", &buffer), r"[a\x00b\xff]");
        assert_eq!(show("rx", &buffer), r"[\x61\x00\x62\xff]");
        assert_eq!(show("rh", &buffer), "[61 00 62 ff]");
        assert_eq!(show("s", &buffer), r"[a\x00b\xff]");
        assert_eq!(show("20r", &Value::Buffer(b"ab".to_vec())), "[                  ab]");
        assert_eq!(show("-20rx", &Value::Buffer(b"ab".to_vec())), r"[\x61\x62            ]");
    }

    #[test]
    fn widths_that_are_arguments() {
        let wide = |conversion: &str, width: Value, arg: Value| {
            let mut spec = spec(conversion);
            spec.width = Some(Size::Argument);
            let pieces = vec![Piece::Conv(spec), Piece::Text(b"|".to_vec())];
            let mut out = Vec::new();
            format(&mut out, &Format { pieces }, &[width, arg], &context());
            String::from_utf8_lossy(&out).into_owned()
        };
        assert_eq!(wide("d", int(4), int(7)), "   7|");
        assert_eq!(wide("0d", int(4), int(7)), "0007|");
        assert_eq!(wide("s", int(-4), str("a")), "a   |");
        assert_eq!(wide("-s", int(4), str("a")), "a   |");
        assert_eq!(wide("s", int(0), str("a")), "a|");
        assert_eq!(wide("s", int(i64::MIN), str("a")).len(), MAX_WIDTH as usize + 1);
    }

    #[test]
    fn arguments_that_do_not_fit() {
        assert_eq!(show("d", &str("abc")), "[abc]");
        assert_eq!(show("r", &int(3)), "[3]");
        let mut out = Vec::new();
        format(&mut out, &Format { pieces: vec![Piece::Conv(spec("d"))] }, &[], &context());
        assert_eq!(out, b"");
        assert_eq!(show("4000000000d", &int(1)).len(), MAX_WIDTH as usize + 2);
    }
}
