//! Who is running: ids and names of the current process and thread, and the child that gotrace started.

use super::{Builtin, EVERYWHERE, Form};
use crate::ast::ExprKind as Ast;
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::hir::{Builtin as Node, Expr, ExprKind, Fun, PidSpace, TaskField};
use crate::types::{NameOf, Type};

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "pid",
        form: Form::Variable,
        args: (0, 1),
        signature: "pid or pid(init)",
        doc: "The id of the current process, as `uint32`: in the pid namespace that gotrace runs in, or in the initial one.",
        example: "tracepoint:syscalls:sys_enter_openat { @[pid] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| pid(checker, call, Node::Pid),
    },
    Builtin {
        name: "tid",
        form: Form::Variable,
        args: (0, 1),
        signature: "tid or tid(init)",
        doc: "The id of the current thread, as `uint32`, in the same namespaces as `pid`. A goroutine may change its thread: \
              use `goid` for Go.",
        example: "tracepoint:syscalls:sys_enter_read { @start[tid] = nsecs; }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| pid(checker, call, Node::Tid),
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
        name: "username",
        form: Form::Variable,
        args: (0, 0),
        signature: "username",
        doc: "The user id of the current thread, which prints as the user's name.",
        example: "tracepoint:syscalls:sys_enter_execve { @[username] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| {
            let uid = Expr::new(ExprKind::Builtin(Node::Uid), Type::U32, call.span);
            Ok(Outcome::Value(checker.named(uid, NameOf::User, call.span)))
        },
    },
    Builtin {
        name: "ppid",
        form: Form::Variable,
        args: (0, 1),
        signature: "ppid or ppid(TASK)",
        doc: "The id of the parent of the current process, or of the thread whose `task_struct` is at an address, as \
              `uint32`; 0 if it lives outside of gotrace's pid namespace.",
        example: "tracepoint:syscalls:sys_enter_execve { @[ppid, pcomm] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| task(checker, call, TaskField::ParentPid, Type::U32),
    },
    Builtin {
        name: "pcomm",
        form: Form::Variable,
        args: (0, 1),
        signature: "pcomm or pcomm(TASK)",
        doc: "The name of the parent of the current process, or of that of a `task_struct`, at most 15 bytes.",
        example: "tracepoint:syscalls:sys_enter_execve { @[pcomm] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| task(checker, call, TaskField::ParentComm, Type::Str(16)),
    },
    Builtin {
        name: "leader_tid",
        form: Form::Variable,
        args: (0, 1),
        signature: "leader_tid or leader_tid(TASK)",
        doc: "The id of the main thread of the current process, or of that of a `task_struct`, as `uint32`.",
        example: "profile:hz:99 /tid != leader_tid/ { @workers = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| task(checker, call, TaskField::LeaderTid, Type::U32),
    },
    Builtin {
        name: "leader_comm",
        form: Form::Variable,
        args: (0, 1),
        signature: "leader_comm or leader_comm(TASK)",
        doc: "The name of the main thread of the current process, or of that of a `task_struct`, at most 15 bytes.",
        example: "profile:hz:99 { @[leader_comm, comm] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| task(checker, call, TaskField::LeaderComm, Type::Str(16)),
    },
    Builtin {
        name: "comm",
        form: Form::Variable,
        args: (0, 1),
        signature: "comm or comm(ID)",
        doc: "The name of the current thread, at most 15 bytes. With an id, the name of that process or thread, looked up when it is printed.",
        example: "profile:hz:99 { @[comm] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: comm,
    },
    Builtin {
        name: "has_cpid",
        form: Form::Variable,
        args: (0, 0),
        signature: "has_cpid",
        doc: "Whether there is a process of `-c` or `-p`.",
        example: "tracepoint:syscalls:sys_enter_openat { if (has_cpid) { @child = count(); } }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| {
            let has = u64::from(checker.env.child().is_some());
            Ok(Outcome::Value(Expr::new(ExprKind::Int(has), Type::Bool, call.span)))
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

/// `pid` and `tid`, with an optional namespace.
fn pid(checker: &mut Checker<'_>, call: &Call<'_>, node: fn(PidSpace) -> Node) -> Checked<Outcome> {
    let space = match call.args {
        [] => PidSpace::Own,
        [arg, ..] => match &arg.kind {
            Ast::Ident(name) if name == "init" => PidSpace::Initial,
            Ast::Ident(name) if name == "curr_ns" => PidSpace::Own,
            _ => {
                let problem = Problem::error(arg.span, "this is no pid namespace")
                    .note("namespaces are curr_ns, that of gotrace, and init, the one of the machine");
                return checker.fail(problem);
            }
        },
    };
    id(call, node(space))
}

fn comm(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [id, ..] = call.args else {
        let node = ExprKind::Builtin(Node::Comm);
        return Ok(Outcome::Value(Expr::new(node, Type::Str(16), call.span)));
    };
    let id = checker.number_arg(id)?;
    Ok(Outcome::Value(checker.named(id, NameOf::Thread, call.span)))
}

/// Something that the kernel keeps of a thread: the current one, or one that is given by its address.
fn task(checker: &mut Checker<'_>, call: &Call<'_>, field: TaskField, ty: Type) -> Checked<Outcome> {
    let task = call.args.iter().map(|arg| checker.address_arg(arg).map(|(address, _)| address));
    let task = task.collect::<Checked<Vec<Expr>>>()?;
    Ok(Outcome::Value(Expr::new(ExprKind::Apply(Fun::Task(field), task), ty, call.span)))
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
