//! The kernel's own structures.

use super::{Builtin, EVERYWHERE, Form};
use crate::check::Outcome;
use crate::hir::{Builtin as Node, Expr, ExprKind};
use crate::types::{AddrSpace, Struct, StructKind, Type};
use std::sync::Arc;

pub(super) const ENTRIES: &[Builtin] = &[Builtin {
    name: "curtask",
    form: Form::Variable,
    args: (0, 0),
    signature: "curtask",
    doc: "The kernel's `struct task_struct` of the current thread, as a pointer. Its members are those of the running kernel: \
          `curtask.mm.total_vm`. `gotrace list 'struct task_struct'` shows them.",
    example: "profile:hz:99 { @[curtask.comm, curtask.prio] = count(); }",
    probes: EVERYWHERE,
    elsewhere: None,
    check: |_, call| {
        let task = Struct::named(StructKind::Struct, "task_struct");
        let ty = Type::Ptr { to: Box::new(Type::Struct(Arc::new(task))), space: AddrSpace::Kernel };
        Ok(Outcome::Value(Expr::new(ExprKind::Builtin(Node::CurTask), ty, call.span)))
    },
}];
