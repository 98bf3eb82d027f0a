//! The machine: processor and chance.

use super::{Builtin, EVERYWHERE, Form};
use crate::check::Outcome;
use crate::hir::{Builtin as Node, Expr, ExprKind};
use crate::types::Type;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "cpu",
        form: Form::Variable,
        args: (0, 0),
        signature: "cpu",
        doc: "The number of the current processor, as `uint32`.",
        example: "profile:hz:99 { @[cpu] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| Ok(Outcome::Value(Expr::new(ExprKind::Builtin(Node::Cpu), Type::U32, call.span))),
    },
    Builtin {
        name: "rand",
        form: Form::Variable,
        args: (0, 0),
        signature: "rand",
        doc: "A pseudo-random number, as `uint32`.",
        example: "uprobe:./web:main.handler /rand % 100 == 0/ { @sampled = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| Ok(Outcome::Value(Expr::new(ExprKind::Builtin(Node::Rand), Type::U32, call.span))),
    },
];
