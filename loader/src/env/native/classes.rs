//! Which registers or stack words hold arguments and results of C functions on x86-64: the classes of the System V ABI (section 3.2.3).
//!
//! A value of up to 16 bytes is cut into words; a word that holds floating-point numbers only is in an SSE register, which BPF programs cannot
//! read, others are in integer registers. What does not fit the registers that are left is on the stack as a whole, and so is what is larger.

use inspect::native::{Debug, Type as Raw, TypeId};
use lang::arch::Arch;
use lang::env::{ParamPlace, Piece};
use std::cell::Cell;

/// Registers for integer arguments, in order.
const INTEGER: [&str; 6] = ["di", "si", "dx", "cx", "r8", "r9"];
/// Registers for integer results.
const RESULT: [&str; 2] = ["ax", "dx"];
/// SSE registers for arguments.
const SSE: usize = 8;
/// Largest value in registers.
const LARGEST: u32 = 16;
/// Where the first argument on the stack is at the entry: above the return address.
const FIRST_ON_STACK: u32 = 8;
/// Structures in structures that are followed.
const DEPTH: u32 = 16;
/// Types that are looked at for one function.
const WORK: u32 = 1 << 16;

/// What holds a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Integer,
    Sse,
}

/// Hands out places, argument by argument.
pub(super) struct Classes<'a, 'd> {
    debug: &'a Debug<'d>,
    integers: usize,
    sse: usize,
    stack: u32,
    /// Types that may still be looked at.
    work: Cell<u32>,
}

impl<'a, 'd> Classes<'a, 'd> {
    pub fn new(debug: &'a Debug<'d>) -> Classes<'a, 'd> {
        Classes { debug, integers: 0, sse: 0, stack: FIRST_ON_STACK, work: Cell::new(WORK) }
    }

    /// The place of the result; `None` if it is in memory, whose address the function gets.
    pub fn result(&self, ty: TypeId) -> Option<ParamPlace> {
        let (size, words) = self.words(ty)?;
        let mut integers = RESULT.into_iter();
        let held = |class| match class {
            Class::Integer => integers.next().and_then(register),
            Class::Sse => None,
        };
        Some(ParamPlace::Registers(pieces(size, words.into_iter().map(held))))
    }

    /// The place of the address of a result in memory; from here on the first integer register is taken.
    pub fn address_of_result(&mut self) -> ParamPlace {
        self.integers += 1;
        ParamPlace::Registers(pieces(8, RESULT.into_iter().take(1).map(register)))
    }

    /// The place of an address.
    pub fn address(&mut self) -> ParamPlace {
        self.place(8, 8, &[Class::Integer])
    }

    /// The place of the next argument.
    pub fn param(&mut self, ty: TypeId) -> ParamPlace {
        match self.words(ty) {
            Some((size, words)) => self.place(size, 8, &words),
            None => {
                let size = self.size(ty, 0).unwrap_or(8);
                // Only 128-bit integers, `long double` and vectors are aligned so.
                let align = if matches!(self.debug.ty(ty), Some(Raw::Other { size: 16 })) { 16 } else { 8 };
                self.on_stack(size, align)
            }
        }
    }

    fn place(&mut self, size: u32, align: u32, words: &[Class]) -> ParamPlace {
        let integers = words.iter().filter(|w| **w == Class::Integer).count();
        let sse = words.len() - integers;
        if self.integers + integers > INTEGER.len() || self.sse + sse > SSE {
            return self.on_stack(size, align);
        }
        let mut next = self.integers;
        let held: Vec<Option<u8>> = words
            .iter()
            .map(|class| match class {
                Class::Integer => {
                    next += 1;
                    INTEGER.get(next - 1).and_then(|name| register(name))
                }
                Class::Sse => None,
            })
            .collect();
        self.integers = next;
        self.sse += sse;
        ParamPlace::Registers(pieces(size, held.into_iter()))
    }

    fn on_stack(&mut self, size: u32, align: u32) -> ParamPlace {
        // Alignment counts from the first argument, which is at a multiple of 16.
        let at = (self.stack - FIRST_ON_STACK).next_multiple_of(align) + FIRST_ON_STACK;
        self.stack = at + size.next_multiple_of(8);
        ParamPlace::Stack(at)
    }

