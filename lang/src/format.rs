//! The parsed form of a `printf` format: what the checker verifies and the loader's formatter carries out.

/// A format string cut into its pieces.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Format {
    /// Literal text and conversions in order; escapes and `%%` are resolved already.
    pub pieces: Vec<Piece>,
}

/// A piece of a [`Format`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// Text that is printed as it is.
    Text(Vec<u8>),
    /// A conversion; takes the next argument, behind those for its width and precision.
    Conv(Spec),
}

/// A conversion such as `%-10s` or `%08llx`. Of the length modifiers `h` and `hh` narrow a number as in C; the others matter
/// for numbers of unknown type only, because arguments know their own width.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spec {
    /// `-`: left-justified.
    pub left: bool,
    /// `+`: a sign always.
    pub plus: bool,
    /// ` `: a space instead of a plus.
    pub space: bool,
    /// `#`: `0x`, `0X` or a leading `0`.
    pub alt: bool,
    /// `0`: padded with zeros.
    pub zero: bool,
    /// Least width.
    pub width: Option<Size>,
    /// Least number of digits, or greatest number of bytes of a string.
    pub precision: Option<Size>,
    /// Only so many low bits of a number are shown (`%hd`: 16, `%hhd`: 8).
    pub bits: Option<u8>,
    /// `l` and its like: a C programmer means more than an `int`.
    pub long: bool,
    /// The number is a register of code whose types are not known, and is printed as an `int` where it can be one: set by the checker.
    pub register: bool,
    /// What is printed.
    pub conv: Conv,
}

impl Spec {
    /// A conversion without anything between the percent sign and its letter.
    #[must_use]
    pub fn plain(conv: Conv) -> Spec {
        Spec {
            left: false,
            plus: false,
            space: false,
            alt: false,
            zero: false,
            width: None,
            precision: None,
            bits: None,
            long: false,
            register: false,
            conv,
        }
    }
}

/// A width or a precision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// Written in the format.
    Fixed(u32),
    /// `*`: an argument before the value. A negative width is left-justified, a negative precision is none.
    Argument,
}

/// What an argument of a format is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// The width or the precision of the next value.
    Size,
    /// The value of a conversion.
    Value(Conv),
}

/// The conversion character.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conv {
    /// `%d`, `%i`
    Signed,
    /// `%u`
    Unsigned,
    /// `%o`
    Octal,
    /// `%x`
    HexLower,
    /// `%X`
    HexUpper,
    /// `%c`
    Char,
    /// `%p`
    Pointer,
    /// `%f`, `%e`, `%g`: a floating-point number
    Float(FloatForm),
    /// `%s`, and `%v` as in Go: any type in its own form
    Text,
    /// `%r`: a buffer, printable bytes as they are and others as `\x00`
    Buffer,
    /// `%rx`: a buffer, every byte as `\x00`
    BufferHex,
    /// `%rh`: a buffer, two hex digits a byte with spaces between
    BufferHexSpaced,
    /// `%gr`: the kernel's flags of an allocation (`gfp_t`) by their names
    AllocationFlags,
}

/// How a floating-point number is printed, as in C.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FloatForm {
    /// `%f`, `%F`: digits and a point
    Fixed,
    /// `%e`, `%E`: with an exponent
    Exponent,
    /// `%g`, `%G`: the shorter of the two
    Shortest,
}

impl FloatForm {
    /// How it is written in a format.
    #[must_use]
    pub fn conversion(self) -> &'static str {
        match self {
            FloatForm::Fixed => "%f",
            FloatForm::Exponent => "%e",
            FloatForm::Shortest => "%g",
        }
    }
}

/// Why a format string is malformed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FormatError {
    /// Offset of the conversion in the format.
    pub at: usize,
    /// What is wrong with it.
    pub message: String,
}

/// The conversion characters. Of two that match, the longer stands first.
const CONVERSIONS: &[(&str, Conv)] = &[
    ("d", Conv::Signed),
    ("i", Conv::Signed),
    ("u", Conv::Unsigned),
    ("o", Conv::Octal),
    ("x", Conv::HexLower),
    ("X", Conv::HexUpper),
    ("c", Conv::Char),
    ("p", Conv::Pointer),
    ("f", Conv::Float(FloatForm::Fixed)),
    ("F", Conv::Float(FloatForm::Fixed)),
    ("e", Conv::Float(FloatForm::Exponent)),
    ("E", Conv::Float(FloatForm::Exponent)),
    ("gr", Conv::AllocationFlags),
    ("g", Conv::Float(FloatForm::Shortest)),
    ("G", Conv::Float(FloatForm::Shortest)),
    ("s", Conv::Text),
    ("v", Conv::Text),
    ("rx", Conv::BufferHex),
    ("rh", Conv::BufferHexSpaced),
    ("r", Conv::Buffer),
];

