//! Acting on the traced program: only with `--unsafe`.

use super::{Builtin, EVERYWHERE, Form};
use crate::ast::{Expr as Ast, ExprKind as AstKind};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::hir::{Expr, ExprKind, Fun};
use crate::types::Type;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "signal",
        form: Form::Function,
        args: (1, 1),
        signature: "signal(SIGNAL)",
        doc: "Sends a signal, a number or a name such as \"KILL\", to the current process; 0, or a negative error number, as \
              `int64`. Needs `--unsafe`.",
        example: "uprobe:./web:main.handler { signal(\"STOP\"); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| signal(checker, call, false),
    },
    Builtin {
        name: "signal_thread",
        form: Form::Function,
        args: (1, 1),
        signature: "signal_thread(SIGNAL)",
        doc: "As `signal`, to the current thread.",
        example: "uprobe:./web:main.handler { signal_thread(\"USR1\"); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| signal(checker, call, true),
    },
];

/// Signals by number from 1 on, as the kernel numbers them on x86-64 and arm64 (include/uapi/asm-generic/signal.h).
const SIGNALS: &[&str] = &[
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// Greatest number of a signal.
const MAX_SIGNAL: u64 = 64;

fn signal(checker: &mut Checker<'_>, call: &Call<'_>, thread: bool) -> Checked<Outcome> {
    checker.unsafe_call(call)?;
    let [arg] = call.args else { return checker.no_arguments(call) };
    let number = number(checker, arg)?;
    let kind = ExprKind::Apply(Fun::Signal { thread }, vec![number]);
    Ok(Outcome::Value(Expr::new(kind, Type::I64, call.span)))
}

fn number(checker: &mut Checker<'_>, arg: &Ast) -> Checked<Expr> {
    if let AstKind::Str(_) = arg.kind {
        let text = checker.text_arg(arg, "the name of a signal")?;
        let name = text.strip_prefix("SIG").unwrap_or(&text);
        return match SIGNALS.iter().position(|known| *known == name) {
            Some(at) => Ok(checker.number(at as u64 + 1, arg.span)),
            None => {
                let problem = Problem::error(arg.span, format!("there is no signal `{text}`"));
                checker.fail(problem.did_you_mean(name, SIGNALS.iter().copied()))
            }
        };
    }
    let number = checker.number_arg(arg)?;
    if number.literal().is_some_and(|n| n == 0 || n > MAX_SIGNAL) {
        return checker.fail(Problem::error(arg.span, format!("signals are 1 to {MAX_SIGNAL}")));
    }
    Ok(number)
}
