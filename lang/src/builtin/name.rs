//! Numbers that print as names.

use super::{Builtin, EVERYWHERE, Form};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::types::NameOf;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "strerror",
        form: Form::Function,
        args: (1, 1),
        signature: "strerror(NUMBER)",
        doc: "An error number of errno(3), which prints as its message.",
        example: "tracepoint:syscalls:sys_exit_openat /args.ret < 0/ { @[strerror(-args.ret)] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| named(checker, call, NameOf::Errno),
    },
    Builtin {
        name: "signal_name",
        form: Form::Function,
        args: (1, 1),
        signature: "signal_name(NUMBER)",
        doc: "The number of a signal, which prints as strsignal(3) describes it.",
        example: "tracepoint:signal:signal_deliver { @[signal_name(args.sig)] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| named(checker, call, NameOf::Signal),
    },
    Builtin {
        name: "syscall_name",
        form: Form::Function,
        args: (1, 1),
        signature: "syscall_name(NUMBER)",
        doc: "The number of a system call, which prints as its name.",
        example: "tracepoint:raw_syscalls:sys_enter { @[syscall_name(args.id)] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| named(checker, call, NameOf::Syscall),
    },
];

fn named(checker: &mut Checker<'_>, call: &Call<'_>, of: NameOf) -> Checked<Outcome> {
    let [number] = call.args else { return checker.no_arguments(call) };
    let number = checker.number_arg(number)?;
    Ok(Outcome::Value(checker.named(number, of, call.span)))
}
