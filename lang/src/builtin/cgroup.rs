//! Control groups.

use super::{Builtin, EVERYWHERE, Form};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::hir::{Builtin as Node, Expr, ExprKind};
use crate::types::{NameOf, Type};

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "cgroup",
        form: Form::Variable,
        args: (0, 0),
        signature: "cgroup",
        doc: "The id of the current thread's control group in the unified hierarchy, as `uint64`.",
        example: "tracepoint:syscalls:sys_enter_openat { @[cgroup] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| Ok(Outcome::Value(Expr::new(ExprKind::Builtin(Node::Cgroup), Type::U64, call.span))),
    },
    Builtin {
        name: "cgroupid",
        form: Form::Function,
        args: (1, 1),
        signature: "cgroupid(PATH)",
        doc: "The id of the control group of a directory, as `uint64`: the group is looked up when the script starts.",
        example: "tracepoint:syscalls:sys_enter_openat /cgroup == cgroupid(\"/sys/fs/cgroup\")/ { @ = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: cgroupid,
    },
    Builtin {
        name: "cgroup_path",
        form: Form::Function,
        args: (1, 2),
        signature: "cgroup_path(ID [, HIERARCHY])",
        doc: "The id of a control group, which prints as `hierarchy:path`; only in hierarchies whose name matches (`*` stands for \
              any text).",
        example: "tracepoint:syscalls:sys_enter_openat { @[cgroup_path(cgroup)] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: cgroup_path,
    },
];

fn cgroupid(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let path = checker.text_arg(arg, "the path of a control group")?;
    match checker.env.cgroup_id(&path) {
        Ok(id) => Ok(Outcome::Value(checker.number(id, call.span))),
        Err(error) => checker.no_answer(error, arg.span),
    }
}

fn cgroup_path(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [id, rest @ ..] = call.args else { return checker.no_arguments(call) };
    let filter = match rest.first() {
        Some(arg) => checker.text_arg(arg, "the name of a hierarchy"),
        None => Ok("".into()),
    };
    let id = checker.number_arg(id)?;
    Ok(Outcome::Value(checker.named(id, NameOf::Cgroup(filter?), call.span)))
}
