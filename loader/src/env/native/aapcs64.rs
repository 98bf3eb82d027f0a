//! Which registers or stack words hold arguments and results of C functions on arm64: the Procedure Call Standard for the Arm 64-bit
//! Architecture, section 6.8.2 (parameters) and 6.9 (results).
//!
//! Numbers, pointers and structures of up to 16 bytes are in `x0` to `x7`, the words of one value in registers that follow each other. A
//! floating-point number, and a structure of up to four equal ones, is in `v0` to `v7`, which BPF programs cannot read. Of other
//! structures the caller makes a copy and hands over its address. What does not fit the registers that are left is on the stack as
//! a whole, and so is all of its kind that follows.

use super::convention::{Convention, Handed, Layouts, WORD, in_registers, unreadable};
use inspect::native::{Type as Raw, TypeId};
use lang::arch::Arch;
use lang::env::ParamPlace;

/// Registers for integers, and those for floating-point numbers.
const REGISTERS: u32 = 8;
/// Largest structure in integer registers.
const LARGEST: u32 = 16;
/// Most numbers of a structure in floating-point registers.
const EQUAL_FLOATS: u32 = 4;
/// DWARF numbers 0 to 31 are `x0` to `x30` and `sp` (DWARF for the Arm 64-bit Architecture, table 1).
const SP: u8 = 31;

/// What kind of register holds a value.
enum Class {
    /// So many integer registers from a number on that this divides.
    Integer { align: u32 },
    /// So many floating-point registers.
    Float { count: u32 },
    /// It is too large: its address is handed over.
    Memory,
}

/// The convention in the middle of a function's arguments.
pub(super) struct Aapcs64<'a, 'd> {
    layouts: Layouts<'a, 'd>,
    integers: u32,
    floats: u32,
    stack: u32,
}

impl<'a, 'd> Aapcs64<'a, 'd> {
    pub fn new(layouts: Layouts<'a, 'd>) -> Aapcs64<'a, 'd> {
        Aapcs64 { layouts, integers: 0, floats: 0, stack: 0 }
    }

    fn class(&self, ty: TypeId, size: u32) -> Class {
        if self.layouts.by_reference(ty) {
            return Class::Memory;
        }
        match self.layouts.ty(ty) {
            // No parameter is an array: this is a vector.
            Some(Raw::Array { .. }) => return Class::Float { count: 1 },
            Some(Raw::Composite { .. } | Raw::Float { .. } | Raw::Complex { .. }) => {
                if let Some(count) = self.equal_floats(ty, size) {
                    return Class::Float { count };
                }
            }
            _ => {}
        }
        match size {
            0..=LARGEST => Class::Integer { align: if self.is_wide(ty) { 2 } else { 1 } },
            _ => Class::Memory,
        }
    }

    /// The number of floating-point numbers that a value consists of, if they are of one size, and not too many.
    fn equal_floats(&self, ty: TypeId, whole: u32) -> Option<u32> {
        let mut equal = None;
        self.layouts.parts(ty, &mut |_, part, _| {
            let size = match part {
                Raw::Float { size } => *size,
                Raw::Complex { size } => size / 2,
                _ => return None,
            };
            (*equal.get_or_insert(size) == size).then_some(())
        })?;
        // Members of a union share numbers: the size tells how many there are.
        let count = whole.checked_div(equal?)?;
        (1..=EQUAL_FLOATS).contains(&count).then_some(count)
    }

    /// Whether a value has a 128-bit integer in it, and so an alignment of 16.
    fn is_wide(&self, ty: TypeId) -> bool {
        let mut wide = false;
        let _ = self.layouts.parts(ty, &mut |_, part, _| {
            wide |= matches!(part, Raw::Int { size: 16, .. } | Raw::Float { size: 16 });
            Some(())
        });
        wide
    }

    /// The place of so many bytes in integer registers, or on the stack.
    fn integer(&mut self, size: u32, align: u32) -> ParamPlace {
        let (first, words) = (self.integers.next_multiple_of(align), size.div_ceil(WORD));
        if first + words > REGISTERS {
            self.integers = REGISTERS;
            return self.on_stack(size, align);
        }
        self.integers = first + words;
        in_registers(size, (first..first + words).map(register))
    }

    fn on_stack(&mut self, size: u32, align: u32) -> ParamPlace {
        let at = self.stack.next_multiple_of(align * WORD);
        self.stack = at.saturating_add(size.next_multiple_of(WORD));
        ParamPlace::Stack(at)
    }
}

impl Convention for Aapcs64<'_, '_> {
    fn result(&mut self, ty: TypeId) -> Handed {
        let Some(size) = self.layouts.size(ty) else { return Handed::Lost };
        match self.class(ty, size) {
            Class::Integer { .. } => Handed::Value(in_registers(size, (0..2).map(register))),
            Class::Float { .. } => Handed::Value(unreadable(size)),
            // Its address is in `x8` at the entry, which the function need not keep.
            Class::Memory => Handed::Lost,
        }
    }

    fn param(&mut self, ty: TypeId) -> Handed {
        let size = self.layouts.size(ty).unwrap_or(WORD);
        if self.layouts.by_reference(ty) {
            return Handed::Address(self.integer(WORD, 1));
        }
        Handed::Value(match self.class(ty, size) {
            Class::Integer { align } => self.integer(size, align),
            Class::Float { count } if self.floats + count <= REGISTERS => {
                self.floats += count;
                unreadable(size)
            }
            Class::Float { .. } => {
                self.floats = REGISTERS;
                self.on_stack(size, if self.is_wide(ty) { 2 } else { 1 })
            }
            Class::Memory => ParamPlace::Behind(Box::new(self.integer(WORD, 1))),
        })
    }

    fn dwarf_register(&self, number: u16) -> Option<u8> {
        u8::try_from(number).ok().filter(|number| *number <= SP)
    }
}

/// `x0` and so on. The kernel's order is DWARF's.
fn register(number: u32) -> Option<u8> {
    Arch::Aarch64.register(&format!("x{number}"))
}
