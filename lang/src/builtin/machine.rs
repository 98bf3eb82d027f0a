//! The machine: its processors, its kernel, and chance.

use super::{Builtin, EVERYWHERE, Form};
use crate::check::{Call, Checked, Checker, Outcome};
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
        check: |_, call| node(call, Node::Cpu, Type::U32),
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
        check: |_, call| node(call, Node::Rand, Type::U32),
    },
    Builtin {
        name: "ncpus",
        form: Form::Variable,
        args: (0, 0),
        signature: "ncpus",
        doc: "The number of processors that the machine can have, as `uint64`.",
        example: "begin { printf(\"%d processors\\n\", ncpus); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| node(call, Node::Cpus, Type::U64),
    },
    Builtin {
        name: "numaid",
        form: Form::Variable,
        args: (0, 0),
        signature: "numaid",
        doc: "The number of the NUMA node of the current processor, as `uint32`.",
        example: "profile:hz:99 { @[numaid] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| node(call, Node::NumaNode, Type::U32),
    },
    Builtin {
        name: "usermode",
        form: Form::Variable,
        args: (0, 0),
        signature: "usermode",
        doc: "Whether the probe interrupted user code rather than the kernel, as `bool`.",
        example: "profile:hz:99 { @[usermode] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| node(call, Node::UserMode, Type::Bool),
    },
    Builtin {
        name: "kaddr",
        form: Form::Function,
        args: (1, 1),
        signature: "kaddr(NAME)",
        doc: "The address of a symbol of the kernel, as `uint64`.",
        example: "begin { printf(\"%s\\n\", ksym(kaddr(\"do_exit\"))); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: kaddr,
    },
    Builtin {
        name: "kfunc_exist",
        form: Form::Function,
        args: (1, 1),
        signature: "kfunc_exist(NAME)",
        doc: "Whether the kernel has a function of that name, as its type information tells; known before the script runs.",
        example: "begin { if (kfunc_exist(\"bpf_strstr\")) { printf(\"6.17 or newer\\n\"); } }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: kernel_function,
    },
    Builtin {
        name: "kfunc_allowed",
        form: Form::Function,
        args: (1, 1),
        signature: "kfunc_allowed(NAME)",
        doc: "As `kfunc_exist`: functions that programs may call are those that the type information has.",
        example: "begin { printf(\"%d\\n\", kfunc_allowed(\"bpf_map_sum_elem_count\")); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: kernel_function,
    },
];

fn node(call: &Call<'_>, node: Node, ty: Type) -> Checked<Outcome> {
    Ok(Outcome::Value(Expr::new(ExprKind::Builtin(node), ty, call.span)))
}

fn kaddr(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let name = checker.text_arg(arg, "the name of a symbol")?;
    match checker.env.kernel_symbol(&name) {
        Ok(address) => Ok(Outcome::Value(checker.number(address, call.span))),
        Err(error) => checker.no_answer(error, arg.span),
    }
}

fn kernel_function(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let name = checker.text_arg(arg, "the name of a function")?;
    let has = u64::from(checker.env.has_kernel_function(&name));
    Ok(Outcome::Value(Expr::new(ExprKind::Int(has), Type::Bool, call.span)))
}
