//! The typed program as text (`-d hir`): every conversion, load and type that the checker put in becomes visible.
//!
//! The form is meant for people and for snapshots; nothing reads it back.

use crate::hir::{
    Action, Agg, Attach, BinOp, Builtin, CopyPart, CopySource, Expr, ExprKind, Fun, LogicOp, LoopKind, Map,
    MapId, MapValue, Period, PidSpace, Probe, Program, Stmt, StmtKind, Subprogram, UnOp, Var,
};
use crate::types::{AddrSpace, Type};
use std::fmt::{self, Write as _};

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for map in &self.maps {
            writeln!(f, "{}", MapLine(map))?;
        }
        for (i, function) in self.functions.iter().enumerate() {
            writeln!(f, "func {i} {}:{}", function.binary, function.name)?;
        }
        if let Some(program) = &self.go_program {
            writeln!(f, "go program: device {:#x} inode {}", program.file.device, program.file.inode)?;
        }
        for probe in &self.probes {
            let mut out = Dump { program: self, vars: &probe.vars, text: String::new() };
            out.probe(probe)?;
            f.write_str(&out.text)?;
        }
        for sub in &self.subprograms {
            let mut out = Dump { program: self, vars: &sub.vars, text: String::new() };
            out.subprogram(sub)?;
            f.write_str(&out.text)?;
        }
        Ok(())
    }
}

struct MapLine<'a>(&'a Map);

impl fmt::Display for MapLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "map {}", self.0.name)?;
        if let Some(key) = &self.0.key {
            write!(f, "[{}]", Sized(key))?;
        }
        match &self.0.value {
            MapValue::Plain(ty) => write!(f, ": {}", Sized(ty))?,
            MapValue::Agg(agg) => write!(f, ": {}", AggName(*agg))?,
        }
        if let Some(entries) = self.0.entries {
            write!(f, " of {entries}")?;
        }
        f.write_str(if self.0.lru { " lru" } else { "" })
    }
}

struct AggName(Agg);

impl fmt::Display for AggName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |signed: bool| if signed { "int64" } else { "uint64" };
        match self.0 {
            Agg::Count => f.write_str("count()"),
            Agg::Sum { signed } => write!(f, "sum({})", sign(signed)),
            Agg::Min { signed } => write!(f, "min({})", sign(signed)),
            Agg::Max { signed } => write!(f, "max({})", sign(signed)),
            Agg::Avg { signed } => write!(f, "avg({})", sign(signed)),
            Agg::Stats { signed } => write!(f, "stats({})", sign(signed)),
            Agg::Hist { bits } => write!(f, "hist({bits})"),
            Agg::Tseries { interval, count, of, signed } => {
                write!(f, "tseries({}, {interval}, {count}, {})", sign(signed), of.name())
            }
            Agg::Lhist { min, max, step } => write!(f, "lhist({min}, {max}, {step})"),
        }
    }
}

/// A type with the sizes of its strings, which the name that people see leaves out.
struct Sized<'a>(&'a Type);

impl fmt::Display for Sized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Type::Str(n) => write!(f, "string[{n}]"),
            Type::Buf(n) => write!(f, "buffer[{n}]"),
            Type::Stack { limit, mode, .. } => write!(f, "{}({mode:?}, {limit})", self.0),
            Type::Ptr { to, space } => {
                write!(f, "{to} {}*", if *space == AddrSpace::Kernel { "kernel " } else { "" })
            }
            Type::Tuple(list) => {
                f.write_str("(")?;
                for (i, t) in list.iter().enumerate() {
                    write!(f, "{}{}", if i > 0 { ", " } else { "" }, Sized(t))?;
                }
                f.write_str(")")
            }
            Type::Record(list) => {
                f.write_str("(")?;
                for (i, (name, t)) in list.iter().enumerate() {
                    write!(f, "{}{name}={}", if i > 0 { ", " } else { "" }, Sized(t))?;
                }
                f.write_str(")")
            }
            other => write!(f, "{other}"),
        }
    }
}

struct Dump<'a> {
    program: &'a Program,
    vars: &'a [Var],
    text: String,
}

