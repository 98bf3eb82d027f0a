//! Uprobes on AArch64: the rules of `arch/arm64/kernel/probes/decode-insn.c` (`arm_probe_decode_insn`, `aarch64_insn_is_steppable`)
//! with the encodings of `arch/arm64/include/asm/insn.h`.

use super::{Refusal, Treatment};
use crate::bytes;

/// Mask and value of the instructions that the kernel simulates.
const SIMULATED: [(u32, u32); 9] = [
    (0x7c00_0000, 0x1400_0000), // b, bl
    (0xff00_0010, 0x5400_0000), // b.cond
    (0x7e00_0000, 0x3400_0000), // cbz, cbnz
    (0x7e00_0000, 0x3600_0000), // tbz, tbnz
    (0xffff_fc1f, 0xd61f_0000), // br
    (0xffff_fc1f, 0xd63f_0000), // blr
    (0xffff_fc1f, 0xd65f_0000), // ret
    (0x1f00_0000, 0x1000_0000), // adr, adrp
    (0xffff_ffff, 0xd503_201f), // nop (since Linux 6.13; stepped before)
];

/// Mask and value of the instructions that it refuses, hints apart. Literal loads of floating-point registers are here too: the kernel does
/// not know them, and the copy that it steps would load from another place.
const REFUSED: [(u32, u32, Refusal); 10] = [
    (0xffff_0000, 0x0000_0000, Refusal::Invalid),    // udf
    (0xff00_0000, 0xd400_0000, Refusal::Interrupt),  // svc, hvc, smc, brk, hlt
    (0xfff8_f01f, 0xd500_401f, Refusal::Privileged), // msr (immediate)
    (0xfff0_0000, 0xd510_0000, Refusal::Privileged), // msr (register)
    (0xffff_ffe0, 0xd53b_4220, Refusal::Privileged), // mrs from DAIF
    (0xffff_ffff, 0xd69f_03e0, Refusal::Privileged), // eret
    (0xfe9f_f800, 0xd61f_0800, Refusal::Hint),       // braa, blraa, retaa and their like
    (0x3b00_0000, 0x1800_0000, Refusal::Literal),    // ldr, ldrsw, prfm (literal)
    (0x3f80_0000, 0x0800_0000, Refusal::Sequence),   // ldxr, stxr and their like
    (0x3b20_0c00, 0x1900_0400, Refusal::Sequence), // cpyp, setp and their like (since Linux 6.16; broken before)
];

/// Mask and value of hints. The kernel steps `nop`, `xpaclri`, the signing of pointers and `bti`.
const HINT: (u32, u32) = (0xffff_f01f, 0xd503_201f);
const STEPPED_HINTS: [u32; 12] = [0, 7, 8, 10, 24, 25, 26, 27, 32, 34, 36, 38];

/// Treatment of the first instruction of `code`.
pub(super) fn treatment(code: &[u8]) -> Treatment {
    let Some(word) = bytes::u32(code, 0) else { return Treatment::Refused(Refusal::Invalid) };
    let is = |mask: u32, value: u32| word & mask == value;
    if SIMULATED.iter().any(|(mask, value)| is(*mask, *value)) {
        return Treatment::Emulated;
    }
    if is(HINT.0, HINT.1) && !STEPPED_HINTS.contains(&(word >> 5 & 0x7f)) {
        return Treatment::Refused(Refusal::Hint);
    }
    let refused = REFUSED.iter().find(|(mask, value, _)| is(*mask, *value));
    refused.map_or(Treatment::SingleStepped, |(_, _, refusal)| Treatment::Refused(*refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        use Refusal::{Hint, Interrupt, Invalid, Literal, Privileged, Sequence};
        use Treatment::{Emulated, Refused, SingleStepped};
        for (word, expected) in [
            (0xd65f_03c0_u32, Emulated),        // ret
            (0xd65f_0360, Emulated),            // ret x27
            (0xd61f_0360, Emulated),            // br x27
            (0x5400_0109, Emulated),            // b.ls
            (0x9400_0001, Emulated),            // bl
            (0xb000_001b, Emulated),            // adrp x27
            (0xd503_201f, Emulated),            // nop
            (0xd503_245f, SingleStepped),       // bti c
            (0xd503_203f, Refused(Hint)),       // yield
            (0xd65f_0bff, Refused(Hint)),       // retaa
            (0xf81e_0ffe, SingleStepped),       // str x30,[sp,#-32]!
            (0xa9bf_7bfd, SingleStepped),       // stp x29,x30,[sp,#-16]!
            (0xd101_03f4, SingleStepped),       // sub x20,sp,#64
            (0xd53b_d040, SingleStepped),       // mrs x0,tpidr_el0
            (0xd51b_d040, Refused(Privileged)), // msr tpidr_el0,x0
            (0xd420_0000, Refused(Interrupt)),  // brk
            (0xd400_0001, Refused(Interrupt)),  // svc
            (0x0000_0000, Refused(Invalid)),    // udf
            (0x5800_0041, Refused(Literal)),    // ldr x1,+8
            (0x5c00_0040, Refused(Literal)),    // ldr d0,+8
            (0x9800_0041, Refused(Literal)),    // ldrsw x1,+8
            (0xc85f_7c20, Refused(Sequence)),   // ldxr x0,[x1]
            (0x1901_0440, Refused(Sequence)),   // cpyfp
            (0x08df_fc20, SingleStepped),       // ldarb
            (0xc8e0_7c20, SingleStepped),       // cas
        ] {
            assert_eq!(treatment(&word.to_le_bytes()), expected, "{word:#x}");
        }
        assert_eq!(treatment(&[0x1f, 0x20]), Refused(Invalid));
    }
}