impl Format {
    /// Cuts a format into its pieces.
    ///
    /// # Errors
    /// The first conversion that is none.
    pub fn parse(text: &[u8]) -> Result<Format, FormatError> {
        let mut pieces = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            if byte != b'%' {
                literal.push(byte);
                continue;
            }
            if let Some(after) = rest.strip_prefix(b"%") {
                literal.push(b'%');
                rest = after;
                continue;
            }
            let at = text.len() - rest.len() - 1;
            let (spec, after) = Spec::parse(rest).map_err(|message| FormatError { at, message })?;
            rest = after;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Conv(spec));
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Format { pieces })
    }

    /// The number of conversions.
    #[must_use]
    pub fn conversions(&self) -> usize {
        self.pieces.iter().filter(|piece| matches!(piece, Piece::Conv(_))).count()
    }

    /// What the arguments are for, in order.
    pub fn uses(&self) -> impl Iterator<Item = Use> {
        let size = |size: Option<Size>| (size == Some(Size::Argument)).then_some(Use::Size);
        let uses = move |piece: &Piece| match piece {
            Piece::Conv(spec) => [size(spec.width), size(spec.precision), Some(Use::Value(spec.conv))],
            Piece::Text(_) => [None; 3],
        };
        self.pieces.iter().flat_map(uses).flatten()
    }
}

impl Spec {
    /// Parses what stands behind a `%`; gives the text behind the conversion too.
    fn parse(mut text: &[u8]) -> Result<(Spec, &[u8]), String> {
        let mut spec = Spec::plain(Conv::Signed);
        while let Some((&flag, after)) = text.split_first() {
            match flag {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'#' => spec.alt = true,
                b'0' => spec.zero = true,
                _ => break,
            }
            text = after;
        }
        (spec.width, text) = size(text)?;
        if let Some(after) = text.strip_prefix(b".") {
            let (precision, after) = size(after)?;
            spec.precision = Some(precision.unwrap_or(Size::Fixed(0)));
            text = after;
        }
        while let Some((modifier @ (b'h' | b'l' | b'L' | b'j' | b'z' | b't'), after)) = text.split_first() {
            if *modifier == b'h' {
                spec.bits = Some(if spec.bits.is_some() { 8 } else { 16 });
            } else {
                spec.long = true;
            }
            text = after;
        }
        for (name, conv) in CONVERSIONS {
            if let Some(after) = text.strip_prefix(name.as_bytes()) {
                spec.conv = *conv;
                return Ok((spec, after));
            }
        }
        match String::from_utf8_lossy(text).chars().next() {
            None => Err("the conversion at the end is incomplete; `%%` prints a percent sign".into()),
            Some(c) => Err(format!("unknown conversion `%{c}`; `%%` prints a percent sign")),
        }
    }
}

/// The number or `*` at the start of the text, if there is one.
fn size(text: &[u8]) -> Result<(Option<Size>, &[u8]), String> {
    if let Some(rest) = text.strip_prefix(b"*") {
        return Ok((Some(Size::Argument), rest));
    }
    let len = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = text.split_at(len);
    if number.is_empty() {
        return Ok((None, rest));
    }
    let number = String::from_utf8_lossy(number);
    match number.parse::<u32>() {
        Ok(n) if n <= MAX_WIDTH => Ok((Some(Size::Fixed(n)), rest)),
        _ => Err(format!("a width of {number} is more than {MAX_WIDTH}")),
    }
}

/// Greatest width and precision: a mistyped one must not fill the disk.
const MAX_WIDTH: u32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces() {
        let format = Format::parse(b"a%%b %-10s|%08llx %+.3d%r%rx%rh%-*.*s").map(|f| f.pieces);
        insta::assert_debug_snapshot!(format);
    }

    #[test]
    fn malformed() {
        for (text, at) in [("abc %", 4), ("%d %y", 3), ("%99999d", 0), ("%**d", 0), ("%*5d", 0), ("%-", 0)] {
            assert_eq!(Format::parse(text.as_bytes()).map_err(|e| e.at), Err(at), "{text}");
        }
    }
}
