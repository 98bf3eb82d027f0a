//! eBPF instructions as the kernel takes them (Documentation/bpf/standardization/instruction-set.rst), cpu version 3.

use std::fmt;

/// A BPF register.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Reg(pub u8);

/// Return value; scratch.
pub const R0: Reg = Reg(0);
/// First argument; the context at entry.
pub const R1: Reg = Reg(1);
/// Second argument.
pub const R2: Reg = Reg(2);
/// Third argument.
pub const R3: Reg = Reg(3);
/// Fourth argument.
pub const R4: Reg = Reg(4);
/// Fifth argument.
pub const R5: Reg = Reg(5);
/// Survives calls.
pub const R6: Reg = Reg(6);
/// Survives calls.
pub const R7: Reg = Reg(7);
/// Survives calls.
pub const R8: Reg = Reg(8);
/// Survives calls.
pub const R9: Reg = Reg(9);
/// Frame pointer, read-only.
pub const R10: Reg = Reg(10);

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// Width of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Width {
    /// 1 byte
    B,
    /// 2 bytes
    H,
    /// 4 bytes
    W,
    /// 8 bytes
    D,
}

impl Width {
    /// Width of that many bytes (1, 2, 4, 8).
    #[must_use]
    pub fn of(bytes: u32) -> Option<Width> {
        Some(match bytes {
            1 => Width::B,
            2 => Width::H,
            4 => Width::W,
            8 => Width::D,
            _ => return None,
        })
    }

    /// Bytes.
    #[must_use]
    pub fn bytes(self) -> u32 {
        1 << self as u32
    }

    fn code(self) -> u8 {
        match self {
            Width::W => 0x00,
            Width::H => 0x08,
            Width::B => 0x10,
            Width::D => 0x18,
        }
    }
}

/// Arithmetic operations; the discriminant is the operation code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum AluOp {
    /// `+`
    Add = 0x00,
    /// `-`
    Sub = 0x10,
    /// `*`
    Mul = 0x20,
    /// unsigned `/`, 0 by 0
    Div = 0x30,
    /// `|`
    Or = 0x40,
    /// `&`
    And = 0x50,
    /// `<<`, count taken modulo 64
    Lsh = 0x60,
    /// logical `>>`
    Rsh = 0x70,
    /// unsigned `%`, the dividend by 0
    Mod = 0x90,
    /// `^`
    Xor = 0xa0,
    /// arithmetic `>>`
    Arsh = 0xc0,
}

/// Conditions of jumps; the discriminant is the operation code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Cond {
    /// `==`
    Eq = 0x10,
    /// unsigned `>`
    Gt = 0x20,
    /// unsigned `>=`
    Ge = 0x30,
    /// `a & b != 0`
    Set = 0x40,
    /// `!=`
    Ne = 0x50,
    /// signed `>`
    Sgt = 0x60,
    /// signed `>=`
    Sge = 0x70,
    /// unsigned `<`
    Lt = 0xa0,
    /// unsigned `<=`
    Le = 0xb0,
    /// signed `<`
    Slt = 0xc0,
    /// signed `<=`
    Sle = 0xd0,
}

impl Cond {
    /// The opposite condition; there is none for [`Cond::Set`].
    #[must_use]
    pub fn negate(self) -> Option<Cond> {
        Some(match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::Gt => Cond::Le,
            Cond::Le => Cond::Gt,
            Cond::Ge => Cond::Lt,
            Cond::Lt => Cond::Ge,
            Cond::Sgt => Cond::Sle,
            Cond::Sle => Cond::Sgt,
            Cond::Sge => Cond::Slt,
            Cond::Slt => Cond::Sge,
            Cond::Set => return None,
        })
    }

    /// Whether the condition holds for two values.
    #[must_use]
    pub fn holds(self, a: u64, b: u64) -> bool {
        let (sa, sb) = (a as i64, b as i64);
        match self {
            Cond::Eq => a == b,
            Cond::Ne => a != b,
            Cond::Gt => a > b,
            Cond::Ge => a >= b,
            Cond::Lt => a < b,
            Cond::Le => a <= b,
            Cond::Set => a & b != 0,
            Cond::Sgt => sa > sb,
            Cond::Sge => sa >= sb,
            Cond::Slt => sa < sb,
            Cond::Sle => sa <= sb,
        }
    }
}

