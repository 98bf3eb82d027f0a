//! Text: its length, comparing parts of it, searching, joining two.

use super::{Builtin, EVERYWHERE, Form};
use crate::ast::Expr as Ast;
use crate::check::{Call, Checked, Checker, Outcome, with_article};
use crate::diag::Problem;
use crate::hir::{Expr, ExprKind, Fun};
use crate::types::Type;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "strlen",
        form: Form::Function,
        args: (1, 1),
        signature: "strlen(TEXT)",
        doc: "The number of bytes of a text, as `int64`.",
        example: "uprobe:./web:main.prepareAnswer { @ = hist(strlen(gostr(sarg0, sarg1))); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: strlen,
    },
    Builtin {
        name: "strcap",
        form: Form::Function,
        args: (1, 1),
        signature: "strcap(TEXT)",
        doc: "The number of bytes that a text may have here, its end included, as `int64`.",
        example: "begin { printf(\"%d\\n\", strcap(comm)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: strcap,
    },
    Builtin {
        name: "strncmp",
        form: Form::Function,
        args: (3, 3),
        signature: "strncmp(TEXT, TEXT, NUMBER)",
        doc: "Whether two texts differ in their first bytes, so many at most: 0 when they are the same, else 1, as `int64`.",
        example: "tracepoint:syscalls:sys_enter_openat /strncmp(str(args.filename), \"/etc/\", 5) == 0/ { @ = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: strncmp,
    },
    Builtin {
        name: "strcontains",
        form: Form::Function,
        args: (2, 2),
        signature: "strcontains(TEXT, PART)",
        doc: "Whether a text contains another, as `bool`.",
        example: "tracepoint:syscalls:sys_enter_openat /strcontains(str(args.filename), \".so\")/ { @ = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| search(checker, call, Fun::Contains, Type::Bool),
    },
    Builtin {
        name: "strstr",
        form: Form::Function,
        args: (2, 2),
        signature: "strstr(TEXT, PART)",
        doc: "Where a text contains another for the first time, counted in bytes from 0; negative if it does not. As `int64`.",
        example: "begin { printf(\"%d\\n\", strstr(comm, \"trace\")); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| search(checker, call, Fun::Find, Type::I64),
    },
    Builtin {
        name: "str_concat",
        form: Form::Function,
        args: (2, 2),
        signature: "str_concat(TEXT, TEXT)",
        doc: "Two texts, one behind the other.",
        example: "profile:hz:99 { @[str_concat(\"cpu \", comm)] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: str_concat,
    },
    Builtin {
        name: "memcmp",
        form: Form::Function,
        args: (3, 3),
        signature: "memcmp(A, B, NUMBER)",
        doc: "Whether so many bytes differ: 0 when they are the same, else 1, as `int64`. Pointers, arrays and texts can be compared.",
        example: "uprobe:libc:write { $p = (uint8 *)arg1; if (memcmp($p, \"GET \", 4) == 0) { @gets = count(); } }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: memcmp,
    },
];

/// Most bytes that are compared at once.
const MAX_COMPARED: i64 = 4096;

fn apply(fun: Fun, args: Vec<Expr>, ty: Type, call: &Call<'_>) -> Checked<Outcome> {
    Ok(Outcome::Value(Expr::new(ExprKind::Apply(fun, args), ty, call.span)))
}

/// A text.
fn text(checker: &mut Checker<'_>, arg: &Ast) -> Checked<Expr> {
    let value = checker.expr(arg)?;
    match &value.ty {
        Type::Str(_) => Ok(value),
        ty => {
            let problem = Problem::error(arg.span, format!("this must be a text, not {}", with_article(ty)));
            checker.fail(match ty {
                Type::Ptr { .. } | Type::Int { .. } => problem.help("`str(ADDRESS)` reads one"),
                _ => problem,
            })
        }
    }
}

/// The bytes of a literal.
fn literal(e: &Expr) -> Option<&[u8]> {
    match &e.kind {
        ExprKind::Str(text) => Some(text),
        _ => None,
    }
}

