//! Prints the IR: one op a line, `%3 = call ktime_get_boot_ns()`, `store.w [slot1+4] = %7`, `br %2 eq 0 -> L1`; variables are
//! `$n`, temporaries `%n`.

use super::{Arg, Base, Func, Op, Operand, Place, Role, Storage, Val};
use crate::insn::Width;
use std::fmt;

/// Writes a value with the sigil of its kind.
struct Show<'a, T>(&'a Func, T);

impl fmt::Display for Show<'_, Val> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1 == Func::CTX {
            return f.write_str("ctx");
        }
        write!(f, "{}{}", if self.0.is_temp(self.1) { '%' } else { '$' }, self.1.0)
    }
}

impl fmt::Display for Show<'_, Operand> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Operand::Val(v) => Show(self.0, v).fmt(f),
            Operand::Imm(i) => write!(f, "{i}"),
        }
    }
}

impl fmt::Display for Show<'_, Place> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1.base {
            Base::Val(v) => write!(f, "[{}{:+}]", Show(self.0, v), self.1.off),
            Base::Slot(s) => write!(f, "[slot{}{:+}]", s.0, self.1.off),
        }
    }
}

impl fmt::Display for Show<'_, Arg> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Arg::Val(v) => Show(self.0, v).fmt(f),
            Arg::Imm(i) => write!(f, "{i}"),
            Arg::Addr(p) => write!(f, "&{}", Show(self.0, p)),
            Arg::Map(m) => write!(f, "map{}", m.0),
            Arg::Func(n) => write!(f, "sub{n}"),
        }
    }
}

impl fmt::Display for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, slot) in self.slots.iter().enumerate() {
            let place = match slot.storage {
                Storage::Stack => "",
                Storage::Scratch => " of scratch memory",
            };
            writeln!(f, "    slot{i}: {} bytes{place}", slot.size)?;
        }
        if self.role != Role::Program {
            let params: Vec<String> = self.params.iter().map(|v| Show(self, *v).to_string()).collect();
            writeln!(f, "    arguments {}", params.join(", "))?;
        }
        for op in &self.ops {
            self.fmt_op(op, f)?;
        }
        for (n, sub) in self.subs.iter().enumerate() {
            write!(f, "sub{n}:\n{sub}")?;
        }
        for (n, function) in self.functions.iter().enumerate() {
            let Role::Function(name) = &function.role else { continue };
            write!(f, "function{n}, {name}:\n{function}")?;
        }
        Ok(())
    }
}

impl Func {
    fn fmt_op(&self, op: &Op, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = |val| Show(self, val);
        let w = |width: Width| ["b", "h", "w", "d"][width as usize];
        match op {
            Op::Line(span) => return writeln!(f, "  ; {}..{}", span.start, span.end),
            Op::Label(l) => {
                let back = if self.labels[l.0 as usize] { " (loop)" } else { "" };
                return writeln!(f, "L{}:{back}", l.0);
            }
            _ => f.write_str("    ")?,
        }
        match op {
            Op::Const { dst, value } => writeln!(f, "{} = {}", v(*dst), *value as i64),
            Op::MapAddr { dst, map, offset } => writeln!(f, "{} = &map{}[0]+{offset}", v(*dst), map.0),
            Op::Addr { dst, of } => writeln!(f, "{} = &{}", v(*dst), Show(self, *of)),
            Op::Copy { dst, src } => writeln!(f, "{} = {}", v(*dst), v(*src)),
            Op::Alu { op, dst, a, b } => {
                writeln!(f, "{} = {} {} {}", v(*dst), format!("{op:?}").to_lowercase(), v(*a), Show(self, *b))
            }
            Op::Neg { dst, src } => writeln!(f, "{} = neg {}", v(*dst), v(*src)),
            Op::Extend { dst, src, bits, signed } => {
                writeln!(f, "{} = {}{bits} {}", v(*dst), if *signed { 's' } else { 'u' }, v(*src))
            }
            Op::Swap { dst, src, bits } => writeln!(f, "{} = swap{bits} {}", v(*dst), v(*src)),
            Op::Clamp { dst, src, limit } => writeln!(f, "{} = min {}, {limit}", v(*dst), v(*src)),
            Op::Load { width, dst, from } => {
                writeln!(f, "{} = load.{} {}", v(*dst), w(*width), Show(self, *from))
            }
            Op::Store { width, to, src } => {
                writeln!(f, "store.{} {} = {}", w(*width), Show(self, *to), Show(self, *src))
            }
            Op::Atomic { op, on, src, old } => {
                if let Some(old) = old {
                    write!(f, "{} = ", v(*old))?;
                }
                writeln!(f, "atomic {} {}, {}", format!("{op:?}").to_lowercase(), Show(self, *on), v(*src))
            }
            Op::CmpXchg { on, expected, new, old } => {
                writeln!(f, "{} = cmpxchg {}, {} -> {}", v(*old), Show(self, *on), v(*expected), v(*new))
            }
            Op::Call { callee, args, ret } => {
                if let Some(ret) = ret {
                    write!(f, "{} = ", v(*ret))?;
                }
                let args: Vec<String> = args.iter().map(|a| Show(self, *a).to_string()).collect();
                writeln!(f, "call {}({})", callee, args.join(", "))
            }
            Op::Jump(l) => writeln!(f, "jump L{}", l.0),
            Op::MayGoto(l) => writeln!(f, "may_goto L{}", l.0),
            Op::Branch { cond, a, b, to, .. } => {
                writeln!(
                    f,
                    "br {} {} {} -> L{}",
                    v(*a),
                    format!("{cond:?}").to_lowercase(),
                    Show(self, *b),
                    to.0
                )
            }
            Op::Exit(code) => writeln!(f, "exit {code}"),
            Op::Return(value) => writeln!(f, "return {}", v(*value)),
            Op::Label(_) | Op::Line(_) => Ok(()),
        }
    }
}
