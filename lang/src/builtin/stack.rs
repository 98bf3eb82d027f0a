//! Stack traces.

use super::{Builtin, EVERYWHERE, Form};
use crate::ast::ExprKind as Ast;
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::hir::{Attach, Builtin as Node, Expr, ExprKind};
use crate::types::{StackKind, StackMode, Type};

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "ustack",
        form: Form::Variable,
        args: (0, 2),
        signature: "ustack([MODE,] [LIMIT])",
        doc: "The stack of the current program. Modes are `bpftrace` (one `symbol+offset` a line, the default), `perf`, \
              `raw`, `folded` and `build_id`; the limit is the number of frames, 127 if it is left out.",
        example: "uprobe:./web:runtime.mallocgc { @[ustack(5)] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| stack(checker, call, StackKind::User, Node::Stack),
    },
    Builtin {
        name: "dw_ustack",
        form: Form::Variable,
        args: (0, 2),
        signature: "dw_ustack([MODE,] [LIMIT])",
        doc: "As `ustack`, also through code that keeps no frame pointers, as C libraries of distributions are built: the stack is walked \
              by unwinding tables (`.eh_frame`). Needs a process: `-p`, `-c` or `--dwarf-pid`.",
        example: "profile:hz:99 { @[dw_ustack] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| stack(checker, call, StackKind::User, Node::DwarfStack),
    },
    Builtin {
        name: "kstack",
        form: Form::Variable,
        args: (0, 2),
        signature: "kstack([MODE,] [LIMIT])",
        doc: "The stack of the kernel; mode and limit as for `ustack`.",
        example: "profile:hz:99 { @[kstack] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| stack(checker, call, StackKind::Kernel, Node::Stack),
    },
];

/// Most frames that the kernel records (`/proc/sys/kernel/perf_event_max_stack`).
const MAX_FRAMES: i64 = 127;

fn stack(checker: &mut Checker<'_>, call: &Call<'_>, kind: StackKind, node: Node) -> Checked<Outcome> {
    let (mode, limit) = match call.args {
        [] => (None, None),
        [mode, limit] => (Some(mode), Some(limit)),
        [one, ..] if matches!(one.kind, Ast::Ident(_)) => (Some(one), None),
        [one, ..] => (None, Some(one)),
    };
    let mode = match mode {
        None => checker.config.stack_mode,
        Some(arg) => {
            let name = match &arg.kind {
                Ast::Ident(name) => name.as_str(),
                _ => "",
            };
            match StackMode::named(name) {
                Some(mode) => mode,
                None => {
                    let problem = Problem::error(arg.span, "this is no form of a stack")
                        .note("forms are bpftrace, perf, raw, folded and build_id")
                        .did_you_mean(name, StackMode::ALL.iter().map(|mode| mode.name()));
                    return checker.fail(problem);
                }
            }
        }
    };
    if mode == StackMode::BuildId && kind == StackKind::Kernel {
        let problem = Problem::error(call.span, "stacks of the kernel have no form `build_id`")
            .note("its code is in no file that is mapped");
        return checker.fail(problem.help("write another form: `kstack(raw)`"));
    }
    let limit = match limit {
        None => MAX_FRAMES,
        Some(arg) => {
            let n = checker.constant(arg, "the number of frames")?;
            if !(1..=MAX_FRAMES).contains(&n) {
                return checker
                    .fail(Problem::error(arg.span, format!("a stack has 1 to {MAX_FRAMES} frames")));
            }
            n
        }
    };
    let walked = kind == StackKind::User && node == Node::Stack;
    if walked && !matches!(checker.target().attach, Attach::Uprobe { .. }) {
        // Where the code of a Go program was interrupted, its stack needs more than the kernel's walk.
        super::goroutine::look_for_program(checker);
    }
    let ty = Type::Stack { kind, mode, limit: limit as u16 };
    Ok(Outcome::Value(Expr::new(ExprKind::Builtin(node), ty, call.span)))
}