impl Dump<'_> {
    fn probe(&mut self, probe: &Probe) -> fmt::Result {
        write!(self.text, "probe {} ", probe.name)?;
        match &probe.attach {
            Attach::Begin | Attach::End | Attach::Test | Attach::Bench => {}
            Attach::Interval(p) | Attach::Profile(p) => match p {
                Period::Hertz(n) => write!(self.text, "every 1/{n} s ")?,
                Period::Nanos(n) => write!(self.text, "every {n} ns ")?,
            },
            Attach::Tracepoint(_)
            | Attach::Signal
            | Attach::RawTracepoint(_)
            | Attach::Fentry { .. }
            | Attach::Iter(_)
            | Attach::Watchpoint(_) => {}
            Attach::Kprobe { places, .. } => write!(self.text, "{} places ", places.len())?,
            Attach::Perf { count, .. } => write!(self.text, "every {count} ")?,
            Attach::Uprobe { class, targets, .. } => {
                let sites: usize = targets.iter().map(|t| t.sites.len()).sum();
                write!(
                    self.text,
                    "{:?} {:?} {sites} site{} ",
                    class.abi,
                    class.stop,
                    if sites == 1 { "" } else { "s" }
                )?;
            }
        }
        if let Some(predicate) = &probe.predicate {
            let text = self.expr(predicate);
            write!(self.text, "/{text}/ ")?;
        }
        writeln!(self.text, "{{")?;
        self.code(&probe.body)
    }

    fn subprogram(&mut self, sub: &Subprogram) -> fmt::Result {
        let params: Vec<String> = (0..sub.params).map(|n| self.var(n as u32)).collect();
        writeln!(self.text, "fn {}({}): {} {{", sub.name, params.join(", "), Sized(sub.result_type()))?;
        self.code(&sub.body)
    }

    /// The variables and the statements, with what ends them.
    fn code(&mut self, body: &[Stmt]) -> fmt::Result {
        for var in self.vars {
            writeln!(self.text, "  var ${}: {}", var.name, Sized(&var.ty))?;
        }
        self.stmts(body, 1)?;
        writeln!(self.text, "}}")
    }

    fn stmts(&mut self, stmts: &[Stmt], depth: usize) -> fmt::Result {
        for stmt in stmts {
            let indent = "  ".repeat(depth);
            let line = match &stmt.kind {
                StmtKind::SetVar(id, e) => format!("{} = {}", self.var(id.0), self.expr(e)),
                StmtKind::SetMap { map, key, value } => {
                    format!("{} = {}", self.entry(*map, key.as_ref()), self.expr(value))
                }
                StmtKind::AddMap { map, key, delta } => {
                    format!("{} += {}", self.entry(*map, key.as_ref()), self.expr(delta))
                }
                StmtKind::Update { map, key, value } => {
                    let value = value.as_ref().map(|v| self.expr(v)).unwrap_or_default();
                    format!("update {} ({value})", self.entry(*map, key.as_ref()))
                }
                StmtKind::Return => "return".into(),
                StmtKind::Break => "break".into(),
                StmtKind::Continue => "continue".into(),
                StmtKind::Loop { kind, body } => {
                    let head = match kind {
                        LoopKind::Range { var, from, to } => {
                            format!("for {} : {}..{}", self.var(var.0), self.expr(from), self.expr(to))
                        }
                        LoopKind::Map { var, map } => format!("for {} : {}", self.var(var.0), self.map(*map)),
                        LoopKind::While { cond } => format!("while {}", self.expr(cond)),
                    };
                    writeln!(self.text, "{indent}{head} {{")?;
                    self.stmts(body, depth + 1)?;
                    "}".into()
                }
                StmtKind::Expr(e) => self.expr(e),
                StmtKind::Emit { action, args } => {
                    let args: Vec<String> = args.iter().map(|a| self.expr(a)).collect();
                    format!("emit {} ({})", self.action(action), args.join(", "))
                }
                StmtKind::If { cond, then, els } => {
                    let cond = self.expr(cond);
                    writeln!(self.text, "{indent}if {cond} {{")?;
                    self.stmts(then, depth + 1)?;
                    if !els.is_empty() {
                        writeln!(self.text, "{indent}}} else {{")?;
                        self.stmts(els, depth + 1)?;
                    }
                    "}".into()
                }
            };
            writeln!(self.text, "{indent}{line}")?;
        }
        Ok(())
    }

    fn action(&self, action: &Action) -> String {
        let map = |id: &MapId| self.map(*id);
        match action {
            Action::Printf(format) => format!("printf {} conversions", format.conversions()),
            Action::Report(severity, format) => {
                format!("report {severity:?} {} conversions", format.conversions())
            }
            Action::Cat(format) => format!("cat {} conversions", format.conversions()),
            Action::System(format) => format!("system {} conversions", format.conversions()),
            Action::Print => "print".into(),
            Action::PrintEntry(id) => format!("print entry of {}", map(id)),
            Action::PrintMap { map: id, top, div } => format!("print {} top {top} div {div}", map(id)),
            Action::Clear(id) => format!("clear {}", map(id)),
            Action::Zero(id) => format!("zero {}", map(id)),
            Action::Exit => "exit".into(),
            Action::Return => "return".into(),
            Action::Unwatch => "unwatch".into(),
            Action::Time(format) => format!("time {format:?}"),
            Action::Packet(file) => format!("packet to {file:?}"),
            Action::Join(separator) => format!("join {separator:?}"),
        }
    }

    fn var(&self, id: u32) -> String {
        self.vars.get(id as usize).map_or_else(|| format!("$?{id}"), |v| format!("${}", v.name))
    }

    fn map(&self, id: MapId) -> String {
        self.program.maps.get(id.0 as usize).map_or_else(|| format!("@?{}", id.0), |m| m.name.clone())
    }

    fn entry(&self, map: MapId, key: Option<&Expr>) -> String {
        match key {
            Some(key) => format!("{}[{}]", self.map(map), self.expr(key)),
            None => self.map(map),
        }
    }

    fn expr(&self, e: &Expr) -> String {
        let sub = |e: &Expr| self.expr(e);
        let memory = |space: AddrSpace| if space == AddrSpace::Kernel { "kernel " } else { "" };
        match &e.kind {
            ExprKind::Int(v) => match &e.ty {
                Type::Bool => (*v != 0).to_string(),
                Type::Int { signed: true, .. } => (*v as i64).to_string(),
                Type::Int { signed: false, .. } => format!("{v}u"),
                ty => format!("{v}:{}", Sized(ty)),
            },
            ExprKind::Str(text) => format!("{:?}", String::from_utf8_lossy(text)),
            ExprKind::Var(id) => self.var(id.0),
            ExprKind::MapGet { map, key } => self.entry(*map, key.as_deref()),
            ExprKind::HasKey { map, key } => format!("has_key({})", self.entry(*map, Some(key))),
            ExprKind::Delete { map, key } => format!("delete({})", self.entry(*map, key.as_deref())),
            ExprKind::MapLen(map) => format!("len({})", self.map(*map)),
            ExprKind::StackLen(stack) => format!("len({})", sub(stack)),
            ExprKind::Unary(op, e) => {
                let op = match op {
                    UnOp::Neg => "-",
                    UnOp::BitNot => "~",
                    UnOp::Not => "!",
                };
                format!("{op}{}", sub(e))
            }
            ExprKind::Binary(op, a, b) => {
                // The sign decides what these mean.
                let sign = match op {
                    BinOp::Div | BinOp::Mod | BinOp::Shr if e.ty.is_signed() => "s",
                    BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge if a.ty.is_signed() => "s",
                    _ => "",
                };
                format!("({} {}{sign} {})", sub(a), op_symbol(*op), sub(b))
            }
            ExprKind::Logical(LogicOp::And, a, b) => format!("({} && {})", sub(a), sub(b)),
            ExprKind::Logical(LogicOp::Or, a, b) => format!("({} || {})", sub(a), sub(b)),
            ExprKind::Ternary(c, a, b) => format!("({} ? {} : {})", sub(c), sub(a), sub(b)),
            ExprKind::Cast(e2) => format!("({}){}", Sized(&e.ty), sub(e2)),
            ExprKind::IncVar { var, delta, prefix } => increment(&self.var(var.0), *delta, *prefix),
            ExprKind::IncMap { map, key, delta, prefix } => {
                increment(&self.entry(*map, key.as_deref()), *delta, *prefix)
            }
            ExprKind::Tuple(list) => {
                let members: Vec<String> = list.iter().map(sub).collect();
                format!("({})", members.join(", "))
            }
            ExprKind::Member(e, n) => format!("{}.{n}", sub(e)),
            ExprKind::Zero => format!("0:{}", Sized(&e.ty)),
            ExprKind::VarAddr(id) => format!("&{}", self.var(id.0)),
            ExprKind::EntryAddr { map, key } => format!("&{}", self.entry(*map, key.as_deref())),
            ExprKind::Part { of, offset } => format!("{}@{offset}:{}", sub(of), Sized(&e.ty)),
            ExprKind::Element { of, index } => format!("{}[{}]", sub(of), sub(index)),
            ExprKind::Load { addr, space } => format!("*({} {}*){}", Sized(&e.ty), memory(*space), sub(addr)),
            ExprKind::Ctx { offset } => format!("ctx[{offset}]:{}", Sized(&e.ty)),
            ExprKind::CtxDataLoc { offset } => format!("data_loc[{offset}]:{}", Sized(&e.ty)),
            ExprKind::Builtin(b) => builtin(b, &e.ty),
            ExprKind::ReadStr { addr, len, space } => {
                let len = len.as_ref().map(|l| format!(", {}", sub(l))).unwrap_or_default();
                format!("{}str({}{len}):{}", memory(*space), sub(addr), Sized(&e.ty))
            }
            ExprKind::GoStr { addr, len } => format!("gostr({}, {}):{}", sub(addr), sub(len), Sized(&e.ty)),
            ExprKind::ReadBuf { addr, len, space } => {
                format!("{}buf({}, {}):{}", memory(*space), sub(addr), sub(len), Sized(&e.ty))
            }
            ExprKind::Call(of, args) => {
                let args: Vec<String> = args.iter().map(sub).collect();
                let name = self.program.subprograms.get(of.0 as usize).map_or("?", |s| s.name.as_str());
                format!("call {name}({}):{}", args.join(", "), Sized(&e.ty))
            }
            ExprKind::Apply(fun, args) => {
                let args: Vec<String> = args.iter().map(sub).collect();
                format!("{}({}):{}", fun_name(fun), args.join(", "), Sized(&e.ty))
            }
            ExprKind::Symbol(a) => format!("({}){}", e.ty, sub(a)),
            ExprKind::Block(stmts, value) => {
                let mut inner = Dump { program: self.program, vars: self.vars, text: String::new() };
                // Writing to a String cannot fail.
                let _ = inner.stmts(stmts, 0);
                let stmts: Vec<&str> = inner.text.lines().map(str::trim).collect();
                format!("{{ {}; {} }}", stmts.join("; "), sub(value))
            }
            ExprKind::GoTime { wall, ext } => format!("gotime({}, {})", sub(wall), sub(ext)),
            ExprKind::GoError(error) => format!("goerr({}, {})", sub(&error.words.0), sub(&error.words.1)),
            ExprKind::GoCopy(parts) => {
                let part = |p: &CopyPart| match &p.from {
                    CopySource::Memory(a) => format!("{}: {} bytes at {}", p.at, p.size, sub(a)),
                    CopySource::Value(v) => format!("{}: {}", p.at, sub(v)),
                };
                let parts: Vec<String> = parts.iter().map(part).collect();
                format!("copy[{}]({}):{}", e.ty.size(), parts.join(", "), e.ty)
            }
        }
    }
}

