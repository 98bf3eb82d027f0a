//! The shape of a function's arguments: sizes and grouping of their parts, without types. The compiler writes it for tracebacks
//! (`FUNCDATA_ArgInfo`, `internal/abi/symtab.go`; read by `printArgs` in `runtime/traceback.go`) since Go 1.17, in stripped programs too.
//! It does not tell floats from integers, nor signs.

use std::fmt;

use super::GoFunc;
use super::abi::{self, Abi, STACK_ARGUMENTS};
use super::pclntab::Format;

/// `abi.FUNCDATA_ArgInfo`.
const ARGUMENT_INFO: usize = 5;

/// Codes of the byte stream (`abi.TraceArgs…`); smaller ones are the offset of a part, and its size follows.
const END: u8 = 0xff;
const OPEN: u8 = 0xfe;
const CLOSE: u8 = 0xfd;
const MORE: u8 = 0xfc;
const FAR: u8 = 0xfb;
/// Words that are looked at where there may be any number.
const UNDESCRIBED: u32 = 256;
/// Bytes of a stream, which the compiler limits to 10 parts in 5 levels.
const LENGTH: usize = 64;

/// A piece of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// A part: its offset from the first argument on the stack, or in the room for saved registers behind those; its size in bytes.
    Part(u8, u8),
    /// A part too far up the stack to be described.
    Far,
    Open,
    Close,
}

impl Piece {
    /// Offset and size.
    fn part(self) -> Option<(u8, u8)> {
        if let Piece::Part(offset, size) = self { Some((offset, size)) } else { None }
    }
}

/// Where an argument word is at a function's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordPlace {
    /// In this one of [`super::abi::integer_registers`].
    Register(usize),
    /// In memory, so many bytes above the stack pointer.
    Stack(u32),
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
        self.pieces.iter().filter(|piece| matches!(piece, Piece::Part(..) | Piece::Far)).count()
    }

    /// Whether all parts are described; the compiler stops after ten.
    pub fn is_complete(&self) -> bool {
        !self.more
    }

    /// Where each part is at the function's entry if there are `registers` of them for arguments and none of the parts is a float, and
    /// whether those are all parts.
    ///
    /// A parameter that does not fit the registers that are left is on the stack, and so is an array of several elements. The parts do
    /// not tell an array from a structure; but the stack's offsets are below those of the room for saved registers, so that a
    /// parameter behind one in registers with a smaller offset is on the stack. An array before all others is taken for a structure.
    fn places(&self, registers: usize) -> (Vec<WordPlace>, bool) {
        let (mut places, mut used, mut saved, mut stack_end) = (Vec::new(), 0, None, STACK_ARGUMENTS);
        for parameter in self.parameters() {
            let offsets: Option<Vec<(u8, u8)>> = parameter.iter().map(|p| p.part()).collect();
            let Some(parts) = offsets else { return (places, false) };
            let behind = |(offset, _): &(u8, u8)| saved.is_some_and(|saved| *offset < saved);
            if used + parts.len() > registers || parts.first().is_some_and(behind) {
                places.extend(parts.iter().map(|(at, _)| WordPlace::Stack(STACK_ARGUMENTS + u32::from(*at))));
                let end = parts.last().map_or(0, |(at, size)| u32::from(*at) + u32::from(*size));
                stack_end = stack_end.max((STACK_ARGUMENTS + end).next_multiple_of(8));
            } else {
                places.extend((used..used + parts.len()).map(WordPlace::Register));
                used += parts.len();
                saved = parts.last().map(|(at, _)| *at).or(saved);
            }
        }
        if self.more && used == registers {
            // No register is left, so the others follow each other on the stack.
            let next = (0..UNDESCRIBED).map(|n| WordPlace::Stack(stack_end + 8 * n));
            places.extend(next);
        }
        (places, !self.more)
    }

    /// The pieces of each parameter, without the braces.
    fn parameters(&self) -> Vec<Vec<Piece>> {
        let (mut parameters, mut depth) = (Vec::new(), 0u32);
        for piece in &self.pieces {
            match piece {
                Piece::Open => {
                    if depth == 0 {
                        parameters.push(Vec::new());
                    }
                    depth += 1;
                }
                Piece::Close => depth = depth.saturating_sub(1),
                Piece::Part(..) | Piece::Far => {
                    if depth == 0 {
                        parameters.push(Vec::new());
                    }
                    if let Some(parameter) = parameters.last_mut() {
                        parameter.push(*piece);
                    }
                }
            }
        }
        parameters
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
                offset => pieces.push(Piece::Part(offset, bytes.next()?)),
            }
        }
    }
}

impl fmt::Display for ArgumentShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for piece in &self.pieces {
            match piece {
                Piece::Part(_, size) => write!(f, "{space}{size}")?,
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
    /// The places of its argument words in source order, and whether those are all; `None` where nothing tells.
    ///
    /// With the stack convention only their room is known, which results share.
    pub fn argument_words(&self) -> Option<(Vec<WordPlace>, bool)> {
        match self.abi() {
            Abi::Registers => {
                let registers = abi::integer_registers(self.binary.arch()).len();
                match self.argument_shape() {
                    Some(shape) => Some(shape.places(registers)),
                    // The compiler writes none for functions without arguments.
                    None => (self.args_size() == Some(0)).then(|| (Vec::new(), true)),
                }
            }
            Abi::Stack => {
                let words = self.args_size()?.div_ceil(8).min(UNDESCRIBED);
                Some(((0..words).map(|n| WordPlace::Stack(STACK_ARGUMENTS + 8 * n)).collect(), true))
            }
        }
    }

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
    use super::{ArgumentShape, WordPlace};

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

    /// `r0` for registers, `[8]` for the stack.
    fn places(data: &[u8]) -> Option<(String, bool)> {
        let (places, all) = ArgumentShape::parse(data)?.places(9);
        let one = |p: &WordPlace| match p {
            WordPlace::Register(n) => format!("r{n}"),
            WordPlace::Stack(at) => format!("[{at}]"),
        };
        Some((places.iter().take(14).map(one).collect::<Vec<_>>().join(" "), all))
    }

    #[test]
    fn words() {
        // func (s string, n int8)
        assert_eq!(places(&[0xfe, 0, 8, 8, 8, 0xfd, 16, 1, 0xff]), Some(("r0 r1 r2".into(), true)));
        assert_eq!(places(&[0xff]), Some((String::new(), true)));
        // func (n int, a [3]int16, m int)
        let array = [8, 8, 0xfe, 0, 2, 2, 2, 4, 2, 0xfd, 16, 8, 0xff];
        assert_eq!(places(&array), Some(("r0 [8] [10] [12] r1".into(), true)));
        // func (a, b, c, d, e string, n int): e does not fit, n has the last register.
        let mut strings: Vec<u8> =
            (0..4).flat_map(|n| [0xfe, 16 + 16 * n, 8, 24 + 16 * n, 8, 0xfd]).collect();
        strings.extend([0xfe, 0, 8, 8, 8, 0xfd, 0xfc, 0xff]);
        assert_eq!(places(&strings), Some(("r0 r1 r2 r3 r4 r5 r6 r7 [8] [16]".into(), false)));
        // Twelve integers.
        let mut integers: Vec<u8> = (0..9).flat_map(|n| [24 + 8 * n, 8]).collect();
        integers.extend([0, 8, 0xfc, 0xff]);
        let registers = "r0 r1 r2 r3 r4 r5 r6 r7 r8";
        assert_eq!(places(&integers), Some((format!("{registers} [8] [16] [24] [32] [40]"), false)));
    }
}
