//! The traced function: its name, arguments, results and registers.

use super::{
    AT_CALLS, AT_ENTRY, AT_GO_RETURN, AT_RETURN, Builtin, EVERYWHERE, Form, IN_FUNCTIONS, IN_PROBES,
    WITH_ARGUMENTS, WITH_CONTEXT, WITH_REGISTERS, numbered,
};
use crate::arch::Arch;
use crate::check::{Call, Checked, Checker, Outcome, ProbeKind};
use crate::diag::Problem;
use crate::env::{Abi, Stop, UsdtArg};
use crate::hir::{Attach, Builtin as Node, Expr, ExprKind};
use crate::types::{AddrSpace, Struct, StructKind, Type};
use std::sync::Arc;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "probe",
        form: Form::Variable,
        args: (0, 0),
        signature: "probe",
        doc: "The attach point that fired, in full: `uprobe:./web:main.f`. It is printed, kept, and compared with a string.",
        example: "uprobe:./web:main.* { @[probe] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |_, call| value(call, Node::Probe, Type::ProbeName),
    },
    Builtin {
        name: "func",
        form: Form::Variable,
        args: (0, 0),
        signature: "func",
        doc: "The traced function's full name. It is printed, kept, and compared with a string.",
        example: "uprobe:./web:main.* /func != \"main.init\"/ { printf(\"%s\\n\", func); }",
        probes: IN_FUNCTIONS,
        elsewhere: Some("`probe` names the attach point"),
        check: |_, call| value(call, Node::Func, Type::FuncName),
    },
    Builtin {
        name: "argN",
        form: Form::Variable,
        args: (0, 0),
        signature: "arg0, arg1, …",
        doc: "An argument of the function, as `uint64`: by the C calling convention, in Go programs the same as `sargN`. In \
              USDT probes it has the size and sign that the program gave it.",
        example: "uprobe:libc:malloc { @bytes = hist(arg0); }",
        probes: WITH_ARGUMENTS,
        elsewhere: Some(
            "keep it at the entry, in a map: `@arg[tid] = arg0;`, in Go programs `@arg[callid] = arg0;`",
        ),
        check: argument,
    },
    Builtin {
        name: "sargN",
        form: Form::Variable,
        args: (0, 0),
        signature: "sarg0, sarg1, …",
        doc: "An argument word of the function in source order, as `uint64`. In Go programs it is found wherever the \
              calling convention of their release keeps it; a string takes two words, a slice three. In other programs \
              it is the word on the stack.",
        example: "uprobe:./web:main.prepareAnswer { printf(\"%s %d\\n\", gostr(sarg0, sarg1), sarg2); }",
        probes: AT_ENTRY,
        elsewhere: Some("keep it at the entry, in a map: `@arg[callid] = sarg0;`"),
        check: argument,
    },
    Builtin {
        name: "args",
        form: Form::Variable,
        args: (0, 0),
        signature: "args.NAME",
        doc: "An argument by name, with its type: of a tracepoint (`gotrace list -v` shows the names), or of a Go function \
              whose program has debug information. `args.0` is the first parameter of a Go function; members are followed \
              through pointers: `args.r.URL.Path`.",
        example: "tracepoint:syscalls:sys_enter_openat { printf(\"%s\\n\", str(args.filename)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| checker.no_args(call.span, call.span),
    },
    Builtin {
        name: "retval",
        form: Form::Variable,
        args: (0, 0),
        signature: "retval",
        doc: "The result of the function. In Go programs with debug information it has its type, and `retval.1` and `retval.name` are \
              others; elsewhere it is the first result word as `uint64`: cast it for negative numbers, `(int64)retval`.",
        example: "uretprobe:libc:read { @bytes = hist((int64)retval); }",
        probes: AT_RETURN,
        elsewhere: Some("use a `uretprobe`"),
        check: |_, call| value(call, Node::Retval, Type::U64),
    },
    Builtin {
        name: "retvalN",
        form: Form::Variable,
        args: (0, 0),
        signature: "retval0, retval1, …",
        doc: "A result word of a Go function in source order, as `uint64`, without debug information; an error is two words. Floating-point \
              numbers are not counted. Programs of Go before 1.17 have their results on the stack, and not these.",
        example: "uretprobe:./web:net.(*conn).Read /retval1 != 0/ { printf(\"%s\\n\", goerr(retval1, retval2)); }",
        probes: AT_GO_RETURN,
        elsewhere: Some("use a `uretprobe`"),
        check: result_word,
    },
    Builtin {
        name: "caller",
        form: Form::Variable,
        args: (0, 0),
        signature: "caller",
        doc: "The address that the call returns to, as `uint64`: `gofunc(caller)` and `usym(caller)` name the function that called. At \
              entries, and at returns of Go functions.",
        example: "uprobe:./web:main.prepareAnswer { @[gofunc(caller)] = count(); }",
        probes: AT_CALLS,
        elsewhere: Some("`ustack` and `kstack` have the callers"),
        check: caller,
    },
    Builtin {
        name: "ctx",
        form: Form::Variable,
        args: (0, 0),
        signature: "ctx",
        doc: "What the kernel hands to the program, as a pointer with the kernel's own types: `struct pt_regs` in probes on code, \
              `struct bpf_perf_event_data` in timers, events and watchpoints, of which members are read only: `ctx.regs.ip`, \
              `ctx.sample_period`, `ctx.addr`; in iterators what they are at: `ctx.task` of `iter:task`, `ctx.meta.seq_num` of all. \
              `gotrace list -v` shows the names.",
        example: "uprobe:./web:main.handler { printf(\"%p %p\\n\", ctx, ctx.sp); } profile:hz:99 { @[ctx.regs.ip] = count(); }",
        probes: WITH_CONTEXT,
        elsewhere: Some("write `args` or `arg0`, which mean the same on every kernel"),
        check: context,
    },
    Builtin {
        name: "probetype",
        form: Form::Variable,
        args: (0, 0),
        signature: "probetype",
        doc: "The kind of the probe as text: `uprobe`, `tracepoint` and so on, `special` in `begin` and `end`.",
        example: "begin, interval:s:1 { printf(\"%s\\n\", probetype); }",
        probes: IN_PROBES,
        elsewhere: None,
        check: |checker, call| {
            let name = match checker.target().kind() {
                ProbeKind::Begin | ProbeKind::End => "special",
                kind => kind.name(),
            };
            Ok(Outcome::Value(checker.literal_text(name.as_bytes(), call.span)?))
        },
    },
    Builtin {
        name: "reg",
        form: Form::Function,
        args: (1, 1),
        signature: "reg(NAME)",
        doc: "A register of the traced program, as `uint64`: \"sp\", \"ip\", \"ax\" and so on.",
        example: "uprobe:./web:main.handler { printf(\"%p\\n\", reg(\"sp\")); }",
        probes: WITH_REGISTERS,
        elsewhere: None,
        check: register,
    },
];

