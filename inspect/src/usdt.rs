//! Statically defined probes (USDT): the notes that `<sys/sdt.h>` and its likes leave in a binary, and what their arguments are.
//!
//! A note (owner `stapsdt`, type 3, section `.note.stapsdt`) holds the address of a `nop`, the address of `.stapsdt.base` as the
//! compiler saw it, the address of the semaphore or 0, and three strings: provider, name and arguments. An argument is `SIZE@OPERAND`
//! with an operand in the assembler's notation, which each architecture has a module for; its size is negative when it is signed. What cannot be
//! understood is kept as text.

mod aarch64;
mod x86_64;

use crate::bytes;
use crate::image::{Arch, Image};

/// Type of the notes (`_SDT_NOTE_TYPE`).
const NOTE_TYPE: u32 = 3;
/// Their owner.
const OWNER: &[u8] = b"stapsdt\0";
/// `n_namesz`, `n_descsz`, `n_type`.
const NOTE_HEADER: usize = 12;

/// A place in a binary that its author marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe<'a> {
    /// Who defines it.
    pub provider: &'a str,
    /// Its name; several places may have the same.
    pub name: &'a str,
    /// The vaddr of its instruction.
    pub vaddr: u64,
    /// The vaddr of the 16-bit counter of those who trace it; the program skips a probe whose counter is 0.
    pub semaphore: Option<u64>,
    /// What it passes, in order.
    pub arguments: Vec<Argument<'a>>,
}

/// An argument of a [`Probe`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument<'a> {
    /// As it is written: `-4@8(%rbp)`.
    pub text: &'a str,
    /// 1, 2, 4 or 8 bytes; 0 if it is not understood.
    pub size: u8,
    /// Whether it is a signed number.
    pub signed: bool,
    /// Where its value is; `None` if that is not understood.
    pub operand: Option<Operand<'a>>,
}

/// Where a value is. Registers have their names in the kernel's `pt_regs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand<'a> {
    /// Here.
    Constant(i64),
    /// In a register, so many bits above its lowest one (`%ah`).
    Register {
        /// Its name.
        name: &'static str,
        /// 0 or 8.
        shift: u8,
    },
    /// In memory: at the sum of all parts.
    Memory {
        /// A symbol that counts.
        symbol: Option<Symbol<'a>>,
        /// A number that is added.
        displacement: i64,
        /// A register that is added.
        base: Option<&'static str>,
        /// A register that is added so many times.
        index: Option<(&'static str, u8)>,
    },
}

/// What a symbol adds to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol<'a> {
    /// Its address; with the base `ip` it is the place itself, wherever the program is loaded.
    Whole(&'a str),
    /// The lowest 12 bits of its address; the base has the others.
    Low12(&'a str),
}

/// The probes of a binary, in the order of its notes. Notes that are cut short end the list; those of others are skipped.
pub fn probes(image: &Image) -> Vec<Probe<'_>> {
    let Some(section) = image.section_bytes(".note.stapsdt") else { return Vec::new() };
    let base = image.section(".stapsdt.base").map(|s| s.vaddr);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((next, description)) = note(section, at) {
        found.extend(description.and_then(|d| probe(d, base, image.arch())));
        at = next;
    }
    found
}

/// Where the note after the one at `at` starts, and the description of this one if it is of a probe.
fn note(section: &[u8], at: usize) -> Option<(usize, Option<&[u8]>)> {
    let word = |n: usize| bytes::u32(section, at.checked_add(4 * n)?);
    let name_at = at.checked_add(NOTE_HEADER)?;
    let name_end = name_at.checked_add(bytes::index(word(0)?.into())?)?;
    let start = name_end.checked_next_multiple_of(4)?;
    let end = start.checked_add(bytes::index(word(1)?.into())?)?;
    let is_probe = word(2)? == NOTE_TYPE && section.get(name_at..name_end)? == OWNER;
    let description = section.get(start..end)?;
    Some((end.checked_next_multiple_of(4)?, is_probe.then_some(description)))
}

fn probe(description: &[u8], base: Option<u64>, arch: Arch) -> Option<Probe<'_>> {
    let word = |n: usize| bytes::u64(description, 8 * n);
    // The linker, or prelink, may have moved the program without knowing of the notes.
    let written = word(1)?;
    let moved = base.filter(|_| written != 0).map_or(0, |base| base.wrapping_sub(written));
    let provider = bytes::c_str(description, 24)?;
    let name_at = 24 + provider.len() + 1;
    let name = bytes::c_str(description, name_at)?;
    let arguments = bytes::c_str(description, name_at + name.len() + 1)?;
    Some(Probe {
        provider,
        name,
        vaddr: word(0)?.wrapping_add(moved),
        semaphore: Some(word(2)?).filter(|s| *s != 0).map(|s| s.wrapping_add(moved)),
        arguments: split(arguments).map(|text| argument(text, arch)).collect(),
    })
}

