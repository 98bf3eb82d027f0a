//! Instructions of x86-64, decoded by iced-x86.

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use super::Flow;
use crate::go::abi::Abi;

/// Where control goes after it.
pub(super) fn flow(i: &Instruction) -> Flow {
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
const SCRATCH: [Register; 8] = [
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
const STACK_KEPT: [Register; 13] = [
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

/// See [`super::Insn::keeps_arguments`].
pub(super) fn keeps_arguments(i: &Instruction, abi: Abi) -> bool {
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
                Abi::Registers => SCRATCH.contains(&i.op0_register()),
                Abi::Stack => !STACK_KEPT.contains(&i.op0_register()),
            }
        }
        _ => false,
    }
}

/// Whether it is `jbe`.
pub(super) fn is_jbe(i: &Instruction) -> bool {
    i.mnemonic() == Mnemonic::Jbe
}

/// Whether it is `push` of a register.
pub(super) fn is_push_register(i: &Instruction) -> bool {
    i.mnemonic() == Mnemonic::Push && i.op0_kind() == OpKind::Register
}

/// Whether it reads thread-local storage into R14.
pub(super) fn loads_g(i: &Instruction) -> bool {
    i.mnemonic() == Mnemonic::Mov && i.op0_register() == Register::R14 && i.segment_prefix() == Register::FS
}

/// See [`super::Insn::stack_offset`].
pub(super) fn stack_offset(i: &Instruction) -> Option<i64> {
    let by_sp = i.memory_base() == Register::RSP && i.memory_index() == Register::None;
    let memory = (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Memory);
    (by_sp && memory).then(|| i.memory_displacement64().cast_signed())
}

#[cfg(test)]
mod tests {
    use super::super::instructions;
    use super::*;
    use crate::elf::Arch;

    fn flows(code: &[u8]) -> Vec<Flow> {
        instructions(Arch::X86_64, code, 0x1000).map(|i| i.flow).collect()
    }

    #[test]
    fn flow_kinds() {
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
    fn stack_offsets() {
        let x86 = |code: &[u8]| instructions(Arch::X86_64, code, 0).next().and_then(|i| i.stack_offset());
        assert_eq!(x86(&[0x48, 0x8b, 0x44, 0x24, 0x08]), Some(8)); // mov 8(%rsp),%rax
        assert_eq!(x86(&[0x48, 0x8b, 0x44, 0x24, 0xf8]), Some(-8));
        assert_eq!(x86(&[0x48, 0x8b, 0x40, 0x08]), None); // mov 8(%rax),%rax
        assert_eq!(x86(&[0x54]), None); // push %rsp
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
