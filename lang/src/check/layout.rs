//! The layout of structures and unions that a script declares: offsets, padding and bit-fields as a C compiler for a 64-bit machine
//! makes them. [`crate::check::types`] knows the types of the members.

use crate::types::{BitRange, StructKind};

/// Where the next member of a structure goes.
#[derive(Debug)]
pub(super) struct Layout {
    kind: StructKind,
    packed: bool,
    /// Bits that are taken.
    end: u64,
    /// Alignment in bytes so far.
    pub align: u32,
}

/// What is said of the place of one member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    /// Alignment of its type.
    pub natural: u32,
    /// `packed`, of the member itself.
    pub packed: bool,
    /// `aligned(n)`.
    pub least: Option<u32>,
}

impl Layout {
    /// Nothing yet; the whole is aligned to at least `align` bytes.
    pub fn new(kind: StructKind, packed: bool, align: u32) -> Layout {
        Layout { kind, packed, end: 0, align: align.max(1) }
    }

    /// Bytes that are taken.
    pub fn taken(&self) -> u64 {
        self.end.div_ceil(8)
    }

    /// Room for a member of `size` bytes; its offset in bytes.
    pub fn add(&mut self, size: u64, at: Placement) -> u64 {
        let natural = if self.packed || at.packed { 1 } else { at.natural.max(1) };
        let align = natural.max(at.least.unwrap_or(1));
        self.align = self.align.max(align);
        let offset = match self.kind {
            StructKind::Union => 0,
            StructKind::Struct => self.end.next_multiple_of(8 * u64::from(align)) / 8,
        };
        self.end = self.end.max(8 * (offset + size));
        offset
    }

    /// Room for a bit-field of `width` bits in words of `size` bytes, as the System V ABI has it: where the last member ended,
    /// unless it would reach over the end of a word. A width of 0 ends the word. Gives the byte offset and the bits there.
    pub fn add_bits(&mut self, size: u64, width: u64, named: bool, at: Placement) -> (u64, BitRange) {
        let word = 8 * size;
        let packed = self.packed || at.packed;
        let start = if self.kind == StructKind::Union { 0 } else { self.end };
        let crosses = start / word != (start + width.max(1) - 1) / word;
        let start = if width == 0 || (crosses && !packed) { start.next_multiple_of(word) } else { start };
        let start = at.least.map_or(start, |least| start.next_multiple_of(8 * u64::from(least)));
        if named && !packed {
            self.align = self.align.max(size as u32);
        }
        self.align = self.align.max(at.least.filter(|_| named).unwrap_or(1));
        self.end = self.end.max(start + width);
        let offset = if packed { start / 8 } else { start / word * size };
        (offset, BitRange { shift: (start - 8 * offset) as u8, width: width as u8 })
    }

    /// Size in bytes with the padding at the end.
    pub fn size(&self) -> u64 {
        self.end.div_ceil(8).next_multiple_of(u64::from(self.align))
    }
}
