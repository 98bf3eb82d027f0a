//! Operands of USDT probes on AArch64: `-4@5`, `8@x0`, `-4@w0`, `8@[sp, 16]`, `4@[x0, x1, lsl 2]`, `4@[x0, #:lo12:total]`.

use super::{Operand, Symbol, is_symbol, number};

/// Registers of 64 bits; `w0` to `w30` are their lowest 32.
const X: [&str; 31] = [
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
    "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30",
];

/// An operand. Constants and offsets may have a `#` before them.
pub(super) fn operand(text: &str) -> Option<Operand<'_>> {
    if let Some(inner) = text.strip_prefix('[') {
        return memory(inner.strip_suffix(']')?);
    }
    match text {
        "xzr" | "wzr" => Some(Operand::Constant(0)),
        _ => match register(text).or_else(|| x_of_w(text)) {
            Some(name) => Some(Operand::Register { name, shift: 0 }),
            None => constant(text).map(Operand::Constant),
        },
    }
}

/// What stands in brackets: a register, and what is added to it. Addresses that change the register are none of operands.
fn memory(inner: &str) -> Option<Operand<'_>> {
    let mut parts = inner.split(',').map(str::trim);
    let base = register(parts.next()?)?;
    let (mut symbol, mut displacement, mut index) = (None, 0, None);
    if let Some(added) = parts.next() {
        if let Some(name) = register(added) {
            index = Some((name, parts.next().map_or(Some(1), scale)?));
        } else if let Some(low) = added.strip_prefix('#').unwrap_or(added).strip_prefix(":lo12:") {
            let (name, more) = low.split_once('+').unwrap_or((low, "0"));
            symbol = Some(Symbol::Low12(name)).filter(|_| is_symbol(name));
            symbol?;
            displacement = number(more)?;
        } else {
            displacement = constant(added)?;
        }
    }
    let whole = Operand::Memory { symbol, displacement, base: Some(base), index };
    parts.next().is_none().then_some(whole)
}

/// `lsl 3`: eight times.
fn scale(text: &str) -> Option<u8> {
    let shift = text.strip_prefix("lsl")?.trim();
    match constant(shift)? {
        shift @ 0..=4 => Some(1 << shift),
        _ => None,
    }
}

fn constant(text: &str) -> Option<i64> {
    number(text.strip_prefix('#').unwrap_or(text))
}

/// A whole register.
fn register(text: &str) -> Option<&'static str> {
    match text {
        "sp" => Some("sp"),
        "fp" => Some("x29"),
        "lr" => Some("x30"),
        _ => X.into_iter().find(|name| *name == text),
    }
}

/// The register that `w0` is half of.
fn x_of_w(text: &str) -> Option<&'static str> {
    let number = text.strip_prefix('w')?;
    X.into_iter().find(|name| name.get(1..) == Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory_at(
        base: &'static str,
        displacement: i64,
        index: Option<(&'static str, u8)>,
    ) -> Option<Operand<'static>> {
        Some(Operand::Memory { symbol: None, displacement, base: Some(base), index })
    }

    #[test]
    fn operands() {
        let register = |name| Some(Operand::Register { name, shift: 0 });
        let low = |name, displacement| {
            let symbol = Some(Symbol::Low12(name));
            Some(Operand::Memory { symbol, displacement, base: Some("x0"), index: None })
        };
        let cases = [
            ("5", Some(Operand::Constant(5))),
            ("#-5", Some(Operand::Constant(-5))),
            ("0x10", Some(Operand::Constant(16))),
            ("wzr", Some(Operand::Constant(0))),
            ("x0", register("x0")),
            ("w30", register("x30")),
            ("x30", register("x30")),
            ("sp", register("sp")),
            ("[x1]", memory_at("x1", 0, None)),
            ("[sp, 16]", memory_at("sp", 16, None)),
            ("[x29,#-8]", memory_at("x29", -8, None)),
            ("[x0, x12]", memory_at("x0", 0, Some(("x12", 1)))),
            ("[x0, x1, lsl 3]", memory_at("x0", 0, Some(("x1", 8)))),
            ("[x0, x1, lsl #2]", memory_at("x0", 0, Some(("x1", 4)))),
            ("[x0, #:lo12:total]", low("total", 0)),
            ("[x0, :lo12:table+8]", low("table", 8)),
        ];
        for (text, expected) in cases {
            assert_eq!(operand(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood() {
        for text in [
            "",
            "d0",
            "v0.d[1]",
            "x31",
            "w31",
            "x01",
            "w",
            "[x0",
            "[]",
            "[w0]",
            "[x0, 8]!",
            "[x0], 8",
            "[x0, w1, sxtw 3]",
            "[x0, x1, lsl 5]",
            "[x0, x1, 8]",
            "[x0, 8, 8]",
            "[x0, :lo12:]",
            "[x0, :lo12:a b]",
            "total",
        ] {
            assert_eq!(operand(text), None, "{text}");
        }
    }
}
