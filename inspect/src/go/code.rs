//! Machine code as the tracer needs to see it: where each instruction starts, where control goes after it,
//! and whether it leaves the arguments of the function alone. Decoding of x86-64 is iced-x86's; AArch64 has
//! few forms of interest and fixed width.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

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
        matches!(&self.detail, Detail::X86(i) if i.mnemonic() == Mnemonic::Jbe)
    }

    /// Whether it pushes a register: the first instruction of a frame since Go 1.21.
    pub(crate) fn is_push_register(&self) -> bool {
        matches!(&self.detail, Detail::X86(i) if i.mnemonic() == Mnemonic::Push && i.op0_kind() == OpKind::Register)
    }

    /// Whether after it SP, the argument registers and all memory are as before, and it cannot fault: an
    /// instruction that may stand between the entry of a function and a probe of its entry. Knows the
    /// instructions that stack checks and the starts of small functions are made of; `false` for all others.
    pub(crate) fn keeps_arguments(&self, abi: Abi) -> bool {
        match &self.detail {
            Detail::X86(i) => x86_keeps_arguments(i, abi),
            Detail::Arm(word) => arm_keeps_arguments(*word),
        }
    }

    /// Distance from SP of the memory that it reads or writes, when that is addressed by SP and a constant.
    pub(crate) fn stack_offset(&self) -> Option<i64> {
        match &self.detail {
            Detail::X86(i) => {
                let by_sp = i.memory_base() == Register::RSP && i.memory_index() == Register::None;
                let memory = (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Memory);
                (by_sp && memory).then(|| i.memory_displacement64().cast_signed())
            }
            Detail::Arm(word) => arm_stack_offset(*word),
        }
    }

    /// Whether it reads thread-local storage into the register that holds g: only functions with stack
    /// arguments do.
    pub(crate) fn loads_g(&self) -> bool {
        match &self.detail {
            Detail::X86(i) => {
                i.mnemonic() == Mnemonic::Mov
                    && i.op0_register() == Register::R14
                    && i.segment_prefix() == Register::FS
            }
            Detail::Arm(_) => false,
        }
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
                    flow: x86_flow(&instruction),
                    detail: Detail::X86(instruction),
                }
            }
            Instructions::Arm { code, at, entry } => {
                let word = bytes::u32(code, *at)?;
                let addr = entry.wrapping_add(*at as u64);
                *at += 4;
                Insn { addr, len: 4, flow: arm_flow(word, addr), detail: Detail::Arm(word) }
            }
        };
        if insn.flow == Flow::Invalid {
            *self = Instructions::Ended;
        }
        Some(insn)
    }
}

fn x86_flow(i: &Instruction) -> Flow {
    if i.is_invalid() {
        return Flow::Invalid;
    }
    let direct = i.op0_kind() == OpKind::NearBranch64;
    match i.mnemonic() {
        Mnemonic::Ret if i.op_count() == 0 => Flow::Return,
        Mnemonic::Ret | Mnemonic::Retf | Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq => {
            Flow::OddReturn
        }
        Mnemonic::Int3 | Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2 | Mnemonic::Hlt => Flow::Trap,
        Mnemonic::Jmp if direct => Flow::Jump(i.near_branch_target()),
        Mnemonic::Jmp if i.op0_kind() == OpKind::Memory && i.memory_index() != Register::None => {
            Flow::JumpTable
        }
        Mnemonic::Jmp => Flow::JumpIndirect,
        Mnemonic::Call if direct => Flow::Call(i.near_branch_target()),
        Mnemonic::Call => Flow::CallIndirect,
        // Everything else with a near target is conditional: jcc, jrcxz, loop. (xbegin has one too, and may
        // go there.)
        _ if direct => Flow::Branch(i.near_branch_target()),
        _ => Flow::Next,
    }
}

/// Registers that carry nothing into a function of the register ABI: scratch, g itself (reloaded with the
/// same value), and the one that holds zero by convention.
const X86_SCRATCH: [Register; 8] = [
    Register::R12,
    Register::R12D,
    Register::R13,
    Register::R13D,
    Register::R14,
    Register::R15,
    Register::R15D,
    Register::XMM15,
];

/// Registers that a function of the stack ABI must leave alone: SP, the frame pointer and the closure
/// context.
const X86_STACK_KEPT: [Register; 13] = [
    Register::RSP,
    Register::ESP,
    Register::SP,
    Register::SPL,
    Register::RBP,
    Register::EBP,
    Register::BP,
    Register::BPL,
    Register::RDX,
    Register::EDX,
    Register::DX,
    Register::DL,
    Register::DH,
];