    /// The size of a value and the classes of its words; `None` for what is in memory.
    fn words(&self, ty: TypeId) -> Option<(u32, Vec<Class>)> {
        let size = self.size(ty, 0).filter(|size| (1..=LARGEST).contains(size))?;
        let mut words = vec![Class::Sse; size.div_ceil(8) as usize];
        self.classify(ty, 0, &mut words, 0)?;
        Some((size, words))
    }

    /// Marks the words that a value at `at` has integers in; `None` for what is never in these registers.
    fn classify(&self, ty: TypeId, at: u32, words: &mut [Class], depth: u32) -> Option<()> {
        let left = self.work.get().checked_sub(1)?;
        self.work.set(left);
        if depth > DEPTH {
            return None;
        }
        match self.debug.ty(ty)? {
            Raw::Float { .. } => Some(()),
            Raw::Composite { .. } => {
                let id = self.debug.resolved(ty)?;
                self.debug.members(id).iter().try_for_each(|member| {
                    let offset = at.checked_add(u32::try_from(member.bit_offset / 8).ok()?)?;
                    self.classify(member.ty, offset, words, depth + 1)
                })
            }
            Raw::Array { of, count, .. } => {
                let each = self.size(of, 0)?;
                (0..count.min(LARGEST)).try_for_each(|i| self.classify(of, at + i * each, words, depth + 1))
            }
            Raw::Void | Raw::Declared { .. } | Raw::Other { .. } => None,
            Raw::Bool | Raw::Int { .. } | Raw::Pointer(_) | Raw::Enum { .. } => {
                // An unaligned member of a packed structure puts all of it in memory.
                let size = self.size(ty, 0)?;
                if !at.is_multiple_of(size.clamp(1, 8)) {
                    return None;
                }
                *words.get_mut((at / 8) as usize)? = Class::Integer;
                if size > 8 {
                    *words.get_mut((at / 8) as usize + 1)? = Class::Integer;
                }
                Some(())
            }
        }
    }

    fn size(&self, ty: TypeId, depth: u32) -> Option<u32> {
        Some(match self.debug.ty(ty)? {
            _ if depth > DEPTH => return None,
            Raw::Bool => 1,
            Raw::Pointer(_) => 8,
            Raw::Int { size, .. }
            | Raw::Float { size }
            | Raw::Composite { size, .. }
            | Raw::Enum { size, .. }
            | Raw::Other { size } => size,
            Raw::Array { of, count, .. } => self.size(of, depth + 1)?.checked_mul(count)?,
            Raw::Void | Raw::Declared { .. } => return None,
        })
    }
}

/// The register of a DWARF number (System V ABI, figure 3.36).
pub(super) fn dwarf_register(number: u16) -> Option<u8> {
    const NAMES: [&str; 16] = [
        "ax", "dx", "cx", "bx", "si", "di", "bp", "sp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    ];
    NAMES.get(usize::from(number)).and_then(|name| register(name))
}

fn register(name: &str) -> Option<u8> {
    Arch::X86_64.register(name)
}

/// The parts of a value whose words are in these registers; `None` is one that cannot be read. A word of an odd size is told in parts that have one.
fn pieces(size: u32, words: impl Iterator<Item = Option<u8>>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (register, start) in words.zip((0u32..).step_by(8)) {
        let mut left = (size - start).min(8);
        let mut shift = 0;
        while left > 0 {
            let part = 1 << left.ilog2();
            pieces.push(Piece { register, offset: start + shift, size: part, shift: (8 * shift) as u8 });
            (left, shift) = (left - part, shift + part);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_odd_sizes_are_told_in_parts() {
        let shown = |size, words: [Option<u8>; 2]| -> Vec<(u32, u32, u8)> {
            let words = words.into_iter().take((size as usize).div_ceil(8));
            pieces(size, words).iter().map(|p| (p.offset, p.size, p.shift)).collect()
        };
        assert_eq!(shown(8, [Some(1), None]), [(0, 8, 0)]);
        assert_eq!(shown(12, [Some(1), Some(2)]), [(0, 8, 0), (8, 4, 0)]);
        assert_eq!(shown(7, [Some(1), None]), [(0, 4, 0), (4, 2, 32), (6, 1, 48)]);
    }
}
