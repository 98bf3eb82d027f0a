//! Which registers or stack words hold arguments and results of C functions on x86-64: the classes of the System V ABI (section 3.2.3).
//!
//! A value of up to 16 bytes is cut into words; a word that holds floating-point numbers only is in an SSE register, which BPF programs cannot
//! read, others are in integer registers. What does not fit the registers that are left is on the stack as a whole, and so is what is larger.

use super::convention::{Convention, Handed, Layouts, WORD, in_registers, unreadable};
use inspect::native::{Type as Raw, TypeId};
use lang::arch::Arch;
use lang::env::ParamPlace;

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
/// Registers by their DWARF numbers (figure 3.36).
const DWARF: [&str; 16] =
    ["ax", "dx", "cx", "bx", "si", "di", "bp", "sp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

/// What holds a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Integer,
    Sse,
}

/// The convention in the middle of a function's arguments.
pub(super) struct SystemV<'a, 'd> {
    layouts: Layouts<'a, 'd>,
    integers: usize,
    sse: usize,
    stack: u32,
}

impl<'a, 'd> SystemV<'a, 'd> {
    pub fn new(layouts: Layouts<'a, 'd>) -> SystemV<'a, 'd> {
        SystemV { layouts, integers: 0, sse: 0, stack: FIRST_ON_STACK }
    }

    fn place(&mut self, size: u32, words: &[Class]) -> ParamPlace {
        let integers = words.iter().filter(|w| **w == Class::Integer).count();
        let sse = words.len() - integers;
        if self.integers + integers > INTEGER.len() || self.sse + sse > SSE {
            return self.on_stack(size, WORD);
        }
        let mut next = INTEGER.iter().skip(self.integers);
        let held = words.iter().map(|class| match class {
            Class::Integer => next.next().and_then(|name| register(name)),
            Class::Sse => None,
        });
        let place = in_registers(size, held);
        self.integers += integers;
        self.sse += sse;
        place
    }

    fn on_stack(&mut self, size: u32, align: u32) -> ParamPlace {
        // Alignment counts from the first argument, which is at a multiple of 16.
        let at = (self.stack - FIRST_ON_STACK).next_multiple_of(align) + FIRST_ON_STACK;
        self.stack = at.saturating_add(size.next_multiple_of(WORD));
        ParamPlace::Stack(at)
    }

    /// The size of a value and the classes of its words; `None` for what is in memory.
    fn words(&self, ty: TypeId) -> Option<(u32, Vec<Class>)> {
        let size = self.layouts.size(ty).filter(|size| (1..=LARGEST).contains(size))?;
        if self.layouts.by_reference(ty) {
            return None;
        }
        let mut words = vec![Class::Sse; size.div_ceil(WORD) as usize];
        self.layouts.parts(ty, &mut |at, part, size| match part {
            // `long double` has registers of its own for results only.
            Raw::Float { size } | Raw::Other { size } if *size > WORD => None,
            Raw::Float { .. } | Raw::Complex { .. } => Some(()),
            _ => {
                // An unaligned member of a packed structure puts all of it in memory.
                if !at.is_multiple_of(size.clamp(1, WORD)) {
                    return None;
                }
                *words.get_mut((at / WORD) as usize)? = Class::Integer;
                if size > WORD {
                    *words.get_mut((at / WORD) as usize + 1)? = Class::Integer;
                }
                Some(())
            }
        })?;
        Some((size, words))
    }
}

impl Convention for SystemV<'_, '_> {
    fn result(&mut self, ty: TypeId) -> Handed {
        if let Some((size, words)) = self.words(ty) {
            let mut integers = RESULT.into_iter();
            let held = |class| match class {
                Class::Integer => integers.next().and_then(register),
                Class::Sse => None,
            };
            return Handed::Value(in_registers(size, words.into_iter().map(held)));
        }
        if let Some(Raw::Float { size } | Raw::Complex { size }) = self.layouts.ty(ty) {
            return Handed::Value(unreadable(size));
        }
        // The function gets the address of the room for it, and gives it back.
        self.integers += 1;
        Handed::Address(in_registers(WORD, RESULT.into_iter().take(1).map(register)))
    }

    fn param(&mut self, ty: TypeId) -> Handed {
        if self.layouts.by_reference(ty) {
            return Handed::Address(self.place(WORD, &[Class::Integer]));
        }
        Handed::Value(match self.words(ty) {
            Some((size, words)) => self.place(size, &words),
            None => {
                let size = self.layouts.size(ty).unwrap_or(WORD);
                // Only 128-bit integers, `long double` and vectors are aligned so.
                let wide = matches!(
                    self.layouts.ty(ty),
                    Some(Raw::Int { size: 16, .. } | Raw::Float { size: 16 } | Raw::Other { size: 16 })
                );
                self.on_stack(size, if wide { 16 } else { WORD })
            }
        })
    }

    fn dwarf_register(&self, number: u16) -> Option<u8> {
        DWARF.get(usize::from(number)).and_then(|name| register(name))
    }
}

fn register(name: &str) -> Option<u8> {
    Arch::X86_64.register(name)
}
