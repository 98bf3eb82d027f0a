//! What ends a script that is not as it should be, or a probe of it, and the options of a script.

use super::{Builtin, EVERYWHERE, Form};
use crate::ast::{Expr as Ast, ExprKind as AstKind};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::config::{SETTINGS, Value};
use crate::diag::Problem;
use crate::format::{Conv, Format, Piece};
use crate::hir::{Action, Expr, ExprKind, Severity, Stmt, StmtKind, UnOp};
use crate::types::Type;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "getopt",
        form: Form::Function,
        args: (1, 3),
        signature: "getopt(NAME [, DEFAULT [, HELP]])",
        doc: "The value of the option `--NAME=VALUE` behind the script, or the default. The default decides what the option takes: \
              a boolean (so without one: `false`, and `--NAME` alone is `true`), a number or a text.",
        example: "interval:s:1 { if (getopt(\"verbose\")) { print(@n); } if (elapsed > getopt(\"seconds\", 10, \"how long\") * 1s) { exit(); } @n++; }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: getopt,
    },
    Builtin {
        name: "config",
        form: Form::Variable,
        args: (0, 0),
        signature: "config",
        doc: "The settings that the script runs with, as a record of the names that stand in a `config` block. They are known before the run.",
        example: "begin { if comptime (config.max_strlen < 256) { warnf(\"names of files will be cut\"); } }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: config,
    },
    Builtin {
        name: "assert",
        form: Form::Statement,
        args: (2, 2),
        signature: "assert(CONDITION, TEXT)",
        doc: "Reports the text, with its place, and ends the run with status 1 when the condition is false; in a `test` probe it fails the test.",
        example: "begin { assert($# > 0, \"name a program\"); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: assert,
    },
    Builtin {
        name: "static_assert",
        form: Form::Statement,
        args: (1, 2),
        signature: "static_assert(CONDITION [, TEXT])",
        doc: "Refuses the script when the condition, which is known before the run, is false.",
        example: "struct header { uint64 a; uint64 b; }; begin { static_assert(sizeof(struct header) == 16, \"the layout has changed\"); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: static_assert,
    },
    Builtin {
        name: "fail",
        form: Form::Statement,
        args: (1, usize::MAX),
        signature: "fail(FORMAT [, VALUE, …])",
        doc: "Refuses the script with this text, unless it stands where nothing is compiled (`if comptime`); values are literals.",
        example: "begin { if comptime (sizeof(uint64) != 8) { fail(\"a number has %d bytes\", sizeof(uint64)); } }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: fail,
    },
    Builtin {
        name: "unwatch",
        form: Form::Statement,
        args: (1, 1),
        signature: "unwatch(ADDRESS)",
        doc: "Ends the watchpoints on this address, once gotrace reads the call: what they see until then still counts. Where there is none, \
              a warning says so.",
        example: "watchpoint:0x10000000:8:w { @writes = count(); } interval:s:5 { unwatch(0x10000000); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: unwatch,
    },
];

fn config(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for setting in SETTINGS {
        let value = match setting.value(checker.config) {
            Value::Number(n) => Expr::new(ExprKind::Int(n), Type::U64, call.span),
            Value::Truth(b) => Expr::new(ExprKind::Int(b.into()), Type::Bool, call.span),
            Value::Text(text) => checker.literal_text(text.as_bytes(), call.span)?,
        };
        names.push((setting.name.into(), value.ty.clone()));
        values.push(value);
    }
    Ok(Outcome::Value(Expr::new(ExprKind::Tuple(values), Type::Record(names), call.span)))
}

fn assert(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [condition, text] = call.args else { return checker.no_arguments(call) };
    let cond = checker.condition(condition);
    let text = checker.text_arg(text, "the text of an assertion")?;
    let cond = cond?;
    let span = cond.span;
    let failed = Expr::new(ExprKind::Unary(UnOp::Not, Box::new(cond)), Type::Bool, span);
    let message = Format { pieces: vec![Piece::Text(format!("assertion failed: {text}").into_bytes())] };
    let one = Expr::new(ExprKind::Int(1), Type::I64, call.span);
    let then = [
        StmtKind::Emit { action: Action::Report(Severity::Error, message), args: Vec::new() },
        StmtKind::Emit { action: Action::Exit, args: vec![one] },
        StmtKind::Return,
    ];
    let then = then.into_iter().map(|kind| Stmt { kind, span: call.span }).collect();
    Ok(Outcome::Effect(vec![StmtKind::If { cond: crate::fold::node(failed), then, els: Vec::new() }]))
}

