//! Instructions of AArch64: 32 bits each, of which few forms are of interest. Encodings are those of the Arm Architecture Reference Manual,
//! section C4.1.

use super::Flow;
use crate::go::abi::Abi;

/// The number that stands for SP or for the zero register, by the instruction.
const SP_OR_ZERO: u32 = 31;
/// Register that the assembler uses for itself.
const SCRATCH: u32 = 27;
/// Register of g.
const G: u32 = 28;

/// Whether a value that a register has at the entry of a function is of no use to anyone: scratch registers of the linker (x16, x17), of the
/// assembler (x27) and of the compiler (x19 to x25). With arguments on the stack all others are free too, but for the platform's
/// (x18), the closure's context (x26), g, frame pointer and link register.
fn is_free(register: u32, abi: Abi) -> bool {
    match abi {
        Abi::Registers => matches!(register, 16 | 17 | 19..=25 | 27),
        Abi::Stack => !matches!(register, 18 | 26 | G | 29..),
    }
}

/// See [`super::Insn::keeps_arguments`]: loads relative to g and SP, arithmetic and addresses into free registers, comparisons.
pub(super) fn keeps_arguments(word: u32, abi: Abi) -> bool {
    let (target, base) = (word & 0x1f, (word >> 5) & 0x1f);
    let free = is_free(target, abi);
    let is = |mask: u32, value: u32| word & mask == value;
    match word {
        // ldr x, [x, #imm]
        _ if is(0xffc0_0000, 0xf940_0000) => free && matches!(base, G | SP_OR_ZERO),
        // add, sub (immediate, shifted and extended register): without flags, register 31 may be SP.
        _ if is(0x1f00_0000, 0x1100_0000) || is(0x1f00_0000, 0x0b00_0000) => {
            let compares = target == SP_OR_ZERO && is(1 << 29, 1 << 29);
            free || compares
        }
        // movn, movz, movk; and, orr, eor (shifted register): register 31 is zero.
        _ if is(0x1f80_0000, 0x1280_0000) || is(0x1f00_0000, 0x0a00_0000) => free || target == SP_OR_ZERO,
        // and, orr, eor (immediate): register 31 is SP, but for the form that sets flags.
        _ if is(0x1f80_0000, 0x1200_0000) => free || (target == SP_OR_ZERO && is(3 << 29, 3 << 29)),
        // adr, adrp
        _ if is(0x1f00_0000, 0x1000_0000) => free,
        _ => false,
    }
}

/// Whether an instruction that keeps arguments sets the assembler's scratch register (`REGTMP` in `cmd/internal/obj/arm64` of the Go source,
/// whose `isRestartable` says what the runtime restarts).
pub(super) fn sets_scratch(word: u32) -> bool {
    word & 0x1f == SCRATCH
}

/// Offset of a load or store of general registers whose base is SP: single ones and pairs, without
/// write-back.
pub(super) fn stack_offset(word: u32) -> Option<i64> {
    if (word >> 5) & 0x1f != SP_OR_ZERO {
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

/// Where control goes after it.
pub(super) fn flow(word: u32, addr: u64) -> Flow {
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

    #[test]
    fn flow_kinds() {
        assert_eq!(flow(0x17ff_ffff, 0x1000), Flow::Jump(0xffc));
        assert_eq!(flow(0x5400_0049, 0x1000), Flow::Branch(0x1008)); // b.ls +8
        assert_eq!(flow(0x9400_0002, 0x1000), Flow::Call(0x1008));
        assert_eq!(flow(0xb400_0040, 0x1000), Flow::Branch(0x1008)); // cbz x0
        assert_eq!(flow(0xd65f_03c0, 0x1000), Flow::Return);
        assert_eq!(flow(0xd65f_0360, 0x1000), Flow::Return); // ret x27
        assert_eq!(flow(0xd503_201f, 0x1000), Flow::Next);
    }

    #[test]
    fn stack_offsets() {
        assert_eq!(stack_offset(0xf940_07e0), Some(8)); // ldr x0,[sp,#8]
        assert_eq!(stack_offset(0xa940_83e1), Some(8)); // ldp x1,x0,[sp,#8]
        assert_eq!(stack_offset(0xf940_0420), None); // ldr x0,[x1,#8]
    }

    #[test]
    fn arguments_kept() {
        for (word, registers, stack) in [
            (0xf940_0b90, true, true),   // ldr x16,[x28,#16]
            (0xf940_0b81, false, true),  // ldr x1,[x28,#16]
            (0xf940_0030, false, false), // ldr x16,[x1] may fault
            (0xd101_03f1, true, true),   // sub x17,sp,#64
            (0xeb30_63ff, true, true),   // cmp sp,x16
            (0xeb10_023f, true, true),   // cmp x17,x16
            (0x9100_03e2, false, true),  // mov x2,sp
            (0xd100_83ff, false, false), // sub sp,sp,#32
            (0xaa02_03e1, false, true),  // mov x1,x2
            (0xd280_011b, true, true),   // mov x27,#8
            (0x8b01_0000, false, true),  // add x0,x0,x1
            (0xf81e_0ffe, false, false), // str x30,[sp,#-32]!
            (0xaa00_03fd, false, false), // mov x29,x0
            (0xb27c_03fb, true, true),   // mov x27,#16, which is orr
            (0xb27c_03ff, false, false), // mov sp,#16
            (0xf27c_001f, true, true),   // tst x0,#16
            (0xb000_001b, true, true),   // adrp x27
            (0xb000_0000, false, true),  // adrp x0
        ] {
            assert_eq!(keeps_arguments(word, Abi::Registers), registers, "{word:#x}");
            assert_eq!(keeps_arguments(word, Abi::Stack), stack, "{word:#x}");
        }
    }
}
