//! How a Go function takes its arguments: on the stack (ABI0) or in registers (ABIInternal), and the
//! registers' order. Assigning places to typed parameters is not done here: it needs their types.

use super::GoFunc;
use super::code::{Flow, instructions};
use super::version::Release;
use crate::elf::Arch;

/// Calling convention of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Abi {
    /// Arguments and results in memory above the return address: all Go code before the register ABI,
    /// assembly always.
    Stack,
    /// Arguments and results in registers first (`internal/abi`, `abi-internal.md` of Go).
    Registers,
}

/// First release with register arguments: 1.17 on x86-64, 1.18 on AArch64.
pub fn registers_since(arch: Arch) -> Release {
    match arch {
        Arch::X86_64 => Release(17),
        Arch::Aarch64 => Release(18),
    }
}

/// Integer argument (and result) registers in order, as the architecture calls them.
pub fn integer_registers(arch: Arch) -> &'static [&'static str] {
    match arch {
        Arch::X86_64 => &["ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "r11"],
        Arch::Aarch64 => &[
            "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
            "x15",
        ],
    }
}

/// How many floating-point registers carry arguments (X0 to X14, F0 to F15).
pub fn float_register_count(arch: Arch) -> usize {
    match arch {
        Arch::X86_64 => 15,
        Arch::Aarch64 => 16,
    }
}

/// Register of the current g in code of the register ABI.
pub fn g_register(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "r14",
        Arch::Aarch64 => "x28",
    }
}

/// Register of the closure context, through which captured variables are reached.
pub fn closure_register(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "dx",
        Arch::Aarch64 => "x26",
    }
}

/// Distance from SP at entry to the first stack argument: the return address on x86-64, the slot for LR on
/// AArch64.
pub const STACK_ARGUMENTS: u32 = 8;

/// The convention of one function. `abi0_symbol` says that its symbol has the suffix of the stack variant.
pub(super) fn of(function: &GoFunc<'_>, abi0_symbol: bool) -> Abi {
    let binary = function.binary;
    if binary.release() < registers_since(binary.arch()) || abi0_symbol {
        return Abi::Stack;
    }
    if function.is_assembly() {
        let has_arguments = function.args_size() != Some(0);
        let in_registers = has_arguments && !touches_stack_arguments(function);
        return if in_registers { Abi::Registers } else { Abi::Stack };
    }
    // A Go function with stack arguments only (an ABI0 wrapper, a callback from assembly) cannot rely on g
    // being in its register: it loads it before its first branch or call. (AArch64 keeps g in its register in
    // both conventions; there only symbols and flags tell.)
    let start = instructions(binary.arch(), function.code_and_padding(), function.entry());
    let mut straight = start.take(G_LOAD_WINDOW).take_while(|insn| insn.flow == Flow::Next);
    if straight.any(|insn| insn.loads_g()) { Abi::Stack } else { Abi::Registers }
}

/// Whether an assembly function reads or writes memory above its return address. Most assembly takes its
/// arguments there; the runtime has some with register arguments (`runtime.memmove`), which nothing else in a
/// stripped binary tells apart.
fn touches_stack_arguments(function: &GoFunc<'_>) -> bool {
    function.insns().any(|insn| {
        let offset = insn.stack_offset().and_then(|offset| u32::try_from(offset).ok());
        offset.is_some_and(|offset| {
            function.sp_delta(insn.addr).is_some_and(|moved| offset >= moved.saturating_add(STACK_ARGUMENTS))
        })
    })
}

/// Instructions within which a function with stack arguments loads g: frame setup and little more.
const G_LOAD_WINDOW: usize = 16;
