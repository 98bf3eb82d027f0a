//! What code generation knows of each processor: its registers' parts in calls, and where Go keeps what. A table per architecture; nothing
//! else in this crate asks which one it is, but `lower/returning.rs` and the guard of stack checks, which only x86-64 needs.

use lang::arch::Arch;

/// A processor. Registers are named as in [`Arch::registers`].
pub struct Machine {
    /// The instruction pointer.
    pub ip: &'static str,
    /// The frame pointer.
    pub frame: &'static str,
    /// Where a call leaves its return address.
    pub return_address: ReturnAddress,
    /// Integer arguments of C, in order.
    pub c_arguments: &'static [&'static str],
    /// Integer arguments of Go's ABIInternal, and results, in order (`src/cmd/compile/abi-internal.md` of the Go source; amd64 since Go
    /// 1.17, arm64 since 1.18).
    pub go_arguments: &'static [&'static str],
    /// The first integer result, of both.
    pub result: &'static str,
    /// The current `runtime.g` in Go code.
    pub g: &'static str,
    /// The register that says at which level code runs, the bits of it, and their value for user code.
    pub level: (&'static str, i32, i32),
}

/// Where the return address is at the entry of a function and at its return instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReturnAddress {
    /// On top of the stack.
    Stack,
    /// In a register.
    Register(&'static str),
}

impl Machine {
    /// The one of an architecture.
    pub fn of(arch: Arch) -> &'static Machine {
        match arch {
            Arch::X86_64 => &X86_64,
            Arch::Aarch64 => &AARCH64,
        }
    }

    /// Bytes between the stack pointer at the entry of a C function and its first argument on the stack.
    pub fn c_stack_arguments(&self) -> u64 {
        self.bytes_of_return_address()
    }

    /// Bytes that a return takes off the stack.
    pub fn bytes_of_return_address(&self) -> u64 {
        match self.return_address {
            ReturnAddress::Stack => 8,
            ReturnAddress::Register(_) => 0,
        }
    }
}

/// Bytes between the stack pointer at the entry of a Go function and its first argument on the stack: the return address on x86-64; on arm64
/// the word where the function that is called may save it.
pub const GO_STACK_ARGUMENTS: u64 = 8;

/// C: System V ABI.
static X86_64: Machine = Machine {
    ip: "ip",
    frame: "bp",
    return_address: ReturnAddress::Stack,
    c_arguments: &["di", "si", "dx", "cx", "r8", "r9"],
    go_arguments: &["ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "r11"],
    result: "ax",
    g: "r14",
    // The privilege level in the code segment.
    level: ("cs", 3, 3),
};

/// C: AAPCS64.
static AARCH64: Machine = Machine {
    ip: "pc",
    frame: "x29",
    return_address: ReturnAddress::Register("x30"),
    c_arguments: &["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"],
    go_arguments: &[
        "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
    ],
    result: "x0",
    g: "x28",
    // The exception level in PSTATE.
    level: ("pstate", 0xf, 0),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_exist() {
        for arch in [Arch::X86_64, Arch::Aarch64] {
            let machine = Machine::of(arch);
            let mut names = vec![machine.ip, machine.frame, machine.result, machine.g, machine.level.0, "sp"];
            names.extend(machine.c_arguments);
            names.extend(machine.go_arguments);
            if let ReturnAddress::Register(name) = machine.return_address {
                names.push(name);
            }
            for name in names {
                assert!(arch.register(name).is_some(), "{arch:?} {name}");
            }
        }
    }
}
