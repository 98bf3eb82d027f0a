//! Machine code as the tracer needs to see it: where each instruction starts, where control goes after it,
//! and whether it leaves the arguments of the function alone. What an instruction of an architecture is, is
//! in the module of that architecture.

mod aarch64;
mod x86_64;

use iced_x86::{Decoder, DecoderOptions, Instruction};

use super::abi::Abi;
use crate::bytes;
use crate::elf::Arch;

/// Where control goes after an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// To the next instruction.
    Next,
    /// To `target`.
    Jump(u64),
    /// To `target` or to the next instruction.
    Branch(u64),
    /// To `target`, and back.
    Call(u64),
    /// To an address in a register or in memory, and back.
    CallIndirect,
    /// To an address from a table indexed by a register (a `switch`).
    JumpTable,
    /// To an address in a register or in memory.
    JumpIndirect,
    /// Back to the caller, by the plain return instruction.
    Return,
    /// Back by any other return (far, with stack adjustment, from interrupt): Go compilers emit none.
    OddReturn,
    /// Nowhere: breakpoint or undefined instruction.
    Trap,
    /// The bytes are no instruction.
    Invalid,
}

/// A decoded instruction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Insn {
    pub(crate) addr: u64,
    pub(crate) len: usize,
    pub(crate) flow: Flow,
    pub(crate) detail: Detail,
}

/// The instruction itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Detail {
    X86(Instruction),
    Arm(u32),
}

impl Insn {
    pub(crate) fn next_addr(&self) -> u64 {
        self.addr.wrapping_add(self.len as u64)
    }

    /// The target of a direct jump, branch or call.
    pub(crate) fn target(&self) -> Option<u64> {
        match self.flow {
            Flow::Jump(target) | Flow::Branch(target) | Flow::Call(target) => Some(target),
            _ => None,
        }
    }

    /// Whether it is `jbe`: the branch of a stack check.
    pub(crate) fn is_jbe(&self) -> bool {
        matches!(&self.detail, Detail::X86(i) if x86_64::is_jbe(i))
    }

    /// Whether it pushes a register: the first instruction of a frame since Go 1.21.
    pub(crate) fn is_push_register(&self) -> bool {
        matches!(&self.detail, Detail::X86(i) if x86_64::is_push_register(i))
    }

    /// Whether after it SP, the argument registers and all memory are as before, and it cannot fault: an
    /// instruction that may stand between the entry of a function and a probe of its entry. Knows the
    /// instructions that stack checks and the starts of small functions are made of; `false` for all others.
    pub(crate) fn keeps_arguments(&self, abi: Abi) -> bool {
        match &self.detail {
            Detail::X86(i) => x86_64::keeps_arguments(i, abi),
            Detail::Arm(word) => aarch64::keeps_arguments(*word, abi),
        }
    }

    /// Whether it sets the register that the assembler uses for what the compiler takes for one instruction and the processor needs several
    /// for (x27 on arm64). The runtime restarts such a sequence when it has preempted a goroutine within it.
    pub(crate) fn starts_restart(&self) -> bool {
        matches!(&self.detail, Detail::Arm(word) if aarch64::sets_scratch(*word))
    }

    /// Distance from SP of the memory that it reads or writes, when that is addressed by SP and a constant.
    pub(crate) fn stack_offset(&self) -> Option<i64> {
        match &self.detail {
            Detail::X86(i) => x86_64::stack_offset(i),
            Detail::Arm(word) => aarch64::stack_offset(*word),
        }
    }

    /// Whether it reads thread-local storage into the register that holds g: only functions with stack
    /// arguments do.
    pub(crate) fn loads_g(&self) -> bool {
        matches!(&self.detail, Detail::X86(i) if x86_64::loads_g(i))
    }
}

/// Decodes `code`, which starts at address `entry`. The iteration ends after the last whole instruction, or
/// with an [`Flow::Invalid`] item.
pub(crate) fn instructions(arch: Arch, code: &[u8], entry: u64) -> Instructions<'_> {
    match arch {
        Arch::X86_64 => Instructions::X86(Box::new(Decoder::with_ip(64, code, entry, DecoderOptions::NONE))),
        Arch::Aarch64 => Instructions::Arm { code, at: 0, entry },
    }
}

/// See [`instructions`].
pub(crate) enum Instructions<'a> {
    X86(Box<Decoder<'a>>),
    Arm { code: &'a [u8], at: usize, entry: u64 },
    Ended,
}

impl Iterator for Instructions<'_> {
    type Item = Insn;

    fn next(&mut self) -> Option<Insn> {
        let insn = match self {
            Instructions::Ended => return None,
            Instructions::X86(decoder) => {
                if !decoder.can_decode() {
                    return None;
                }
                let instruction = decoder.decode();
                Insn {
                    addr: instruction.ip(),
                    len: instruction.len(),
                    flow: x86_64::flow(&instruction),
                    detail: Detail::X86(instruction),
                }
            }
            Instructions::Arm { code, at, entry } => {
                let word = bytes::u32(code, *at)?;
                let addr = entry.wrapping_add(*at as u64);
                *at += 4;
                Insn { addr, len: 4, flow: aarch64::flow(word, addr), detail: Detail::Arm(word) }
            }
        };
        if insn.flow == Flow::Invalid {
            *self = Instructions::Ended;
        }
        Some(insn)
    }
}