/// Atomic operations; the discriminant is the immediate (`BPF_FETCH` is 1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
pub enum AtomicOp {
    /// `*p += v`
    Add = 0x00,
    /// `v = *p; *p += v`
    FetchAdd = 0x01,
    /// `swap(*p, v)`
    Xchg = 0xe1,
    /// `if *p == r0 { *p = v }; r0 = old *p`
    CmpXchg = 0xf1,
}

/// One 8-byte instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Insn {
    /// Operation code.
    pub code: u8,
    /// Destination register.
    pub dst: u8,
    /// Source register, or the kind of a pseudo instruction.
    pub src: u8,
    /// Jump or memory offset.
    pub off: i16,
    /// Immediate.
    pub imm: i32,
}

/// `BPF_PSEUDO_MAP_FD`: the immediate of an `ld_imm64` is a map's file descriptor.
pub const PSEUDO_MAP_FD: u8 = 1;

/// `BPF_JMP | BPF_JCOND`
const MAY_GOTO: u8 = 0xe5;
const ALU64: u8 = 0x07;
const ALU32: u8 = 0x04;
const SRC_REG: u8 = 0x08;

impl Insn {
    const fn new(code: u8, dst: Reg, src: Reg, off: i16, imm: i32) -> Insn {
        Insn { code, dst: dst.0, src: src.0, off, imm }
    }

    /// `dst = src`
    #[must_use]
    pub const fn mov(dst: Reg, src: Reg) -> Insn {
        Insn::new(0xb0 | ALU64 | SRC_REG, dst, src, 0, 0)
    }

    /// `dst = (u32)src`
    #[must_use]
    pub const fn mov32(dst: Reg, src: Reg) -> Insn {
        Insn::new(0xb0 | ALU32 | SRC_REG, dst, src, 0, 0)
    }

    /// `dst = imm`, sign-extended.
    #[must_use]
    pub const fn mov_imm(dst: Reg, imm: i32) -> Insn {
        Insn::new(0xb0 | ALU64, dst, R0, 0, imm)
    }

    /// `dst = (u64)(u32)imm`
    #[must_use]
    pub const fn mov32_imm(dst: Reg, imm: i32) -> Insn {
        Insn::new(0xb0 | ALU32, dst, R0, 0, imm)
    }

    /// The two halves of `dst = value`.
    #[must_use]
    pub const fn ld_imm64(dst: Reg, value: u64) -> [Insn; 2] {
        [Insn::new(0x18, dst, R0, 0, value as u32 as i32), Insn::new(0, R0, R0, 0, (value >> 32) as i32)]
    }

    /// The two halves of `dst =` the address of a function (`BPF_PSEUDO_FUNC`), which a relocation names.
    #[must_use]
    pub const fn ld_func(dst: Reg) -> [Insn; 2] {
        [Insn::new(0x18, dst, Reg(4), 0, 0), Insn::new(0, R0, R0, 0, 0)]
    }

    /// `dst = dst op src`
    #[must_use]
    pub const fn alu(op: AluOp, dst: Reg, src: Reg) -> Insn {
        Insn::new(op as u8 | ALU64 | SRC_REG, dst, src, 0, 0)
    }

    /// `dst = dst op imm`
    #[must_use]
    pub const fn alu_imm(op: AluOp, dst: Reg, imm: i32) -> Insn {
        Insn::new(op as u8 | ALU64, dst, R0, 0, imm)
    }

    /// `dst = -dst`
    #[must_use]
    pub const fn neg(dst: Reg) -> Insn {
        Insn::new(0x80 | ALU64, dst, R0, 0, 0)
    }

