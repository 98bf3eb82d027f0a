//! Names of the machine's registers as `reg("…")` takes them. Offsets in the kernel's `pt_regs` follow from the order.

use std::fmt;

/// Instruction sets that gotrace traces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Arch {
    /// amd64
    X86_64,
    /// arm64
    Aarch64,
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arch::X86_64 => "x86-64",
            Arch::Aarch64 => "arm64",
        })
    }
}

/// Registers of x86-64 in the order of `struct pt_regs` (arch/x86/include/asm/ptrace.h), 8 bytes each.
pub const REGISTERS_X86_64: &[&str] = &[
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di",
    "orig_rax", "ip", "cs", "flags", "sp", "ss",
];

/// Registers of arm64 in the order of `struct user_pt_regs` (arch/arm64/include/uapi/asm/ptrace.h), 8 bytes each.
pub const REGISTERS_AARCH64: &[&str] = &[
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
    "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30",
    "sp", "pc", "pstate",
];

impl Arch {
    /// All of them.
    pub const ALL: &[Arch] = &[Arch::X86_64, Arch::Aarch64];

    /// The register names.
    #[must_use]
    pub fn registers(self) -> &'static [&'static str] {
        match self {
            Arch::X86_64 => REGISTERS_X86_64,
            Arch::Aarch64 => REGISTERS_AARCH64,
        }
    }

    /// Index of a register; other common spellings (`rax`, `pc` for `ip`) are understood.
    #[must_use]
    pub fn register(self, name: &str) -> Option<u8> {
        let names = self.registers();
        let find = |n: &str| names.iter().position(|r| *r == n).map(|i| i as u8);
        let alias = match (self, name) {
            (Arch::X86_64, "pc" | "rip") => "ip",
            (Arch::X86_64, "fp") => "bp",
            (Arch::X86_64, "eflags" | "rflags") => "flags",
            (Arch::Aarch64, "ip") => "pc",
            (Arch::Aarch64, "lr") => "x30",
            (Arch::Aarch64, "fp") => "x29",
            _ => name,
        };
        find(alias)
            .or_else(|| (self == Arch::X86_64).then(|| alias.strip_prefix('r')).flatten().and_then(find))
    }
}
