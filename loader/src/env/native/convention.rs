//! What calling conventions of C share: the question where an argument or the result is, and what is asked of types to answer it. The
//! conventions themselves are [`super::system_v`] (x86-64) and [`super::aapcs64`] (arm64).

use super::aapcs64::Aapcs64;
use super::system_v::SystemV;
use inspect::native::{Debug, Type as Raw, TypeId};
use lang::arch::Arch;
use lang::env::{ParamPlace, Piece};
use std::cell::Cell;

/// Bytes of a register, and of a word of the stack.
pub(super) const WORD: u32 = 8;
/// Structures in structures that are followed.
const DEPTH: u32 = 16;
/// Types that are looked at for one function.
const WORK: u32 = 1 << 16;

/// How a value is handed over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Handed {
    /// It is at this place.
    Value(ParamPlace),
    /// Its address is at this place: the program itself works with that.
    Address(ParamPlace),
    /// A result in memory, whose address nothing tells when the function has returned.
    Lost,
}

/// Hands out places at the first instruction of one function: for the result first, then argument by argument.
pub(super) trait Convention {
    /// Where the result is when the function has returned.
    fn result(&mut self, ty: TypeId) -> Handed;
    /// Where the next argument is.
    fn param(&mut self, ty: TypeId) -> Handed;
    /// The register of a DWARF number; `None` for those that BPF programs cannot read.
    fn dwarf_register(&self, number: u16) -> Option<u8>;
}

impl dyn Convention + '_ {
    /// That of C on a machine.
    pub fn of<'a>(arch: Arch, debug: &'a Debug<'_>) -> Box<dyn Convention + 'a> {
        match arch {
            Arch::X86_64 => Box::new(SystemV::new(Layouts::new(debug))),
            Arch::Aarch64 => Box::new(Aapcs64::new(Layouts::new(debug))),
        }
    }
}

/// What conventions ask about types: bounded, because a damaged file can make types endless.
pub(super) struct Layouts<'a, 'd> {
    debug: &'a Debug<'d>,
    /// Types that may still be looked at.
    work: Cell<u32>,
}

impl<'a, 'd> Layouts<'a, 'd> {
    fn new(debug: &'a Debug<'d>) -> Layouts<'a, 'd> {
        Layouts { debug, work: Cell::new(WORK) }
    }

    /// What a type is.
    pub fn ty(&self, ty: TypeId) -> Option<Raw> {
        self.debug.ty(ty)
    }

    /// Whether another type may be looked at, so deep in others.
    fn goes_on(&self, depth: u32) -> Option<()> {
        self.work.set(self.work.get().checked_sub(1)?);
        (depth <= DEPTH).then_some(())
    }

    /// Bytes of a value.
    pub fn size(&self, ty: TypeId) -> Option<u32> {
        self.size_within(ty, 0)
    }

    fn size_within(&self, ty: TypeId, depth: u32) -> Option<u32> {
        self.goes_on(depth)?;
        Some(match self.ty(ty)? {
            Raw::Bool => 1,
            Raw::Pointer(_) => WORD,
            Raw::Int { size, .. }
            | Raw::Float { size }
            | Raw::Complex { size }
            | Raw::Composite { size, .. }
            | Raw::Enum { size, .. }
            | Raw::Other { size } => size,
            Raw::Array { of, count, .. } => self.size_within(of, depth + 1)?.checked_mul(count)?,
            Raw::Void | Raw::Declared { .. } => return None,
        })
    }

    /// Calls `each` with the offsets and types of what a value consists of, as far as that has no parts itself; `None` when it says so.
    pub fn parts(&self, ty: TypeId, each: &mut dyn FnMut(u32, &Raw, u32) -> Option<()>) -> Option<()> {
        self.parts_within(ty, 0, 0, each)
    }

    fn parts_within(
        &self,
        ty: TypeId,
        at: u32,
        depth: u32,
        each: &mut dyn FnMut(u32, &Raw, u32) -> Option<()>,
    ) -> Option<()> {
        self.goes_on(depth)?;
        match self.ty(ty)? {
            Raw::Composite { .. } => {
                let id = self.debug.resolved(ty)?;
                self.debug.members(id).iter().try_for_each(|member| {
                    let mut offset = u32::try_from(member.bit_offset / 8).ok()?;
                    if member.bits.is_some() {
                        // A bit-field is a part of an integer of its type.
                        offset -= offset % self.size_within(member.ty, depth + 1)?.max(1);
                    }
                    let offset = at.checked_add(offset)?;
                    self.parts_within(member.ty, offset, depth + 1, each)
                })
            }
            Raw::Array { of, count, .. } => {
                let size = self.size_within(of, depth + 1)?;
                (0..count).try_for_each(|i| {
                    let offset = at.checked_add(i.checked_mul(size)?)?;
                    self.parts_within(of, offset, depth + 1, each)
                })
            }
            plain => each(at, &plain, self.size_within(ty, depth)?),
        }
    }

    /// Whether objects of a type are handed over by their address whatever their size: those that cannot be copied byte by byte.
    pub fn by_reference(&self, ty: TypeId) -> bool {
        matches!(self.ty(ty), Some(Raw::Composite { by_reference: true, .. }))
    }
}

/// The place of a value whose words are in these registers; `None` is one that cannot be read. A word of an odd size is told in parts that
/// have one.
pub(super) fn in_registers(size: u32, words: impl IntoIterator<Item = Option<u8>>) -> ParamPlace {
    let mut pieces = Vec::new();
    for (register, start) in words.into_iter().zip((0..size).step_by(WORD as usize)) {
        let mut left = (size - start).min(WORD);
        let mut shift = 0;
        while left > 0 {
            let part = 1 << left.ilog2();
            pieces.push(Piece { register, offset: start + shift, size: part, shift: (8 * shift) as u8 });
            (left, shift) = (left - part, shift + part);
        }
    }
    ParamPlace::Registers(pieces)
}

/// The place of a value in floating-point registers, which BPF programs cannot read.
pub(super) fn unreadable(size: u32) -> ParamPlace {
    in_registers(size, std::iter::repeat(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_odd_sizes_are_told_in_parts() {
        let shown = |size, words: [Option<u8>; 2]| -> Vec<(u32, u32, u8)> {
            let ParamPlace::Registers(pieces) = in_registers(size, words) else { return Vec::new() };
            pieces.iter().map(|p| (p.offset, p.size, p.shift)).collect()
        };
        assert_eq!(shown(8, [Some(1), None]), [(0, 8, 0)]);
        assert_eq!(shown(12, [Some(1), Some(2)]), [(0, 8, 0), (8, 4, 0)]);
        assert_eq!(shown(7, [Some(1), None]), [(0, 4, 0), (4, 2, 32), (6, 1, 48)]);
    }
}
