//! Reading memory: text and bytes.

use super::{Builtin, EVERYWHERE, Form};
use crate::ast::{Expr as Ast, ExprKind as AstKind};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::env::Abi;
use crate::fold;
use crate::hir::{Attach, Builtin as Builtins, Expr, ExprKind};
use crate::types::{AddrSpace, Type};

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "str",
        form: Form::Function,
        args: (1, 2),
        signature: "str(ADDRESS [, LENGTH])",
        doc: "The text at an address, up to its NUL byte; with a length at most that many bytes. Also a script argument \
              as text: `str($1)`.",
        example: "tracepoint:syscalls:sys_enter_execve { printf(\"%s\\n\", str(args.filename)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: str,
    },
    Builtin {
        name: "gostr",
        form: Form::Function,
        args: (1, 2),
        signature: "gostr(ADDRESS, LENGTH)",
        doc: "The Go string of these two words; with one argument, the string whose two words are at that address.",
        example: "uprobe:./web:main.prepareAnswer { printf(\"%s\\n\", gostr(sarg0, sarg1)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: gostr,
    },
    Builtin {
        name: "buf",
        form: Form::Function,
        args: (1, 2),
        signature: "buf(ADDRESS [, LENGTH])",
        doc: "Bytes at an address, for `%r`, `%rx` and `%rh`.",
        example: "uprobe:./web:net.(*conn).Write { printf(\"%r\\n\", buf(sarg1, sarg2)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: buf,
    },
];

/// A length: the 64-bit value, and the number if it is known.
fn length(checker: &mut Checker<'_>, arg: &Ast) -> Checked<(Expr, Option<u32>)> {
    let len = checker.number_arg(arg)?;
    let known = len.literal().map(|v| v as i64);
    if known.is_some_and(|n| n < 0) {
        return checker.fail(Problem::error(arg.span, "a length cannot be negative"));
    }
    let known = known.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    Ok((checker.cast_to(len, &Type::U64), known))
}

/// The type of a string of at most `len` bytes, or of the longest that strings may be.
fn string_type(checker: &Checker<'_>, len: Option<u32>) -> Type {
    let most = checker.max_string();
    Type::Str(len.map_or(most, |n| n.saturating_add(1).min(most).next_multiple_of(8)))
}

fn str(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [address, rest @ ..] = call.args else { return checker.no_arguments(call) };
    if let AstKind::Param(n) = address.kind {
        let text = checker.param_text(n).unwrap_or_default();
        return Ok(Outcome::Value(checker.literal_text(text.as_bytes(), call.span)?));
    }
    let len = rest.first().map(|len| length(checker, len)).transpose();
    let text = checker.expr(address)?;
    if matches!(text.ty, Type::Str(_)) {
        return match len? {
            None => Ok(Outcome::Value(text)),
            Some(_) => checker.fail(
                Problem::error(address.span, "this is a string already")
                    .help("`%.5s` prints at most 5 bytes of it"),
            ),
        };
    }
    if let (ExprKind::ReadBuf { addr, len: all, space: AddrSpace::User }, true) =
        (&text.kind, rest.is_empty())
    {
        // The text in a Go `[]byte` is all of its bytes, as that of a Go string is.
        let kind = ExprKind::GoStr { addr: addr.clone(), len: all.clone() };
        return Ok(Outcome::Value(Expr::new(kind, string_type(checker, None), call.span)));
    }
    if rest.is_empty() {
        warn_of_go_string(checker, &text);
    }
    let (addr, space) = checker.address(text)?;
    let len = len?;
    let ty = string_type(checker, len.as_ref().and_then(|(_, known)| *known));
    let len = len.map(|(len, _)| Box::new(len));
    Ok(Outcome::Value(Expr::new(ExprKind::ReadStr { addr: Box::new(addr), len, space }, ty, call.span)))
}

/// Warns of the word of a Go function read as C reads text: what follows the string in memory would be taken for a part of it.
fn warn_of_go_string(checker: &mut Checker<'_>, text: &Expr) {
    let (ExprKind::Builtin(Builtins::Arg(n) | Builtins::Sarg(n)), Attach::Uprobe { class, .. }) =
        (&text.kind, &checker.target().attach)
    else {
        return;
    };
    if class.abi == Abi::C {
        return;
    }
    let problem =
        Problem::warning(text.span, "a Go string has no zero byte at its end: `str` reads on behind it")
            .help(format!(
                "`gostr(sarg{n}, sarg{})` reads a Go string by its two words, `args.NAME` by its name",
                n + 1
            ))
            .note("of text with a zero byte say how many bytes are read at most: `str(ADDRESS, LENGTH)`");
    checker.warn(problem);
}

fn gostr(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [address, rest @ ..] = call.args else { return checker.no_arguments(call) };
    let addr = checker.address_arg(address);
    let len = rest.first().map(|len| length(checker, len)).transpose();
    let ((addr, _), len) = (addr?, len?);
    let (addr, len, known) = match len {
        Some((len, known)) => (addr, len, known),
        None => {
            if !fold::is_pure(&addr) {
                let problem = Problem::error(address.span, "gostr() would do this twice")
                    .help("put the address into a variable first");
                return checker.fail(problem);
            }
            let word = |addr: Expr| {
                let span = addr.span;
                Expr::new(ExprKind::Load { addr: Box::new(addr), space: AddrSpace::User }, Type::U64, span)
            };
            (word(addr.clone()), word(checker.offset(addr, 8)), None)
        }
    };
    let ty = string_type(checker, known);
    let kind = ExprKind::GoStr { addr: Box::new(addr), len: Box::new(len) };
    Ok(Outcome::Value(Expr::new(kind, ty, call.span)))
}

fn buf(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [address, rest @ ..] = call.args else { return checker.no_arguments(call) };
    let addr = checker.address_arg(address);
    let most = checker.config.max_strlen;
    let len = match rest.first() {
        Some(len) => length(checker, len),
        None => Ok((checker.number(u64::from(most), call.span), Some(most))),
    };
    let ((addr, space), (len, known)) = (addr?, len?);
    let ty = Type::Buf(known.unwrap_or(most).clamp(1, most.max(1)));
    let kind = ExprKind::ReadBuf { addr: Box::new(addr), len: Box::new(len), space };
    Ok(Outcome::Value(Expr::new(kind, ty, call.span)))
}
