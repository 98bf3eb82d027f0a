//! What the kernel does with a uprobe on a given instruction: emulate it, single-step a copy of it, or refuse
//! it. Used to choose probe sites of Go functions and to check sites that a script names itself.
//!
//! On x86-64 the rules are those of `arch/x86/kernel/uprobes.c`: `branch_setup_xol_ops` and
//! `push_setup_xol_ops` for emulation, `uprobe_init_insn` with its opcode bitmaps for refusal. On AArch64
//! they are those of `arch/arm64/kernel/probes/decode-insn.c`. An emulated instruction costs one trap instead
//! of two.

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
    /// Not an instruction.
    #[error("not an instruction")]
    Invalid,
}

/// Treatment of the first instruction of `code`.
pub fn treatment(arch: Arch, code: &[u8]) -> Treatment {
    match arch {
        Arch::X86_64 => x86_64(code),
        Arch::Aarch64 => aarch64(code),
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

/// Prefixes that the kernel refuses: ES, CS, SS, DS segments and LOCK.
const BAD_PREFIXES: [u8; 5] = [0x26, 0x2e, 0x36, 0x3e, 0xf0];
/// Prefixes that it accepts: operand and address size, FS, GS, REPNE, REP.
const GOOD_PREFIXES: [u8; 6] = [0x66, 0x67, 0x64, 0x65, 0xf2, 0xf3];

fn x86_64(code: &[u8]) -> Treatment {
    let prefixes = code.iter().take_while(|b| BAD_PREFIXES.contains(b) || GOOD_PREFIXES.contains(b)).count();
    let (prefix, rest) = code.split_at(prefixes);
    let (rex, rest) = match rest {
        [rex @ 0x40..=0x4f, rest @ ..] => (Some(*rex), rest),
        _ => (None, rest),
    };
    if prefix.iter().any(|b| BAD_PREFIXES.contains(b)) {
        return Treatment::Refused(Refusal::Prefix);
    }
    // VEX and EVEX prefixes: the opcode is the byte after them.
    let vector_opcode = match rest {
        [0xc5, _, opcode, ..] | [0xc4, _, _, opcode, ..] | [0x62, _, _, _, opcode, ..] => Some(*opcode),
        _ => None,
    };
    if let Some(opcode) = vector_opcode {
        let refused = refused_opcode(opcode).is_some();
        return if refused { Treatment::Refused(Refusal::Vector) } else { Treatment::SingleStepped };
    }
    let plain = prefix.is_empty() && rex.is_none();
    match rest {
        // push reg, with REX.B at most.
        [0x50..=0x57, ..] if prefix.is_empty() && matches!(rex, None | Some(0x41)) => Treatment::Emulated,
        [0x90 | 0xe8 | 0xe9 | 0xeb | 0x70..=0x7f, ..] | [0x0f, 0x80..=0x8f, ..] if plain => {
            Treatment::Emulated
        }
        [0xe8 | 0xe9 | 0xeb | 0x70..=0x7f, ..] | [0x0f, 0x80..=0x8f, ..] if prefix.contains(&0x66) => {
            Treatment::Refused(Refusal::Prefix)
        }
        // mov %…,%ss: the kernel does not step an instruction that holds back interrupts.
        [0x8e, modrm, ..] if modrm >> 3 & 7 == 2 => Treatment::Refused(Refusal::Privileged),
        [opcode, ..] => refused_opcode(*opcode).map_or(Treatment::SingleStepped, Treatment::Refused),
        [] => Treatment::Refused(Refusal::Invalid),
    }
}

/// The zeros of the kernel's table of one-byte opcodes in 64-bit mode (`good_insns_64`), as found by
/// attaching a probe to each on Linux 6.18; opcodes after 0x0f are all accepted.
fn refused_opcode(opcode: u8) -> Option<Refusal> {
    match opcode {
        0xcc | 0xcd | 0xce | 0xf1 => Some(Refusal::Interrupt),
        0x6c..=0x6f | 0xe4..=0xe7 | 0xec..=0xef | 0xcf | 0xf4 | 0xfa | 0xfb => Some(Refusal::Privileged),
        // Opcodes that 64-bit mode does not have.
        0x06
        | 0x07
        | 0x0e
        | 0x16
        | 0x17
        | 0x1e
        | 0x1f
        | 0x27
        | 0x2f
        | 0x37
        | 0x3f
        | 0x60..=0x62
        | 0x82
        | 0x9a => Some(Refusal::Invalid),
        0xd4..=0xd6 | 0xea => Some(Refusal::Invalid),
        _ => None,
    }
}

/// Masks and values of the instructions that the kernel simulates: branches, `adr`, literal loads, `nop` and
/// `ret`.
const AARCH64_SIMULATED: [(u32, u32); 10] = [
    (0x7c00_0000, 0x1400_0000), // b, bl
    (0xff00_0010, 0x5400_0000), // b.cond
    (0x7e00_0000, 0x3400_0000), // cbz, cbnz
    (0x7e00_0000, 0x3600_0000), // tbz, tbnz
    (0xffff_fc1f, 0xd61f_0000), // br
    (0xffff_fc1f, 0xd63f_0000), // blr
    (0xffff_fc1f, 0xd65f_0000), // ret
    (0x1f00_0000, 0x1000_0000), // adr, adrp
    (0xbf00_0000, 0x1800_0000), // ldr (literal)
    (0xffff_ffff, 0xd503_201f), // nop
];

fn aarch64(code: &[u8]) -> Treatment {
    let Some(word) = crate::bytes::u32(code, 0) else { return Treatment::Refused(Refusal::Invalid) };
    if AARCH64_SIMULATED.iter().any(|(mask, value)| word & mask == *value) {
        return Treatment::Emulated;
    }
    match word {
        // udf, brk and the other exception generating instructions; exclusive loads and stores break under a
        // single step.
        _ if word >> 16 == 0 => Treatment::Refused(Refusal::Invalid),
        _ if word & 0xff00_0000 == 0xd400_0000 => Treatment::Refused(Refusal::Interrupt),
        _ if word & 0x3f80_0000 == 0x0800_0000 => Treatment::Refused(Refusal::Privileged),
        _ => Treatment::SingleStepped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x86_table() {
        use Refusal::{Interrupt, Invalid, Prefix, Privileged, Vector};
        use Treatment::{Emulated, Refused, SingleStepped};
        let cases: &[(&[u8], Treatment)] = &[
            (&[0x55], Emulated),                                      // push %rbp
            (&[0x41, 0x54], Emulated),                                // push %r12
            (&[0x66, 0x55], SingleStepped),                           // push %bp
            (&[0x90], Emulated),                                      // nop
            (&[0x41, 0x90], SingleStepped),                           // xchg %r8,%rax
            (&[0x76, 0x10], Emulated),                                // jbe
            (&[0x0f, 0x86, 1, 0, 0, 0], Emulated),                    // jbe
            (&[0xe8, 0, 0, 0, 0], Emulated),                          // call
            (&[0xff, 0xe0], SingleStepped),                           // jmp *%rax
            (&[0xc3], SingleStepped),                                 // ret
            (&[0x48, 0x83, 0xec, 0x18], SingleStepped),               // sub $0x18,%rsp
            (&[0x64, 0x4c, 0x8b, 0x34, 0x25], SingleStepped),         // mov %fs:…,%r14
            (&[0x0f, 0x1f, 0x00], SingleStepped),                     // nopl (%rax)
            (&[0xcc], Refused(Interrupt)),                            // int3
            (&[0xcd, 3], Refused(Interrupt)),                         // int 3
            (&[0x62, 0xf1, 0xfe, 0x48, 0x6f, 0x06], Refused(Vector)), // vmovdqu64 (%rsi),%zmm0
            (&[0x62, 0xf1, 0x7c, 0x48, 0x10, 0x06], SingleStepped),   // vmovups (%rsi),%zmm0
            (&[0xc5, 0xfd, 0x6f, 0x06], Refused(Vector)),             // vmovdqa (%rsi),%ymm0
            (&[0xc5, 0xf8, 0x77], SingleStepped),                     // vzeroupper
            (&[0x66, 0x0f, 0x6f, 0x06], SingleStepped),               // movdqa (%rsi),%xmm0
            (&[0x66, 0xe8, 0, 0], Refused(Prefix)),                   // callw
            (&[0x2e, 0x76, 0x10], Refused(Prefix)),                   // jbe,pn
            (&[0x8e, 0xd0], Refused(Privileged)),                     // mov %eax,%ss
            (&[0x0f, 0x05], SingleStepped),                           // syscall
            (&[0xf0, 0x48, 0x0f, 0xb1, 0x0f], Refused(Prefix)),       // lock cmpxchg
            (&[0xf4], Refused(Privileged)),                           // hlt
            (&[0x06], Refused(Invalid)),
            (&[], Refused(Invalid)),
            (&[0x48], Refused(Invalid)),
        ];
        for (code, expected) in cases {
            assert_eq!(treatment(Arch::X86_64, code), *expected, "{code:x?}");
        }
    }

    #[test]
    fn aarch64_table() {
        let of = |word: u32| treatment(Arch::Aarch64, &word.to_le_bytes());
        assert_eq!(of(0xd65f_03c0), Treatment::Emulated); // ret
        assert_eq!(of(0x5400_0109), Treatment::Emulated); // b.ls
        assert_eq!(of(0x9400_0001), Treatment::Emulated); // bl
        assert_eq!(of(0xf81e_0ffe), Treatment::SingleStepped); // str x30,[sp,#-32]!
        assert_eq!(of(0xd420_0000), Treatment::Refused(Refusal::Interrupt)); // brk
        assert_eq!(of(0x0000_0000), Treatment::Refused(Refusal::Invalid)); // udf
        assert_eq!(of(0xc85f_7c20), Treatment::Refused(Refusal::Privileged)); // ldxr
    }

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
