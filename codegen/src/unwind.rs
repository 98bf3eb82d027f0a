//! What a program that walks stacks by unwinding tables finds in its maps: shared with the loader, which fills them.
//!
//! Three maps: of each process its mappings of code ([`PROCESSES`] to a range of [`CODE`], in order of address), of each mapping its
//! table (a range of [`ROWS`], in order of address). Ranges are replaced by writing another one and then the word that leads to it, so
//! that a program sees the old or the new one.

use lang::arch::Arch;

/// Name of the map of rows: an array of words, see [`row`].
pub const ROWS: &str = "unwind_rows";
/// Name of the map of mappings: an array of [`Code::SIZE`] bytes each.
pub const CODE: &str = "unwind_code";
/// Name of the map from a process id (`u32`, in gotrace's pid namespace) to the `u32` index of its first mapping and their `u32` number.
pub const PROCESSES: &str = "unwind_pids";
/// Name of the section and map of a word that programs count up when they meet code that no mapping of the process has.
pub const MISSED: &str = ".data.unwind";

/// Greatest number of rows of a table: the search halves them so many times.
pub const MOST_ROWS: u32 = 1 << ROW_STEPS;
pub(crate) const ROW_STEPS: u32 = 22;
/// Greatest number of mappings of code that a process may have.
pub const MOST_CODE: u32 = 1 << CODE_STEPS;
pub(crate) const CODE_STEPS: u32 = 10;
/// Entries of [`CODE`]: while the mappings of a process are replaced, they are there twice.
pub const CODE_ENTRIES: u32 = 8 * MOST_CODE;
/// Processes whose stacks can be walked in one run.
pub const MOST_PROCESSES: u32 = 64;

/// A mapping of code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Code {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// How stacks are walked through it.
    pub table: Table,
}

/// How stacks are walked through a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// By rows.
    Rows {
        /// The address from which the rows count.
        base: u64,
        /// Index of the first one in [`ROWS`].
        first: u32,
        /// Their number, from 1 to [`MOST_ROWS`].
        count: u32,
    },
    /// By frame pointers, which its code has.
    FramePointers,
    /// By frame pointers, which its code may have or not: there is no table where there should be one.
    Missing,
    /// Not at all: stacks end there.
    End,
}

pub(crate) const CODE_START: u32 = 0;
pub(crate) const CODE_END: u32 = 8;
pub(crate) const CODE_BASE: u32 = 16;
/// Of a mapping without rows the [`Step`] of all its code.
pub(crate) const CODE_FIRST: u32 = 24;
pub(crate) const CODE_COUNT: u32 = 28;

impl Code {
    /// Bytes of an entry of [`CODE`].
    pub const SIZE: u32 = 32;

    /// An entry of [`CODE`].
    #[must_use]
    pub fn bytes(&self) -> [u8; Code::SIZE as usize] {
        let (base, first, count) = match self.table {
            Table::Rows { base, first, count } => (base, first, count),
            Table::FramePointers => (0, Step::FramePointer as u32, 0),
            Table::Missing => (0, Step::Missing as u32, 0),
            Table::End => (0, Step::End as u32, 0),
        };
        let mut bytes = [0; Code::SIZE as usize];
        let mut put =
            |at: u32, part: &[u8]| bytes[at as usize..at as usize + part.len()].copy_from_slice(part);
        put(CODE_START, &self.start.to_ne_bytes());
        put(CODE_END, &self.end.to_ne_bytes());
        put(CODE_BASE, &base.to_ne_bytes());
        put(CODE_FIRST, &first.to_ne_bytes());
        put(CODE_COUNT, &count.to_ne_bytes());
        bytes
    }
}

/// How the caller's registers are found from an instruction on: the lowest four bits of a row's rule. On x86-64 the return address is below
/// the end of the frame (CFA) in [`Step::Sp`] to [`Step::AtBp`]. On arm64 it is above the caller's `x29` where that is saved, else in `x30`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Step {
    /// Not by the table: by the frame pointer.
    FramePointer = 0,
    /// The CFA is `rsp` (`sp`) and the offset.
    Sp = 1,
    /// The CFA is `rbp` (`x29`) and the offset.
    Bp = 2,
    /// Of x86-64, as the next two. An entry of the procedure linkage table; the offset is the byte of it from which on its instructions
    /// have pushed a word.
    Plt = 3,
    /// The CFA is 8 more than the word at `rsp` and the offset.
    AtSp = 4,
    /// The CFA is the word at `rbp` and the offset; the caller's `rbp` is where `rbp` points to.
    AtBp = 5,
    /// The frame of a signal handler.
    Signal = 6,
    /// There is no caller.
    End = 7,
    /// Unknown.
    Unknown = 8,
    /// By the frame pointer, which the code may have or not: there is no table where there should be one.
    Missing = 9,
    /// Of arm64: as [`Step::Sp`], but what is saved is the return address alone.
    SpLink = 10,
    /// Of arm64: as [`Step::Bp`], but what is saved is the return address alone.
    BpLink = 11,
}

/// Bits of a row: the address within the table, the [`Step`], the offset (signed, in words), and in how many words below the CFA
/// `rbp` (`x29`) is saved.
const STEP_SHIFT: u32 = 32;
pub(crate) const STEP_BITS: u32 = 4;
const OFFSET_SHIFT: u32 = STEP_SHIFT + STEP_BITS;
pub(crate) const OFFSET_BITS: u32 = 16;
/// Bits above the offset.
pub(crate) const SAVED_BITS: u32 = 64 - OFFSET_SHIFT - OFFSET_BITS;

/// A row of a table: from `start`, counted from the table's base, on, the caller's registers are found by `step`. `offset` and `saved` are
/// words of 8 bytes; `saved` is 0 when nothing has been saved, and at most 4095.
#[must_use]
pub fn row(start: u32, step: Step, offset: i16, saved: u16) -> u64 {
    let saved = u64::from(saved) << (64 - SAVED_BITS);
    let offset = u64::from(offset.cast_unsigned()) << OFFSET_SHIFT;
    u64::from(start) | u64::from(step as u8) << STEP_SHIFT | offset | saved
}

/// Where the frame that the kernel makes for a signal handler has the interrupted registers, in bytes from the stack pointer at the
/// handler's end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignalFrame {
    /// The frame pointer, where what is read of it starts.
    pub frame: u32,
    /// The register of the return address, if there is one.
    pub link: Option<u32>,
    /// The stack pointer.
    pub sp: u32,
    /// The instruction pointer, where what is read of it ends.
    pub ip: u32,
}

impl SignalFrame {
    /// The one of an architecture.
    pub fn of(arch: Arch) -> SignalFrame {
        match arch {
            // `struct rt_sigframe` without the return address (`arch/x86/include/uapi/asm/ucontext.h`).
            Arch::X86_64 => SignalFrame { frame: 120, link: None, sp: 160, ip: 168 },
            // 128 bytes of `siginfo`, 176 to `uc_mcontext`, there an address and `regs` (`arch/arm64/kernel/signal.c`,
            // `arch/arm64/include/uapi/asm/sigcontext.h`).
            Arch::Aarch64 => SignalFrame { frame: 544, link: Some(552), sp: 560, ip: 568 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_its_parts_apart() {
        assert_eq!(row(0x1234_5678, Step::Sp, 0, 0), 0x1_1234_5678);
        assert_eq!(row(1, Step::Bp, -1, 0), 0x000f_fff2_0000_0001);
        assert_eq!(row(0, Step::FramePointer, 0, 0xfff), 0xfff0_0000_0000_0000);
    }
}
