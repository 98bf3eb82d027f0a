//! The shape of a function's arguments: sizes and grouping of their parts, without types. The compiler writes it for tracebacks
//! (`FUNCDATA_ArgInfo`, `internal/abi/symtab.go`; read by `printArgs` in `runtime/traceback.go`) since Go 1.17, in stripped programs too.
//! It does not tell floats from integers, nor signs.

use std::fmt;

use super::GoFunc;
use super::pclntab::Format;

/// `abi.FUNCDATA_ArgInfo`.
const ARGUMENT_INFO: usize = 5;

/// Codes of the byte stream (`abi.TraceArgs…`); smaller ones are the offset of a part, and its size follows.
const END: u8 = 0xff;
const OPEN: u8 = 0xfe;
const CLOSE: u8 = 0xfd;
const MORE: u8 = 0xfc;
const FAR: u8 = 0xfb;
/// Bytes of a stream, which the compiler limits to 10 parts in 5 levels.
const LENGTH: usize = 64;

/// A piece of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// A part of so many bytes.
    Part(u8),
    /// A part too far up the stack to be described.
    Far,
    Open,
    Close,
}

/// The shape of a function's arguments. [`fmt::Display`] shows sizes in bytes, with what belongs together in braces: `{8 8} 8 4` for
/// a string, a word and 4 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentShape {
    pieces: Vec<Piece>,
    more: bool,
}

impl ArgumentShape {
    /// Parts that take a register or a place of their own; only those that are described.
    pub fn parts(&self) -> usize {
        self.pieces.iter().filter(|piece| matches!(piece, Piece::Part(_) | Piece::Far)).count()
    }

    /// Whether all parts are described; the compiler stops after ten.
    pub fn is_complete(&self) -> bool {
        !self.more
    }

    fn parse(data: &[u8]) -> Option<ArgumentShape> {
        let mut pieces = Vec::new();
        let mut bytes = data.iter().copied().take(LENGTH);
        let mut more = false;
        loop {
            match bytes.next()? {
                END => return Some(ArgumentShape { pieces, more }),
                OPEN => pieces.push(Piece::Open),
                CLOSE => pieces.push(Piece::Close),
                MORE => more = true,
                FAR => pieces.push(Piece::Far),
                // The offset: only its order matters here.
                _ => pieces.push(Piece::Part(bytes.next()?)),
            }
        }
    }
}

impl fmt::Display for ArgumentShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for piece in &self.pieces {
            match piece {
                Piece::Part(size) => write!(f, "{space}{size}")?,
                Piece::Far => write!(f, "{space}_")?,
                Piece::Open => write!(f, "{space}{{")?,
                Piece::Close => f.write_str("}")?,
            }
            space = if *piece == Piece::Open { "" } else { " " };
        }
        if self.more { write!(f, "{space}…") } else { Ok(()) }
    }
}

impl GoFunc<'_> {
    /// The shape of its arguments; `None` where the compiler has not written it: before Go 1.17, in assembly, and for functions
    /// without arguments.
    pub fn argument_shape(&self) -> Option<ArgumentShape> {
        let binary = self.binary;
        let value = binary.table().funcdata(binary.image(), self.record, ARGUMENT_INFO)?;
        let vaddr = match binary.table().format() {
            // Slot 5 has another meaning in Go 1.15.
            Format::Go12 => return None,
            Format::Go116 => value,
            Format::Go118 | Format::Go120 => binary.module().gofunc?.checked_add(value)?,
        };
        ArgumentShape::parse(binary.image().tail(vaddr)?)
    }
}

#[cfg(test)]
mod tests {
    use super::ArgumentShape;

    #[test]
    fn shapes() {
        let shape =
            |data: &[u8]| ArgumentShape::parse(data).map(|s| (s.to_string(), s.parts(), s.is_complete()));
        // func (p Person, tag string), where Person is struct { string; int; float64 }.
        let person = [0xfe, 0xfe, 0, 8, 8, 8, 0xfd, 16, 8, 24, 8, 0xfd, 0xfe, 32, 8, 40, 8, 0xfd, 0xff];
        assert_eq!(shape(&person), Some(("{{8 8} 8 8} {8 8}".into(), 6, true)));
        assert_eq!(shape(&[0, 8, 8, 1, 0xfc, 0xff]), Some(("8 1 …".into(), 2, false)));
        assert_eq!(shape(&[0xfb, 0xff]), Some(("_".into(), 1, true)));
        assert_eq!(shape(&[0xff]), Some((String::new(), 0, true)));
        // Cut short, or without an end.
        assert_eq!(shape(&[0, 8, 8]), None);
        assert_eq!(shape(&[0xfe; 4096]), None);
    }
}