fn x86_keeps_arguments(i: &Instruction, abi: Abi) -> bool {
    // Memory operands: the stack itself and g are always mapped, a TLS read too; anything else may fault.
    let reads_safely = (0..i.op_count()).all(|n| i.op_kind(n) != OpKind::Memory)
        || i.mnemonic() == Mnemonic::Lea
        || matches!(i.memory_base(), Register::RSP | Register::R14)
        || i.memory_base() == Register::RIP
        || i.segment_prefix() == Register::FS
        // The stack check before Go 1.17 keeps g in RCX.
        || (abi == Abi::Stack && i.memory_base() == Register::RCX);
    match i.mnemonic() {
        // Only flags change.
        Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Nop => reads_safely,
        Mnemonic::Mov | Mnemonic::Lea | Mnemonic::Sub | Mnemonic::Xorps => {
            if i.op0_kind() != OpKind::Register || !reads_safely {
                return false;
            }
            match abi {
                Abi::Registers => X86_SCRATCH.contains(&i.op0_register()),
                Abi::Stack => !X86_STACK_KEPT.contains(&i.op0_register()),
            }
        }
        _ => false,
    }
}

const ARM_SCRATCH: [u32; 3] = [16, 17, 27];

/// Loads and arithmetic into x16, x17 or x27 (x1 and x2 before Go 1.18), compares and branches: what stack
/// checks are made of.
fn arm_keeps_arguments(word: u32) -> bool {
    let target = word & 0x1f;
    let scratch = ARM_SCRATCH.contains(&target) || matches!(target, 1 | 2 | 31);
    let load = word & 0xffc0_0000 == 0xf940_0000;
    let arithmetic = word & 0x1f00_0000 == 0x1100_0000 || word & 0x1f00_0000 == 0x0b00_0000;
    let wide_move = word & 0x1f80_0000 == 0x1280_0000;
    let logical = word & 0x1f00_0000 == 0x0a00_0000;
    scratch && (load || arithmetic || wide_move || logical)
}

/// Offset of a load or store of general registers whose base is SP: single ones and pairs, without
/// write-back.
fn arm_stack_offset(word: u32) -> Option<i64> {
    const SP: u32 = 31;
    if (word >> 5) & 0x1f != SP {
        return None;
    }
    if word & 0x3b00_0000 == 0x3900_0000 {
        let scale = word >> 30;
        return Some(i64::from(((word >> 10) & 0xfff) << scale));
    }
    if word & 0x3b80_0000 == 0x2900_0000 {
        let scale = 2 + (word >> 31);
        let signed = ((word << 10).cast_signed() >> 25) << scale;
        return Some(i64::from(signed));
    }
    None
}