    /// The low `bits` (16, 32 or 64) of `dst` with their bytes in reverse order, on a little-endian machine: conversion to
    /// big-endian.
    #[must_use]
    pub const fn swap(dst: Reg, bits: u8) -> Insn {
        Insn::new(0xd0 | ALU32 | SRC_REG, dst, R0, 0, bits as i32)
    }

    /// `dst = *(width *)(src + off)`, zero-extended.
    #[must_use]
    pub fn load(width: Width, dst: Reg, src: Reg, off: i16) -> Insn {
        Insn::new(0x61 | width.code(), dst, src, off, 0)
    }

    /// `*(width *)(dst + off) = src`
    #[must_use]
    pub fn store(width: Width, dst: Reg, off: i16, src: Reg) -> Insn {
        Insn::new(0x63 | width.code(), dst, src, off, 0)
    }

    /// `*(width *)(dst + off) = imm`, sign-extended.
    #[must_use]
    pub fn store_imm(width: Width, dst: Reg, off: i16, imm: i32) -> Insn {
        Insn::new(0x62 | width.code(), dst, R0, off, imm)
    }

    /// An atomic operation on `*(u64 *)(dst + off)`.
    #[must_use]
    pub const fn atomic(op: AtomicOp, dst: Reg, off: i16, src: Reg) -> Insn {
        Insn::new(0xdb, dst, src, off, op as i32)
    }

    /// Calls a helper.
    #[must_use]
    pub const fn call(helper: i32) -> Insn {
        Insn::new(0x85, R0, R0, 0, helper)
    }

    /// Calls a kernel function by its BTF id (`BPF_PSEUDO_KFUNC_CALL`).
    #[must_use]
    pub const fn call_kfunc(id: u32) -> Insn {
        Insn::new(0x85, R0, Reg(2), 0, id as i32)
    }

    /// Calls a function of the program (`BPF_PSEUDO_CALL`), which linking puts in.
    #[must_use]
    pub const fn call_function() -> Insn {
        Insn::new(0x85, R0, Reg(1), 0, -1)
    }

    /// Whether it is a call, of a helper, a kernel function or a function of the program.
    #[must_use]
    pub const fn is_call(self) -> bool {
        self.code == 0x85
    }

    /// Jumps over `off` instructions.
    #[must_use]
    pub const fn jump(off: i16) -> Insn {
        Insn::new(0x05, R0, R0, off, 0)
    }

    /// Jumps over `off` instructions when the program has come here too often (`BPF_JCOND` with `BPF_MAY_GOTO`, Linux 6.9).
    #[must_use]
    pub const fn may_goto(off: i16) -> Insn {
        Insn::new(MAY_GOTO, R0, R0, off, 0)
    }

    /// Jumps if `dst cond src`.
    #[must_use]
    pub const fn jump_if(cond: Cond, dst: Reg, src: Reg, off: i16) -> Insn {
        Insn::new(cond as u8 | 0x05 | SRC_REG, dst, src, off, 0)
    }

    /// Jumps if `dst cond imm`.
    #[must_use]
    pub const fn jump_if_imm(cond: Cond, dst: Reg, imm: i32, off: i16) -> Insn {
        Insn::new(cond as u8 | 0x05, dst, R0, off, imm)
    }

    /// Returns `r0`.
    #[must_use]
    pub const fn exit() -> Insn {
        Insn::new(0x95, R0, R0, 0, 0)
    }

    /// Whether this is the first half of an `ld_imm64`.
    #[must_use]
    pub const fn is_wide(self) -> bool {
        self.code == 0x18
    }

    /// Little-endian encoding.
    #[must_use]
    pub fn bytes(self) -> [u8; 8] {
        let (off, imm) = (self.off.to_le_bytes(), self.imm.to_le_bytes());
        [self.code, self.dst | self.src << 4, off[0], off[1], imm[0], imm[1], imm[2], imm[3]]
    }
}