fn static_assert(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [condition, text @ ..] = call.args else { return checker.no_arguments(call) };
    let cond = checker.comptime_condition(condition);
    let text = text.first().map(|t| checker.text_arg(t, "the text of an assertion")).transpose()?;
    if cond?.literal() == Some(0) {
        let message = text.map_or_else(|| "this is false".to_owned(), |t| t.to_string());
        return checker.fail(Problem::error(condition.span, message).note("the script asserts this"));
    }
    Ok(Outcome::Effect(Vec::new()))
}

fn fail(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [format_arg, values @ ..] = call.args else { return checker.no_arguments(call) };
    let text = checker.text_arg(format_arg, "a format")?;
    let format = match Format::parse(text.as_bytes()) {
        Ok(format) => format,
        Err(error) => return checker.fail(Problem::error(format_arg.span, error.message)),
    };
    let mut message = Vec::new();
    let mut values = values.iter();
    for piece in &format.pieces {
        match (piece, piece_value(piece, &mut values)) {
            (Piece::Text(text), _) => message.extend(text),
            (Piece::Conv(spec), Some(value)) => {
                let value = checker.comptime(value)?;
                message.extend(shown(&value, spec.conv).into_bytes());
            }
            (Piece::Conv(_), None) => {
                let problem = Problem::error(call.span, "a conversion of the format has no value");
                return checker.fail(problem);
            }
        }
    }
    let message = String::from_utf8_lossy(&message).trim_end().to_owned();
    checker.fail(Problem::error(call.span, message).note("the script refuses to run here"))
}

fn unwatch(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [address] = call.args else { return checker.no_arguments(call) };
    let (address, _) = checker.address_arg(address)?;
    Ok(Outcome::Effect(vec![StmtKind::Emit { action: Action::Unwatch, args: vec![address] }]))
}

/// The value that a piece takes.
fn piece_value<'e>(piece: &Piece, values: &mut impl Iterator<Item = &'e Ast>) -> Option<&'e Ast> {
    match piece {
        Piece::Text(_) => None,
        Piece::Conv(_) => values.next(),
    }
}

/// A literal as a conversion shows it.
fn shown(value: &Expr, conv: Conv) -> String {
    match (&value.kind, conv) {
        (ExprKind::Str(text), _) => String::from_utf8_lossy(text).into_owned(),
        (ExprKind::Int(v), Conv::HexLower | Conv::Pointer) => format!("{v:x}"),
        (ExprKind::Int(v), Conv::HexUpper) => format!("{v:X}"),
        (ExprKind::Int(v), Conv::Unsigned) => v.to_string(),
        (ExprKind::Int(v), Conv::Text) if value.ty == Type::Bool => (*v != 0).to_string(),
        (ExprKind::Int(v), _) => (*v as i64).to_string(),
        _ => String::new(),
    }
}

fn getopt(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [name, rest @ ..] = call.args else { return checker.no_arguments(call) };
    let AstKind::Str(text) = &name.kind else {
        return checker.fail(Problem::error(name.span, "the name of an option must be a string literal"));
    };
    let name = String::from_utf8_lossy(text).into_owned();
    if let Some(help) = rest.get(1) {
        checker.text_arg(help, "the description of an option")?;
    }
    let default = match rest.first() {
        Some(default) => checker.comptime(default)?,
        None => Expr::new(ExprKind::Int(0), Type::Bool, call.span),
    };
    let Some(given) = checker.env.option(&name).map(str::to_owned) else {
        return Ok(Outcome::Value(default.with_span(call.span)));
    };
    let takes = |what: &str| {
        let text = format!("`--{name}` takes {what}, not `{given}`");
        Problem::error(call.span, text)
            .help(format!("for example `--{name}={}`", shown(&default, Conv::Text)))
    };
    let value = match (&default.kind, &default.ty) {
        (ExprKind::Str(_), _) => {
            return Ok(Outcome::Value(checker.literal_text(given.as_bytes(), call.span)?));
        }
        (_, Type::Bool) => match given.as_str() {
            "" | "true" | "1" => Expr::new(ExprKind::Int(1), Type::Bool, call.span),
            "false" | "0" => Expr::new(ExprKind::Int(0), Type::Bool, call.span),
            _ => return checker.fail(takes("`true` or `false`")),
        },
        _ => match crate::check::parse_number(&given) {
            Some(value) => value.with_span(call.span),
            None => return checker.fail(takes("a number")),
        },
    };
    Ok(Outcome::Value(value))
}
