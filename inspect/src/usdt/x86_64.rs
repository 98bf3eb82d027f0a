//! Operands of USDT probes on x86-64, in the AT&T notation.

use super::{Operand, Symbol, is_symbol, number};

/// An operand in the AT&T notation: `$5`, `%rax`, `-8(%rbp)`, `table+16(%rip)`, `(%rdi,%rbx,8)`.
pub(super) fn operand(text: &str) -> Option<Operand<'_>> {
    if let Some(constant) = text.strip_prefix('$') {
        return number(constant).map(Operand::Constant);
    }
    if text.starts_with('%') {
        let (name, shift) = register(text)?;
        return Some(Operand::Register { name, shift });
    }
    let (sum, registers) = match text.split_once('(') {
        Some((sum, registers)) => (sum, registers.strip_suffix(')')?),
        None => (text, ""),
    };
    let (symbol, displacement) = sum_of(sum)?;
    let mut parts = registers.split(',').map(str::trim);
    let mut whole = || match parts.next() {
        None | Some("") => Some(None),
        Some("%rip") => Some(Some("ip")),
        // Addresses are made of whole registers.
        Some(name) => X86.iter().find(|r| name.strip_prefix('%') == Some(r.1[0])).map(|r| Some(r.0)),
    };
    let (base, index) = (whole()?, whole()?);
    let scale = match parts.next() {
        None | Some("" | "1") => 1,
        Some("2") => 2,
        Some("4") => 4,
        Some("8") => 8,
        Some(_) => return None,
    };
    if parts.next().is_some() || sum.is_empty() && registers.is_empty() {
        return None;
    }
    let symbol = symbol.map(Symbol::Whole);
    Some(Operand::Memory { symbol, displacement, base, index: index.map(|name| (name, scale)) })
}

/// `16`, `-8`, `table`, `table+16`, `16+table`.
fn sum_of(text: &str) -> Option<(Option<&str>, i64)> {
    let (mut symbol, mut sum, mut rest) = (None, 0i64, text);
    while !rest.is_empty() {
        // A sign stands before its number.
        let end = rest.get(1..)?.find(['+', '-']).map_or(rest.len(), |at| at + 1);
        let (part, following) = rest.split_at_checked(end)?;
        let part = part.strip_prefix('+').unwrap_or(part);
        match number(part) {
            Some(n) => sum = sum.wrapping_add(n),
            None if symbol.is_none() && is_symbol(part) => symbol = Some(part),
            None => return None,
        }
        rest = following;
    }
    Some((symbol, sum))
}

/// Registers of x86-64: the name in `pt_regs`, and those of its lowest 64, 32, 16 and 8 bits.
const X86: &[(&str, [&str; 4])] = &[
    ("ax", ["rax", "eax", "ax", "al"]),
    ("bx", ["rbx", "ebx", "bx", "bl"]),
    ("cx", ["rcx", "ecx", "cx", "cl"]),
    ("dx", ["rdx", "edx", "dx", "dl"]),
    ("si", ["rsi", "esi", "si", "sil"]),
    ("di", ["rdi", "edi", "di", "dil"]),
    ("bp", ["rbp", "ebp", "bp", "bpl"]),
    ("sp", ["rsp", "esp", "sp", "spl"]),
    ("r8", ["r8", "r8d", "r8w", "r8b"]),
    ("r9", ["r9", "r9d", "r9w", "r9b"]),
    ("r10", ["r10", "r10d", "r10w", "r10b"]),
    ("r11", ["r11", "r11d", "r11w", "r11b"]),
    ("r12", ["r12", "r12d", "r12w", "r12b"]),
    ("r13", ["r13", "r13d", "r13w", "r13b"]),
    ("r14", ["r14", "r14d", "r14w", "r14b"]),
    ("r15", ["r15", "r15d", "r15w", "r15b"]),
];

/// The register of an operand, and where in it the value starts.
fn register(text: &str) -> Option<(&'static str, u8)> {
    let name = text.strip_prefix('%')?;
    let high = match name {
        "ah" => Some("ax"),
        "bh" => Some("bx"),
        "ch" => Some("cx"),
        "dh" => Some("dx"),
        _ => None,
    };
    match high {
        Some(register) => Some((register, 8)),
        None => X86.iter().find(|(_, names)| names.contains(&name)).map(|(register, _)| (*register, 0)),
    }
}
