//! Where a thread keeps its current g: the offset from the thread pointer (`task->thread.fsbase` on x86-64,
//! `tpidr_el0` on AArch64). Needed where g's register cannot be trusted: in C code, in system calls, in Go
//! before 1.17.

use std::collections::HashMap;

use super::GoBinary;
use crate::bytes;
use crate::elf::{Arch, SymbolKind};

/// How the offset was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsRule {
    /// g is the only thread-local variable (or the program is not linked with C): the word below the thread
    /// pointer.
    OnlyVariable,
    /// From the TLS template and the symbol `runtime.tlsg`.
    Symbol,
    /// From the instructions that load g: the constant that most of them use.
    Code,
    /// Nothing told: the offset of programs without C thread-local variables.
    Assumed,
}

/// Place of g relative to the thread pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsOffset {
    /// Bytes to add to the thread pointer; negative on x86-64.
    pub offset: i64,
    /// How it was found.
    pub rule: TlsRule,
}

/// Offset of the only variable of the executable: x86-64 puts the template below the thread pointer.
const ONLY_VARIABLE: i64 = -8;
/// AArch64 puts the template above the thread pointer, behind two words of the thread control block.
const AARCH64_TCB: u64 = 16;

impl GoBinary {
    /// Finds where a thread of this program keeps g. `None` on AArch64 for programs without cgo: they have it in its register only.
    pub fn tls_offset(&self) -> Option<TlsOffset> {
        let arch = self.arch();
        let found = |offset, rule| Some(TlsOffset { offset, rule });
        let image = self.image();
        let name = match arch {
            Arch::X86_64 => "runtime.tlsg",
            Arch::Aarch64 => "runtime.tls_g",
        };
        let symbol =
            image.symbols().by_name(image.bytes(), name).filter(|s| s.kind == SymbolKind::ThreadLocal);
        match (arch, image.tls(), symbol) {
            (Arch::Aarch64, None, _) => None,
            (Arch::Aarch64, Some(tls), symbol) => {
                // The template starts at the first multiple of its alignment after the control block.
                let start = AARCH64_TCB.checked_next_multiple_of(tls.align).unwrap_or(AARCH64_TCB);
                let offset = start.wrapping_add(symbol.map_or(0, |s| s.addr)).cast_signed();
                let rule = if symbol.is_some() { TlsRule::Symbol } else { TlsRule::Assumed };
                found(offset, rule)
            }
            (Arch::X86_64, None, _) => found(ONLY_VARIABLE, TlsRule::OnlyVariable),
            (Arch::X86_64, Some(tls), Some(symbol)) => {
                // The template ends at the thread pointer; it is moved down so that its start keeps the
                // alignment that the segment has in the file (glibc's and musl's rule for TLS variant II).
                let padding = tls.vaddr.wrapping_add(tls.mem_size).wrapping_neg() & (tls.align - 1);
                let size = tls.mem_size.wrapping_add(padding);
                found(symbol.addr.wrapping_sub(size).cast_signed(), TlsRule::Symbol)
            }
            (Arch::X86_64, Some(tls), None) if tls.mem_size <= 8 => {
                found(ONLY_VARIABLE, TlsRule::OnlyVariable)
            }
            (Arch::X86_64, Some(_), None) => match self.offset_in_code() {
                Some(offset) => found(offset, TlsRule::Code),
                None => found(ONLY_VARIABLE, TlsRule::Assumed),
            },
        }
    }

    /// The displacement that most instructions use which load g from TLS. Searched as bytes in Go's own text:
    /// the forms are long enough for chance hits to be rare, and the majority decides.
    fn offset_in_code(&self) -> Option<i64> {
        let text = self.image().tail(self.module().text)?;
        let size = bytes::index(self.module().etext.checked_sub(self.module().text)?)?;
        let text = text.get(..size).unwrap_or(text);
        let mut votes: HashMap<i32, usize> = HashMap::new();
        for (at, window) in text.windows(LONGEST_FORM).enumerate() {
            let Some(form) = FORMS.iter().find(|form| window.starts_with(form.before)) else { continue };
            let displacement = at + form.before.len();
            let after = text.get(displacement + 4..).unwrap_or_default();
            if let Some(value) =
                bytes::i32(text, displacement).filter(|v| *v < 0 && after.starts_with(form.after))
            {
                *votes.entry(value).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(value, count)| (*count, *value)).map(|(value, _)| i64::from(value))
    }
}

/// Bytes before and after the 32-bit displacement of an instruction (pair) that loads g.
struct Form {
    before: &'static [u8],
    after: &'static [u8],
}

const LONGEST_FORM: usize = 5;

const FORMS: [Form; 5] = [
    // mov %fs:disp32,%r14 (Go 1.17 and later)
    Form { before: &[0x64, 0x4c, 0x8b, 0x34, 0x25], after: &[] },
    // mov %fs:disp32,%rcx (before)
    Form { before: &[0x64, 0x48, 0x8b, 0x0c, 0x25], after: &[] },
    // mov $imm32,%r14; mov %fs:(%r14),%r14 (position-independent, initial-exec relaxed by the linker)
    Form { before: &[0x49, 0xc7, 0xc6], after: &[0x64, 0x4d, 0x8b, 0x36] },
    // mov $imm32,%rcx; mov %fs:(%rcx),%rcx
    Form { before: &[0x48, 0xc7, 0xc1], after: &[0x64, 0x48, 0x8b, 0x09] },
    // mov $imm32,%rax; mov %fs:(%rax),%rax
    Form { before: &[0x48, 0xc7, 0xc0], after: &[0x64, 0x48, 0x8b, 0x00] },
];
