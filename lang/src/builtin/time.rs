//! Clocks, and the time of day.

use super::{Builtin, EVERYWHERE, Form};
use crate::ast::ExprKind as Ast;
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::hir::{Action, Builtin as Node, Clock, Expr, ExprKind, StmtKind};
use crate::types::Type;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "nsecs",
        form: Form::Variable,
        args: (0, 1),
        signature: "nsecs([CLOCK])",
        doc: "Time in nanoseconds, as `uint64`. The clock is `boot` (since the machine started, the default), `monotonic` \
              (the same without times of sleep), `tai` (Linux 6.1), or `sw_tai`, which computes that from the boot clock.",
        example: "uprobe:./web:main.handler { @start[callid] = nsecs; }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: nsecs,
    },
    Builtin {
        name: "elapsed",
        form: Form::Variable,
        args: (0, 0),
        signature: "elapsed",
        doc: "Nanoseconds since gotrace started, as `uint64`.",
        example: "uprobe:./web:main.handler { printf(\"%d ms\\n\", elapsed / 1000000); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| {
            Ok(Outcome::Value(Expr::new(ExprKind::Builtin(Node::Elapsed), Type::U64, call.span)))
        },
    },
    Builtin {
        name: "jiffies",
        form: Form::Variable,
        args: (0, 0),
        signature: "jiffies",
        doc: "Ticks of the kernel's timer since the machine started, as `uint64`.",
        example: "begin { printf(\"%d\\n\", jiffies); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| {
            Ok(Outcome::Value(Expr::new(ExprKind::Builtin(Node::Jiffies), Type::U64, call.span)))
        },
    },
    Builtin {
        name: "time",
        form: Form::Statement,
        args: (0, 1),
        signature: "time([FORMAT])",
        doc: "Prints the time of day. The format is that of strftime(3) with `%f` for microseconds; `%H:%M:%S\\n` if it \
              is left out.",
        example: "tracepoint:syscalls:sys_enter_read { @[comm] = count(); }\n\
                  interval:s:1 { time(\"%H:%M:%S \"); print(@); clear(@); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: time,
    },
    Builtin {
        name: "strftime",
        form: Form::Function,
        args: (2, 2),
        signature: "strftime(FORMAT, NANOSECONDS)",
        doc: "A moment, given as `nsecs`, that prints as the time of day. The format is that of strftime(3) with `%f` for \
              microseconds.",
        example: "uprobe:./web:main.handler { printf(\"%s\\n\", strftime(\"%H:%M:%S.%f\", nsecs)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: strftime,
    },
];

/// The clocks by name.
const CLOCKS: &[(&str, Clock)] = &[
    ("boot", Clock::Boot),
    ("monotonic", Clock::Monotonic),
    ("tai", Clock::Tai),
    ("sw_tai", Clock::SoftwareTai),
];

fn nsecs(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let clock = match call.args {
        [] => Clock::Boot,
        [arg, ..] => {
            let name = match &arg.kind {
                Ast::Ident(name) => name.as_str(),
                _ => "",
            };
            match CLOCKS.iter().find(|(known, _)| *known == name) {
                Some((_, clock)) => *clock,
                None => {
                    return checker.fail(
                        Problem::error(arg.span, "this is no clock")
                            .note("clocks are boot, monotonic, tai and sw_tai"),
                    );
                }
            }
        }
    };
    Ok(Outcome::Value(Expr::new(ExprKind::Builtin(Node::Nsecs(clock)), Type::U64, call.span)))
}

fn time(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let format = match call.args {
        [] => "%H:%M:%S\n".into(),
        [format, ..] => checker.text_arg(format, "the format")?,
    };
    Ok(Outcome::Effect(vec![StmtKind::Emit { action: Action::Time(format), args: Vec::new() }]))
}

fn strftime(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [format, nanos] = call.args else { return checker.no_arguments(call) };
    let format = checker.text_arg(format, "the format");
    let nanos = checker.number_arg(nanos);
    let (format, nanos) = (format?, nanos?);
    let nanos = checker.cast_to(nanos, &Type::U64);
    Ok(Outcome::Value(checker.cast_to(nanos, &Type::Timestamp(format)).with_span(call.span)))
}
