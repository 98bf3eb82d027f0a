//! Acting on the traced program: only with `--unsafe`.

use super::{Builtin, EVERYWHERE, Form};
use crate::ast::{Expr as Ast, ExprKind as AstKind};
use crate::check::{Call, Checked, Checker, Outcome, ProbeKind};
use crate::diag::Problem;
use crate::hir::{Attach, Expr, ExprKind, Fun, StmtKind};
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
    Builtin {
        name: "override",
        form: Form::Statement,
        args: (1, 1),
        signature: "override(VALUE)",
        doc: "The probed function of the kernel is not run and returns this at once. Only functions that the kernel lists for that \
              (`/sys/kernel/debug/error_injection/list`). Needs `--unsafe`.",
        example: "kprobe:__x64_sys_getuid /comm == \"id\"/ { override(42); }",
        probes: &[ProbeKind::Kprobe],
        elsewhere: Some("only a function of the kernel, at its entry, can be made to return"),
        check: override_return,
    },
    Builtin {
        name: "write_user",
        form: Form::Function,
        args: (3, 3),
        signature: "write_user(ADDRESS, SOURCE, BYTES)",
        doc: "Writes into the memory of the current process: so many bytes of a text or structure, or of what a pointer such as `&$x` \
              points to. Gives whether it could, as `bool`. Needs `--unsafe`, and a kernel that is not locked down.",
        example: "uprobe:libc:puts { $x = (uint8)33; write_user(arg0, &$x, 1); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: write_user,
    },
];

/// Most bytes that `write_user` writes: they pass through memory of the program.
const MOST_WRITTEN: i64 = 4096;

fn override_return(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    checker.unsafe_call(call)?;
    let [value] = call.args else { return checker.no_arguments(call) };
    if let Attach::Kprobe { places, .. } = &checker.target().attach
        && places.iter().any(|(_, place)| place.offset != 0)
    {
        let problem = Problem::error(call.span, "a function is left at its entry only, not from inside");
        return checker.fail(problem.help("leave out the offset of the attach point"));
    }
    let value = checker.number_arg(value)?;
    let kind = ExprKind::Apply(Fun::Override, vec![checker.cast_to(value, &Type::U64)]);
    Ok(Outcome::Effect(vec![StmtKind::Expr(Expr::new(kind, Type::I64, call.span))]))
}

fn write_user(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    checker.unsafe_call(call)?;
    let [to, from, bytes] = call.args else { return checker.no_arguments(call) };
    let (address, _) = checker.address_arg(to)?;
    let value = checker.expr(from)?;
    let count = checker.constant(bytes, "the number of bytes")?;
    let most = match &value.ty {
        Type::Ptr { .. } => MOST_WRITTEN,
        ty if ty.is_scalar() => {
            let problem = Problem::error(value.span, "what is written must lie in memory");
            return checker.fail(problem.help("give the address of a variable: `&$x`"));
        }
        ty => MOST_WRITTEN.min(ty.size().into()),
    };
    if !(1..=most).contains(&count) {
        return checker.fail(Problem::error(bytes.span, format!("1 to {most} bytes can be written")));
    }
    let kind = ExprKind::Apply(Fun::WriteUser { bytes: count as u32 }, vec![address, value]);
    Ok(Outcome::Value(Expr::new(kind, Type::Bool, call.span)))
}

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