fn fun_name(fun: &Fun) -> String {
    match fun {
        Fun::SwapBytes(bits) => format!("bswap{bits}"),
        Fun::Inet { family } => format!("inet{family}"),
        Fun::TracePrint(format) => format!("trace {:?} ", String::from_utf8_lossy(format)),
        Fun::Task(field) => format!("{field:?}").to_lowercase(),
        Fun::GoMapEntry(_) => "gomapentry".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn increment(target: &str, delta: i64, prefix: bool) -> String {
    if prefix { format!("({delta:+} then {target})") } else { format!("({target} then {delta:+})") }
}

fn op_symbol(op: BinOp) -> &'static str {
    match op {
        BinOp::Add => "+",
        BinOp::Sub => "-",
        BinOp::Mul => "*",
        BinOp::Div => "/",
        BinOp::Mod => "%",
        BinOp::And => "&",
        BinOp::Or => "|",
        BinOp::Xor => "^",
        BinOp::Shl => "<<",
        BinOp::Shr => ">>",
        BinOp::Eq => "==",
        BinOp::Ne => "!=",
        BinOp::Lt => "<",
        BinOp::Le => "<=",
        BinOp::Gt => ">",
        BinOp::Ge => ">=",
    }
}

fn builtin(b: &Builtin, ty: &Type) -> String {
    match b {
        Builtin::Arg(n) => format!("arg{n}"),
        Builtin::Sarg(n) => format!("sarg{n}"),
        Builtin::ResultWord(n) => format!("retval{n}"),
        Builtin::Reg(n) => format!("reg{n}"),
        Builtin::Pid(PidSpace::Own) => "pid".into(),
        Builtin::Tid(PidSpace::Own) => "tid".into(),
        Builtin::Pid(PidSpace::Initial) => "pid(init)".into(),
        Builtin::Tid(PidSpace::Initial) => "tid(init)".into(),
        Builtin::Nsecs(clock) => format!("nsecs({clock:?})").to_lowercase(),
        Builtin::Stack => Sized(ty).to_string(),
        Builtin::DwarfStack => format!("dw_{}", Sized(ty)),
        other => format!("{other:?}").to_lowercase(),
    }
}