/// The arguments of a list: spaces stand between them, and in the brackets of some.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut bracket = false;
    let parts = text.split(move |c: char| {
        bracket = (bracket || c == '[') && c != ']';
        c.is_ascii_whitespace() && !bracket
    });
    parts.filter(|part| !part.is_empty())
}

fn argument(text: &str, arch: Arch) -> Argument<'_> {
    let unknown = Argument { text, size: 0, signed: false, operand: None };
    let Some((size, operand)) = text.split_once('@') else { return unknown };
    let (signed, size) = size.strip_prefix('-').map_or((false, size), |size| (true, size));
    let size = match size {
        "1" => 1,
        "2" => 2,
        "4" => 4,
        "8" => 8,
        _ => return unknown,
    };
    let operand = match arch {
        Arch::X86_64 => x86_64::operand(operand),
        Arch::Aarch64 => aarch64::operand(operand),
    };
    Argument { text, size, signed, operand }
}

fn is_symbol(text: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
    !text.starts_with(|c: char| c.is_ascii_digit()) && !text.is_empty() && text.chars().all(part)
}

/// A number as the assembler writes it, of 64 bits with or without a sign.
fn number(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse::<u64>().ok()?,
    };
    Some(if negative { (value as i64).wrapping_neg() } else { value as i64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(
        symbol: Option<&'static str>,
        displacement: i64,
        base: Option<&'static str>,
        index: Option<(&'static str, u8)>,
    ) -> Option<Operand<'static>> {
        Some(Operand::Memory { symbol: symbol.map(Symbol::Whole), displacement, base, index })
    }

    #[test]
    fn operands() {
        let of = |text: &'static str| argument(text, Arch::X86_64);
        let register = |name, shift| Some(Operand::Register { name, shift });
        let cases = [
            ("-4@$-7", 4, true, Some(Operand::Constant(-7))),
            ("8@$18446744073709551615", 8, false, Some(Operand::Constant(-1))),
            ("1@%al", 1, false, register("ax", 0)),
            ("-1@%dh", 1, true, register("dx", 8)),
            ("2@%r9w", 2, false, register("r9", 0)),
            ("-8@%rsp", 8, true, register("sp", 0)),
            ("8@(%rdi)", 8, false, memory(None, 0, Some("di"), None)),
            ("-4@-20(%rbp)", 4, true, memory(None, -20, Some("bp"), None)),
            ("8@-8(%rbx,%r12,8)", 8, false, memory(None, -8, Some("bx"), Some(("r12", 8)))),
            ("8@(%rbx,%rcx)", 8, false, memory(None, 0, Some("bx"), Some(("cx", 1)))),
            ("4@table+0x10(%rip)", 4, false, memory(Some("table"), 16, Some("ip"), None)),
            ("4@8+table-4(,%rax,4)", 4, false, memory(Some("table"), 4, None, Some(("ax", 4)))),
            ("4@total", 4, false, memory(Some("total"), 0, None, None)),
        ];
        for (text, size, signed, operand) in cases {
            assert_eq!(of(text), Argument { text, size, signed, operand });
        }
    }

    #[test]
    fn what_is_not_understood_stays_text() {
        for text in [
            "8f@%xmm0",
            "5@%rax",
            "%rax",
            "8@%xmm0",
            "8@%fs:16",
            "8@(%rax",
            "8@(%rax,%rbx,3)",
            "8@a+b(%rip)",
            "8@",
            "8@(",
            "8@()",
            "8@$x",
            "8@(%eax)",
        ] {
            assert_eq!(argument(text, Arch::X86_64).operand, None, "{text}");
        }
    }

    #[test]
    fn spaces_in_brackets_are_parts_of_arguments() {
        let found = split("  -4@[sp, 12] 8@x0  4@[x1] 8@[x2");
        assert_eq!(found.collect::<Vec<_>>(), ["-4@[sp, 12]", "8@x0", "4@[x1]", "8@[x2"]);
    }

    #[test]
    fn notes_end_where_the_section_does() {
        let mut section = Vec::new();
        for word in [8u32, 24 + 6, 3] {
            section.extend(word.to_le_bytes());
        }
        section.extend(OWNER);
        for word in [0x1010u64, 0x2000, 0x3000] {
            section.extend(word.to_le_bytes());
        }
        section.extend(b"p\0go\0\0\0\0");
        let (next, description) = note(&section, 0).unwrap();
        assert_eq!(next, section.len());
        let moved = probe(description.unwrap(), Some(0x2100), Arch::X86_64).unwrap();
        assert_eq!((moved.provider, moved.name, moved.vaddr), ("p", "go", 0x1110));
        assert_eq!((moved.semaphore, moved.arguments.len()), (Some(0x3100), 0));
        assert_eq!(note(&section, next), None);
        for cut in 0..section.len() - 2 {
            assert_eq!(note(&section[..cut], 0), None, "{cut}");
        }
        for cut in 0..description.unwrap().len() {
            assert_eq!(probe(&description.unwrap()[..cut], None, Arch::X86_64), None, "{cut}");
        }
        // Lengths that lead nowhere.
        assert_eq!(note(&[0xff; 64], 0), None);
    }
}
