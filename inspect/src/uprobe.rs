//! What the kernel does with a uprobe on a given instruction: emulate it, single-step a copy of it, or refuse
//! it. Used to choose probe sites of Go functions and to check sites that a script names itself.
//!
//! The rules are the kernel's for an architecture and stand in a module for each. An emulated instruction costs one trap instead of two.

mod aarch64;
mod x86_64;

use crate::elf::Arch;
use crate::go::code::{Flow, instructions};

/// Treatment of an instruction under a uprobe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Done by the kernel itself after the probe's program: cheap.
    Emulated,
    /// A copy is executed out of line, with a second trap.
    SingleStepped,
    /// Attaching fails (`ENOTSUPP`), and a multi-site link that contains the site fails as a whole.
    Refused(Refusal),
}

/// Why the kernel refuses an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `int3`, `int N`, `into`, `int1`: the kernel's own breakpoint cannot be told from them.
    #[error("software interrupt")]
    Interrupt,
    /// An AVX or AVX-512 instruction whose last opcode byte is one that the kernel's table of one-byte
    /// opcodes refuses: the kernel looks it up there although it means something else (`vmovdqu` has the byte
    /// of `outs`).
    #[error("vector instruction that the kernel takes for another")]
    Vector,
    /// A `lock` prefix, an old segment prefix, or a 16-bit branch.
    #[error("prefix")]
    Prefix,
    /// Input/output, halt, interrupt flag, loading SS.
    #[error("privileged instruction")]
    Privileged,
    /// A load from a place relative to the instruction, which a copy elsewhere would miss.
    #[error("load relative to the instruction")]
    Literal,
    /// An exclusive load or store, or one of the three instructions that copy or set memory: they work in sequences that a trap breaks.
    #[error("part of a sequence that must not be interrupted")]
    Sequence,
    /// A hint that waits, or that checks a pointer's signature.
    #[error("hint that the kernel does not step")]
    Hint,
    /// Not an instruction.
    #[error("not an instruction")]
    Invalid,
}

/// Treatment of the first instruction of `code`.
pub fn treatment(arch: Arch, code: &[u8]) -> Treatment {
    match arch {
        Arch::X86_64 => x86_64::treatment(code),
        Arch::Aarch64 => aarch64::treatment(code),
    }
}

/// Whether the first instruction of `code` is a plain return: on x86-64 one that takes the return address off the stack and
/// nothing else. Never on AArch64, where the kernel emulates returns.
pub fn is_stack_return(arch: Arch, code: &[u8]) -> bool {
    arch == Arch::X86_64 && instructions(arch, code, 0).next().is_some_and(|insn| insn.flow == Flow::Return)
}

/// Whether `vaddr` starts an instruction of the function whose `code` starts at `entry`: code is decoded from
/// the entry, and `None` is the answer when bytes before `vaddr` are no instructions.
pub fn is_boundary(arch: Arch, code: &[u8], entry: u64, vaddr: u64) -> Option<bool> {
    for insn in instructions(arch, code, entry) {
        if insn.addr >= vaddr {
            return Some(insn.addr == vaddr);
        }
        if insn.flow == Flow::Invalid {
            return None;
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns() {
        let of = |code: &[u8]| is_stack_return(Arch::X86_64, code);
        assert!(of(&[0xc3]) && of(&[0xc3, 0xcc]));
        // With a stack adjustment, far, from an interrupt, none at all.
        for code in [&[0xc2, 8, 0][..], &[0xcb], &[0xcf], &[0x48, 0xcf], &[0x55], &[]] {
            assert!(!of(code), "{code:x?}");
        }
        assert!(!is_stack_return(Arch::Aarch64, &0xd65f_03c0u32.to_le_bytes()));
    }

    #[test]
    fn boundaries() {
        // push %rbp; mov %rsp,%rbp; ret
        let code = [0x55, 0x48, 0x89, 0xe5, 0xc3];
        let at = |offset: u64| is_boundary(Arch::X86_64, &code, 0x1000, 0x1000 + offset);
        assert_eq!([at(0), at(1), at(2), at(4)], [Some(true), Some(true), Some(false), Some(true)]);
        assert_eq!(at(5), Some(false));
        assert_eq!(is_boundary(Arch::X86_64, &[0x06, 0x55], 0, 1), None);
    }
}