/// Greatest number of an argument: nothing has more, and a mistyped one is found out.
const MAX_ARGUMENT: u32 = 63;

fn value(call: &Call<'_>, node: Node, ty: Type) -> Checked<Outcome> {
    Ok(Outcome::Value(Expr::new(ExprKind::Builtin(node), ty, call.span)))
}

fn argument(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let Some(n) = numbered(call).filter(|n| *n <= MAX_ARGUMENT) else {
        let message = format!("`{}` is no argument: they go up to {MAX_ARGUMENT}", call.name.text);
        return checker.fail(Problem::error(call.span, message));
    };
    if let Attach::Uprobe { class, .. } = &checker.target().attach
        && let Some(arguments) = &class.usdt
    {
        let arguments = Arc::clone(arguments);
        return usdt_argument(checker, call, n as u8, &arguments);
    }
    if checker.site_stop() == Some(Stop::Inside) && is_go(checker) {
        let problem =
            Problem::warning(call.span, format!("`{}` may be gone inside the function", call.name.text))
                .note("registers that held arguments are used for other things behind the entry");
        checker.warn(problem);
    }
    let n = n as u8;
    let stack = call.name.text.starts_with('s');
    value(call, if stack { Node::Sarg(n) } else { Node::Arg(n) }, Type::U64)
}

