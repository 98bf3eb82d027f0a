//! Who is running: ids and names of the current process and thread, and the child that gotrace started.

use super::{Builtin, EVERYWHERE, Form};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::hir::{Builtin as Node, Expr, ExprKind};
use crate::types::Type;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "pid",
        form: Form::Variable,
        args: (0, 0),
        signature: "pid",
        doc: "The id of the current process, as `uint32`.",
        example: "tracepoint:syscalls:sys_enter_openat { @[pid] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| id(call, Node::Pid),
    },
    Builtin {
        name: "tid",
        form: Form::Variable,
        args: (0, 0),
        signature: "tid",
        doc: "The id of the current thread, as `uint32`. A goroutine may change its thread: use `goid` for Go.",
        example: "tracepoint:syscalls:sys_enter_read { @start[tid] = nsecs; }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| id(call, Node::Tid),
    },
    Builtin {
        name: "uid",
        form: Form::Variable,
        args: (0, 0),
        signature: "uid",
        doc: "The user id of the current thread, as `uint32`.",
        example: "tracepoint:syscalls:sys_enter_execve /uid == 0/ { @[comm] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| id(call, Node::Uid),
    },
    Builtin {
        name: "gid",
        form: Form::Variable,
        args: (0, 0),
        signature: "gid",
        doc: "The group id of the current thread, as `uint32`. For the id of a goroutine see `goid`.",
        example: "tracepoint:syscalls:sys_enter_execve { @[gid] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| id(call, Node::Gid),
    },
    Builtin {
        name: "comm",
        form: Form::Variable,
        args: (0, 0),
        signature: "comm",
        doc: "The name of the current thread, at most 15 bytes.",
        example: "profile:hz:99 { @[comm] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| {
            let node = ExprKind::Builtin(Node::Comm);
            Ok(Outcome::Value(Expr::new(node, Type::Str(16), call.span)))
        },
    },
    Builtin {
        name: "cpid",
        form: Form::Variable,
        args: (0, 0),
        signature: "cpid",
        doc: "The id of the process that `-c` started or `-p` names, as `uint32`.",
        example: "tracepoint:syscalls:sys_enter_openat /pid == cpid/ { @ = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: cpid,
    },
];

fn id(call: &Call<'_>, node: Node) -> Checked<Outcome> {
    Ok(Outcome::Value(Expr::new(ExprKind::Builtin(node), Type::U32, call.span)))
}

fn cpid(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    match checker.env.child() {
        Some(pid) => Ok(Outcome::Value(Expr::new(ExprKind::Int(u64::from(pid)), Type::U32, call.span))),
        None => checker.fail(
            Problem::error(call.span, "there is no child process")
                .help("start one with `-c COMMAND`, or name one with `-p PID`"),
        ),
    }
}
