//! Prints instructions in the notation of the kernel's verifier log, for `-d bpf` and the snapshots.

use crate::helper::Helper;
use crate::insn::Insn;
use crate::object::{FuncRef, MapRef, Object, Program};
use lang::span::Span;
use std::fmt::Write;

/// The instructions of a program, one a line, with the script line that they come from.
#[must_use]
pub fn listing(object: &Object, program: &Program) -> String {
    let mut out =
        code(object, program, &program.insns, &program.map_refs, &program.func_refs, &program.lines);
    for sub in &program.subs {
        let _ = writeln!(out, "{}:", sub.name);
        out.push_str(&code(object, program, &sub.insns, &sub.map_refs, &sub.func_refs, &sub.lines));
    }
    out
}

fn code(
    object: &Object,
    program: &Program,
    insns: &[Insn],
    map_refs: &[MapRef],
    func_refs: &[FuncRef],
    lines: &[(usize, Span)],
) -> String {
    let mut out = String::new();
    let mut lines = lines.iter().peekable();
    let mut wide = false;
    for (at, insn) in insns.iter().enumerate() {
        while let Some((_, span)) = lines.next_if(|(from, _)| *from <= at) {
            let text = object.source.get(span.range()).unwrap_or_default();
            let _ = writeln!(out, "; {}", text.lines().next().unwrap_or_default());
        }
        if std::mem::take(&mut wide) {
            continue;
        }
        wide = insn.is_wide();
        let map = map_refs.iter().find(|m| m.insn == at).map(|m| {
            let name = &object.maps[m.map].name;
            m.value_offset.map_or_else(|| format!("map[{name}]"), |o| format!("&map[{name}]+{o}"))
        });
        let func = func_refs.iter().find(|f| f.insn == at).and_then(|f| program.subs.get(f.sub));
        let map = map
            .or_else(|| Some(if insn.is_call() { func?.name.clone() } else { format!("&{}", func?.name) }));
        let high = insns.get(at + 1).map_or(0, |i| i.imm);
        let _ = writeln!(out, "{at:5}: {}", show(*insn, high, map, at));
    }
    out
}

fn show(insn: Insn, high: i32, map: Option<String>, at: usize) -> String {
    let Insn { code, dst, src, off, imm } = insn;
    let width = ["u32", "u16", "u8", "u64"][usize::from(code >> 3 & 3)];
    let register = code & 8 != 0;
    let operand = |r: char| if register { format!("{r}{src}") } else { imm.to_string() };
    let target = || format!("goto {}", at as i64 + 1 + i64::from(off));
    match code & 7 {
        0 => match map {
            Some(map) => format!("r{dst} = {map}"),
            None => format!("r{dst} = {:#x} ll", (high as u32 as u64) << 32 | u64::from(imm as u32)),
        },
        1 => format!("r{dst} = *({width} *)(r{src} {off:+})"),
        2 => format!("*({width} *)(r{dst} {off:+}) = {imm}"),
        3 if code & 0xe0 == 0xc0 => match imm {
            0x00 => format!("lock *({width} *)(r{dst} {off:+}) += r{src}"),
            0x01 => format!("r{src} = atomic_fetch_add(({width} *)(r{dst} {off:+}), r{src})"),
            0xe1 => format!("r{src} = xchg(({width} *)(r{dst} {off:+}), r{src})"),
            _ => format!("r0 = cmpxchg(({width} *)(r{dst} {off:+}), r0, r{src})"),
        },
        3 => format!("*({width} *)(r{dst} {off:+}) = r{src}"),
        4 | 7 => {
            let r = if code & 7 == 4 { 'w' } else { 'r' };
            let op = match code >> 4 {
                8 => return format!("{r}{dst} = -{r}{dst}"),
                0xd => return format!("r{dst} = be{imm} r{dst}"),
                0xc => "s>>=",
                n => ["+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "", "%=", "^=", "="]
                    [usize::from(n.min(11))],
            };
            format!("{r}{dst} {op} {}", operand(r))
        }
        _ => match code & 0xf0 {
            0x00 => target(),
            0x80 if src == 1 => format!("call {}", map.unwrap_or_else(|| imm.to_string())),
            0x80 if src == 2 => format!("call kernel function {imm}"),
            0x80 => {
                let name = Helper::from_id(imm).map_or_else(|| imm.to_string(), |h| h.name().to_owned());
                format!("call {name}")
            }
            0x90 => "exit".into(),
            0xe0 => format!("may_goto {}", target()),
            cond => {
                let op = match cond {
                    0x10 => "==",
                    0x20 => ">",
                    0x30 => ">=",
                    0x40 => "&",
                    0x50 => "!=",
                    0x60 => "s>",
                    0x70 => "s>=",
                    0xa0 => "<",
                    0xb0 => "<=",
                    0xc0 => "s<",
                    _ => "s<=",
                };
                format!("if r{dst} {op} {} {}", operand('r'), target())
            }
        },
    }
}