fn strlen(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let text = text(checker, arg)?;
    if let Some(text) = literal(&text) {
        let len = checker.number(text.len() as u64, call.span);
        return Ok(Outcome::Value(checker.cast_to(len, &Type::I64)));
    }
    apply(Fun::Length, vec![text], Type::I64, call)
}

fn strcap(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let size = text(checker, arg)?.ty.size();
    let size = checker.number(size.into(), call.span);
    Ok(Outcome::Value(checker.cast_to(size, &Type::I64)))
}

/// How many bytes are compared.
fn compared(checker: &mut Checker<'_>, arg: &Ast) -> Checked<u32> {
    let n = checker.constant(arg, "the number of bytes")?;
    if !(0..=MAX_COMPARED).contains(&n) {
        let message = format!("the number of bytes is 0 to {MAX_COMPARED}, not {n}");
        return checker.fail(Problem::error(arg.span, message));
    }
    Ok(n as u32)
}

fn strncmp(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [a, b, n] = call.args else { return checker.no_arguments(call) };
    let texts = [text(checker, a), text(checker, b)];
    let bytes = compared(checker, n)?;
    let [a, b] = texts;
    let (a, b) = (a?, b?);
    // Texts end with zeros, so behind the end of the shorter one there is nothing more to compare.
    let bytes = bytes.min(a.ty.size()).min(b.ty.size());
    differ(bytes, a, b, call)
}

fn differ(bytes: u32, a: Expr, b: Expr, call: &Call<'_>) -> Checked<Outcome> {
    // A literal stands on the right, where it is compared without being in memory.
    let (a, b) = if literal(&a).is_some() { (b, a) } else { (a, b) };
    apply(Fun::Differ { bytes }, vec![a, b], Type::I64, call)
}

/// Bytes to compare: an array, a text, or what a pointer points to.
fn bytes_of(checker: &mut Checker<'_>, arg: &Ast, bytes: u32) -> Checked<Expr> {
    let value = checker.expr(arg)?;
    let size = match &value.ty {
        Type::Ptr { .. } => {
            let (addr, space) = checker.address(value)?;
            let ty = Type::Array(Box::new(Type::Int { bits: 8, signed: false }), bytes.max(1));
            return Ok(Expr::new(ExprKind::Load { addr: Box::new(addr), space }, ty, arg.span));
        }
        Type::Array(..) | Type::Struct(_) => value.ty.size(),
        Type::Str(size) => *size,
        ty => {
            let message = format!("this must be a pointer, an array or a text, not {}", with_article(ty));
            return checker.fail(Problem::error(arg.span, message));
        }
    };
    if bytes > size {
        let message = format!("this has {size} bytes, fewer than are to be compared");
        return checker.fail(Problem::error(arg.span, message));
    }
    Ok(value)
}

fn memcmp(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [a, b, n] = call.args else { return checker.no_arguments(call) };
    let bytes = compared(checker, n)?;
    let (a, b) = (bytes_of(checker, a, bytes), bytes_of(checker, b, bytes));
    differ(bytes, a?, b?, call)
}

fn search(checker: &mut Checker<'_>, call: &Call<'_>, fun: Fun, ty: Type) -> Checked<Outcome> {
    let [within, part] = call.args else { return checker.no_arguments(call) };
    let (within, part) = (text(checker, within), text(checker, part));
    apply(fun, vec![within?, part?], ty, call)
}

fn str_concat(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [a, b] = call.args else { return checker.no_arguments(call) };
    let (a, b) = (text(checker, a), text(checker, b));
    let (a, b) = (a?, b?);
    if let (Some(x), Some(y)) = (literal(&a), literal(&b)) {
        return Ok(Outcome::Value(checker.literal_text(&[x, y].concat(), call.span)?));
    }
    let size = a.ty.size().saturating_add(b.ty.size()).min(checker.max_string());
    apply(Fun::Concat, vec![a, b], Type::Str(size), call)
}