fn arm_flow(word: u32, addr: u64) -> Flow {
    /// A signed immediate of `bits` bits at bit `at`, in instructions, added to the address.
    fn relative(word: u32, at: u32, bits: u32, addr: u64) -> u64 {
        let shifted = (word << (32 - at - bits)).cast_signed() >> (32 - bits);
        addr.wrapping_add((i64::from(shifted) * 4).cast_unsigned())
    }
    match word {
        _ if word & 0xfc00_0000 == 0x1400_0000 => Flow::Jump(relative(word, 0, 26, addr)),
        _ if word & 0xfc00_0000 == 0x9400_0000 => Flow::Call(relative(word, 0, 26, addr)),
        _ if word & 0xff00_0010 == 0x5400_0000 => Flow::Branch(relative(word, 5, 19, addr)),
        _ if word & 0x7e00_0000 == 0x3400_0000 => Flow::Branch(relative(word, 5, 19, addr)),
        _ if word & 0x7e00_0000 == 0x3600_0000 => Flow::Branch(relative(word, 5, 14, addr)),
        _ if word & 0xffff_fc1f == 0xd65f_0000 => Flow::Return,
        // Go uses x27 for jump tables; the same register serves tail calls of assembly.
        _ if word & 0xffff_fc1f == 0xd61f_0000 && (word >> 5) & 0x1f == 27 => Flow::JumpTable,
        _ if word & 0xffff_fc1f == 0xd61f_0000 => Flow::JumpIndirect,
        _ if word & 0xffff_fc1f == 0xd63f_0000 => Flow::CallIndirect,
        _ if word & 0xff00_0000 == 0xd400_0000 && word & 3 == 0 => Flow::Trap,
        _ if word >> 16 == 0 => Flow::Trap,
        _ => Flow::Next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flows(code: &[u8]) -> Vec<Flow> {
        instructions(Arch::X86_64, code, 0x1000).map(|i| i.flow).collect()
    }

    #[test]
    fn x86_flow_kinds() {
        assert_eq!(
            flows(&[0x76, 0x02, 0xeb, 0xfc, 0xc3]),
            [Flow::Branch(0x1004), Flow::Jump(0x1000), Flow::Return]
        );
        assert_eq!(flows(&[0xe8, 0, 0, 0, 0]), [Flow::Call(0x1005)]);
        assert_eq!(flows(&[0xff, 0x24, 0xc8]), [Flow::JumpTable]); // jmp *(%rax,%rcx,8)
        assert_eq!(flows(&[0xff, 0xe0]), [Flow::JumpIndirect]);
        assert_eq!(flows(&[0xca, 0x56, 0xa9]), [Flow::OddReturn]); // retf 0xa956
        assert_eq!(flows(&[0xc2, 8, 0]), [Flow::OddReturn]);
        assert_eq!(flows(&[0xcc, 0x0f, 0x0b]), [Flow::Trap, Flow::Trap]);
        assert_eq!(flows(&[0x90, 0x06, 0x90]), [Flow::Next, Flow::Invalid]);
    }

    #[test]
    fn arm_flow_kinds() {
        assert_eq!(arm_flow(0x17ff_ffff, 0x1000), Flow::Jump(0xffc));
        assert_eq!(arm_flow(0x5400_0049, 0x1000), Flow::Branch(0x1008)); // b.ls +8
        assert_eq!(arm_flow(0x9400_0002, 0x1000), Flow::Call(0x1008));
        assert_eq!(arm_flow(0xb400_0040, 0x1000), Flow::Branch(0x1008)); // cbz x0
        assert_eq!(arm_flow(0xd65f_03c0, 0x1000), Flow::Return);
        assert_eq!(arm_flow(0xd65f_0360, 0x1000), Flow::Return); // ret x27
        assert_eq!(arm_flow(0xd503_201f, 0x1000), Flow::Next);
    }

    #[test]
    fn stack_offsets() {
        let x86 = |code: &[u8]| instructions(Arch::X86_64, code, 0).next().and_then(|i| i.stack_offset());
        assert_eq!(x86(&[0x48, 0x8b, 0x44, 0x24, 0x08]), Some(8)); // mov 8(%rsp),%rax
        assert_eq!(x86(&[0x48, 0x8b, 0x44, 0x24, 0xf8]), Some(-8));
        assert_eq!(x86(&[0x48, 0x8b, 0x40, 0x08]), None); // mov 8(%rax),%rax
        assert_eq!(x86(&[0x54]), None); // push %rsp
        assert_eq!(arm_stack_offset(0xf940_07e0), Some(8)); // ldr x0,[sp,#8]
        assert_eq!(arm_stack_offset(0xa940_83e1), Some(8)); // ldp x1,x0,[sp,#8]
        assert_eq!(arm_stack_offset(0xf940_0420), None); // ldr x0,[x1,#8]
    }

    #[test]
    fn arguments_kept() {
        let first =
            |code: &[u8], abi| instructions(Arch::X86_64, code, 0).next().map(|i| i.keeps_arguments(abi));
        let registers = |code: &[u8]| first(code, Abi::Registers);
        assert_eq!(registers(&[0x49, 0x3b, 0x66, 0x10]), Some(true)); // cmp 0x10(%r14),%rsp
        assert_eq!(registers(&[0x4c, 0x8d, 0x64, 0x24, 0xf8]), Some(true)); // lea -8(%rsp),%r12
        assert_eq!(registers(&[0x48, 0x85, 0xc0]), Some(true)); // test %rax,%rax
        assert_eq!(registers(&[0x48, 0x83, 0xec, 0x18]), Some(false)); // sub $0x18,%rsp
        assert_eq!(registers(&[0x31, 0xc0]), Some(false)); // xor %eax,%eax
        assert_eq!(registers(&[0x48, 0x89, 0xd8]), Some(false)); // mov %rbx,%rax
        assert_eq!(registers(&[0x48, 0x83, 0x38, 0x00]), Some(false)); // cmpq $0,(%rax) may fault
        assert_eq!(first(&[0x48, 0x8b, 0x44, 0x24, 0x08], Abi::Stack), Some(true)); // mov 8(%rsp),%rax
        assert_eq!(registers(&[0x48, 0x8b, 0x44, 0x24, 0x08]), Some(false));
    }
}
