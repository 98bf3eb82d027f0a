//! What is in an interface of a Go program: the name of its type, the message of an error.

use super::{Builtin, Form, IN_PROGRAMS};
use crate::ast::Expr as Ast;
use crate::check::dynamic::Interface;
use crate::check::{Call, Checked, Checker, Outcome, with_article};
use crate::diag::Problem;
use crate::hir::{Expr, ExprKind, GoError};
use crate::types::Type;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "gotype",
        form: Form::Function,
        args: (1, 1),
        signature: "gotype(INTERFACE)",
        doc: "The name of the type of what is in a Go interface, as `%T` prints it; `<nil>` for nothing. A number is taken as \
              the address of a type, which is the first word of an `interface{}`.",
        example: "uprobe:./web:main.handler { @[gotype(args.w)] = count(); }",
        probes: IN_PROGRAMS,
        elsewhere: None,
        check: gotype,
    },
    Builtin {
        name: "goerr",
        form: Form::Function,
        args: (1, 2),
        signature: "goerr(ERROR), goerr(WORD, WORD)",
        doc: "The message of a Go error whose type keeps it in its members, as those of the standard library do, else the name of \
              its type; `<nil>` for no error. Also given by the two words of the `error`, or of an \
              `interface{}` as `goerr(gotype(WORD), WORD)`.",
        example: "uretprobe:./values:main.open { @[goerr(retval.err)] = count(); }",
        probes: IN_PROGRAMS,
        elsewhere: None,
        check: goerr,
    },
    Builtin {
        name: "goas",
        form: Form::Function,
        args: (2, 2),
        signature: "goas(INTERFACE, \"TYPE\")",
        doc: "What is in a Go interface, as a pointer to that type: to the value, or where TYPE is a pointer the pointer itself. nil if \
              something else is in it. TYPE is the name that `gotype` prints, or the one with the whole import path.",
        example: "uprobe:./web:main.handler { print(goas(args.w, \"*http.response\").status); }",
        probes: IN_PROGRAMS,
        elsewhere: None,
        check: goas,
    },
];

fn gotype(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let address = match checker.interface(arg)? {
        Some(interface) => checker.type_word(&interface),
        None => word(checker, arg)?,
    };
    Ok(Outcome::Value(Expr::new(ExprKind::Symbol(Box::new(address)), Type::GoTypeName, call.span)))
}

fn goerr(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let interface = match call.args {
        [first, data] => {
            let (first, methods) = first_word(checker, first)?;
            let data = word(checker, data)?;
            Interface { first, data, methods }
        }
        [arg] => match checker.interface(arg)? {
            Some(interface) => interface,
            None => {
                let value = checker.expr(arg)?;
                return not_interface(checker, arg, &value);
            }
        },
        _ => return checker.no_arguments(call),
    };
    let (types, base) = checker.error_types(call.span)?;
    let error = GoError { words: (interface.first, interface.data), methods: interface.methods, base, types };
    Ok(Outcome::Value(Expr::new(ExprKind::GoError(Box::new(error)), Type::GoError, call.span)))
}

fn goas(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg, name] = call.args else { return checker.no_arguments(call) };
    let text = checker.text_arg(name, "the name of a type")?;
    match checker.interface(arg)? {
        Some(interface) => Ok(Outcome::Value(checker.held_as(&interface, &text, name.span)?)),
        None => {
            let value = checker.expr(arg)?;
            not_interface(checker, arg, &value)
        }
    }
}

/// The first word of an interface that the script reads itself, and whether the interface has methods: `error` has one, so the word alone
/// is never a type. `gotype(WORD)` says that it is, as in an `interface{}`.
fn first_word(checker: &mut Checker<'_>, arg: &Ast) -> Checked<(Expr, bool)> {
    let first = checker.expr(arg)?;
    match (first.kind, first.ty) {
        (ExprKind::Symbol(address), Type::GoTypeName) => Ok((*address, false)),
        _ => Ok((word(checker, arg)?, true)),
    }
}

/// A word of an interface that the script reads itself.
fn word(checker: &mut Checker<'_>, arg: &Ast) -> Checked<Expr> {
    let word = checker.expr(arg)?;
    if !matches!(word.ty, Type::Int { .. } | Type::Ptr { .. }) {
        return not_interface(checker, arg, &word);
    }
    Ok(checker.cast_to(word, &Type::U64))
}

fn not_interface<T>(checker: &mut Checker<'_>, arg: &Ast, value: &Expr) -> Checked<T> {
    let problem =
        Problem::error(arg.span, format!("this is {}, not a Go interface", with_article(&value.ty)));
    checker
        .fail(problem.help("name a parameter, result or member of an interface type: `args.err`, `retval.1`"))
}
