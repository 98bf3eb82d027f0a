//! Uprobes on x86-64: the rules of `arch/x86/kernel/uprobes.c`, `branch_setup_xol_ops` and `push_setup_xol_ops` for emulation,
//! `uprobe_init_insn` with its opcode bitmaps for refusal.

use super::{Refusal, Treatment};

/// Prefixes that the kernel refuses: ES, CS, SS, DS segments and LOCK.
const BAD_PREFIXES: [u8; 5] = [0x26, 0x2e, 0x36, 0x3e, 0xf0];
/// Prefixes that it accepts: operand and address size, FS, GS, REPNE, REP.
const GOOD_PREFIXES: [u8; 6] = [0x66, 0x67, 0x64, 0x65, 0xf2, 0xf3];

/// Treatment of the first instruction of `code`.
pub(super) fn treatment(code: &[u8]) -> Treatment {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
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
            assert_eq!(treatment(code), *expected, "{code:x?}");
        }
    }
}
