//! The machine: its processors, its kernel, and chance.

use super::{Builtin, EVERYWHERE, Form};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::env::PerCpu;
use crate::hir::{BinOp, Builtin as Node, Expr, ExprKind, Stmt};
use crate::types::{AddrSpace, Type};

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
        name: "percpu_kaddr",
        form: Form::Function,
        args: (1, 2),
        signature: "percpu_kaddr(NAME [, CPU])",
        doc: "The address of a variable of the kernel that each CPU has its own of, of this CPU or of CPU, as `uint64 *`; null for a CPU that \
              the machine cannot have.",
        example: "interval:s:1 { printf(\"%d\\n\", ((struct rq *)percpu_kaddr(\"runqueues\", 0)).nr_running); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: percpu_kaddr,
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

fn percpu_kaddr(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [name, number @ ..] = call.args else { return checker.no_arguments(call) };
    let span = call.span;
    let text = checker.text_arg(name, "the name of a variable")?;
    let own = number.is_empty();
    let hidden = checker.hidden_var(span);
    let number = match number.first() {
        Some(number) => checker.number_arg(number)?,
        None => Expr::new(ExprKind::Builtin(Node::Cpu), Type::U32, span),
    };
    let number = checker.cast_to(number, &Type::U64);
    let place = match checker.env.percpu_variable(&text) {
        Ok(place) => place,
        Err(error) => return checker.no_answer(error, name.span),
    };
    let (set, number) = checker.set_hidden(hidden, number);
    let op =
        |op, a: Expr, b: Expr, ty: Type| Expr::new(ExprKind::Binary(op, Box::new(a), Box::new(b)), ty, span);
    let load = |addr: Expr| {
        let space = AddrSpace::Kernel;
        Expr::new(ExprKind::Load { addr: Box::new(addr), space }, Type::U64, span)
    };
    let word = |n: u64| Expr::new(ExprKind::Int(n), Type::U64, span);
    let index = op(BinOp::Mul, number.clone(), word(8), Type::U64);
    let address = match place {
        PerCpu::Offset { symbol, offsets } => {
            let offset = load(op(BinOp::Add, word(offsets), index, Type::U64));
            op(BinOp::Add, word(symbol), offset, Type::U64)
        }
        // The task's group has a queue for each CPU, and each of these knows the run queue that it is part of.
        PerCpu::FromRunQueue(distance) => {
            let member = |checker: &mut Checker<'_>, structure: &str, field: &str| {
                let offset = checker.env.kernel_struct(structure).and_then(|s| Some(s.field(field)?.offset));
                offset.ok_or(()).or_else(|()| {
                    let problem = Problem::error(span, format!("the kernel does not tell where `{text}` is"));
                    checker.fail(problem.note(format!("its `struct {structure}` has no member `{field}`")))
                })
            };
            let group = member(checker, "task_struct", "sched_task_group")?;
            let queues = member(checker, "task_group", "cfs_rq")?;
            let queue = member(checker, "cfs_rq", "rq")?;
            let task = Expr::new(ExprKind::Builtin(Node::CurTask), Type::U64, span);
            let group = load(checker.offset(task, group.into()));
            let queues = load(checker.offset(group, queues.into()));
            let queue_of_cpu = load(op(BinOp::Add, queues, index, Type::U64));
            let queue = load(checker.offset(queue_of_cpu, queue.into()));
            op(BinOp::Add, queue, word(distance.cast_unsigned()), Type::U64)
        }
    };
    let address = if own {
        address
    } else {
        let cpus = Expr::new(ExprKind::Builtin(Node::Cpus), Type::U64, span);
        let exists = op(BinOp::Lt, number, cpus, Type::Bool);
        Expr::new(ExprKind::Ternary(Box::new(exists), Box::new(address), Box::new(word(0))), Type::U64, span)
    };
    let ty = Type::Ptr { to: Box::new(Type::U64), space: AddrSpace::Kernel };
    let address = checker.cast_to(address, &ty);
    let set = Stmt { kind: set, span };
    Ok(Outcome::Value(Expr::new(ExprKind::Block(vec![set], Box::new(address)), ty, span)))
}

fn kernel_function(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let name = checker.text_arg(arg, "the name of a function")?;
    let has = u64::from(checker.env.has_kernel_function(&name));
    Ok(Outcome::Value(Expr::new(ExprKind::Int(has), Type::Bool, call.span)))
}