fn result_word(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let Some(n) = numbered(call).filter(|n| *n <= MAX_ARGUMENT) else {
        let message = format!("`{}` is no result: they go up to {MAX_ARGUMENT}", call.name.text);
        return checker.fail(Problem::error(call.span, message));
    };
    let abi = match &checker.target().attach {
        Attach::Uprobe { class, .. } => class.abi,
        _ => Abi::C,
    };
    match abi {
        Abi::GoRegisters => value(call, Node::ResultWord(n as u8), Type::U64),
        Abi::GoStack => {
            let problem = Problem::error(call.span, "the results of this function are on the stack")
                .note("Go puts them into registers since 1.17, on arm64 since 1.18; functions written in assembler have them on the stack");
            checker.fail(
                problem.help("read a result with `*(reg(\"sp\") + N)`: N is 8 and the size of all before it"),
            )
        }
        Abi::C => {
            let problem = Problem::error(call.span, format!("`{}` is for Go functions", call.name.text));
            checker.fail(problem.help("functions of C have one result: `retval`"))
        }
    }
}

fn usdt_argument(
    checker: &mut Checker<'_>,
    call: &Call<'_>,
    n: u8,
    arguments: &[UsdtArg],
) -> Checked<Outcome> {
    let name = &call.name.text;
    match arguments.get(usize::from(n)) {
        Some(UsdtArg::Known { ty, .. }) => value(call, Node::Arg(n), ty.clone()),
        Some(UsdtArg::Unknown(text)) => {
            let problem = Problem::error(call.span, format!("`{name}` cannot be read"))
                .note(format!("the binary says that it is in `{text}`"));
            checker.fail(problem)
        }
        None => {
            let has = match arguments.len() {
                0 => "it has no arguments".to_owned(),
                1 => "its only argument is `arg0`".to_owned(),
                count => format!("its arguments are `arg0` to `arg{}`", count - 1),
            };
            let point = checker.target().name.clone();
            checker.fail(Problem::error(call.span, format!("`{point}` has no `{name}`")).note(has))
        }
    }
}

fn context(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    if checker.target().kind() == ProbeKind::Iter {
        return checker.no_args(call.span, call.span);
    }
    if let Some(event) = checker.event_context() {
        let problem = Problem::error(call.span, "here `ctx` is read by its members only")
            .note(format!("the kernel translates each of them: programs do not see the real `{event}`"));
        return checker.fail(problem.help("write `ctx.regs.ip`, `ctx.sample_period` or `ctx.addr`"));
    }
    let registers = Struct::named(StructKind::Struct, "pt_regs");
    let to = Box::new(Type::Struct(Arc::new(registers)));
    value(call, Node::Context, Type::Ptr { to, space: AddrSpace::Kernel })
}

pub(super) fn is_go(checker: &Checker<'_>) -> bool {
    matches!(&checker.target().attach, Attach::Uprobe { class, .. } if class.abi != Abi::C)
}

fn caller(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let help = match checker.site_stop() {
        Some(Stop::Inside) => "`ustack` has the callers",
        Some(Stop::KernelReturn) => "the function has returned: `reg(\"ip\")` is in its caller",
        Some(Stop::Entry | Stop::EntryAtStackCheck | Stop::ReturnInsn) | None => {
            return value(call, Node::Caller, Type::U64);
        }
    };
    let message = "only at a function's entry or return instruction is it known where the call returns to";
    checker.fail(Problem::error(call.span, message).help(help))
}

fn register(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let name = checker.text_arg(arg, "the name of a register")?;
    let arch = checker.env.arch();
    match arch.register(&name) {
        Some(index) => value(call, Node::Reg(index), Type::U64),
        None => {
            let mut problem = Problem::error(arg.span, format!("this machine has no register `{name}`"));
            match Arch::ALL.iter().find(|other| other.register(&name).is_some()) {
                Some(other) => problem = problem.note(format!("it is one of {other}, and this is {arch}")),
                None => problem = problem.did_you_mean(&name, arch.registers().iter().copied()),
            }
            if problem.help.is_empty() {
                problem = problem.note(format!("registers are {}", arch.registers().join(", ")));
            }
            checker.fail(problem)
        }
    }
}
