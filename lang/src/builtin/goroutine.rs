//! Goroutines of a traced Go program.

use super::{Builtin, Form, IN_PROGRAMS, IN_THREADS};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::env::ProgramOf;
use crate::hir::{Attach, Builtin as Node, Expr, ExprKind};
use crate::types::{AddrSpace, Struct, StructKind, Type};
use std::sync::Arc;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "goid",
        form: Form::Variable,
        args: (0, 0),
        signature: "goid",
        doc: "The id of the current goroutine, as `uint64`; 0 when there is none. In a probe that is not in Go code it is the \
              goroutine that the thread serves, for threads of the Go program that `-p` or `-c` names or that a uprobe of \
              the same script traces, and 0 for all others.",
        example: "uprobe:./web:main.* { printf(\"g=%d %s\\n\", goid, func); }",
        probes: IN_THREADS,
        elsewhere: Some("this probe fires for no thread of the program: keep it in a map where one does"),
        check: goid,
    },
    Builtin {
        name: "curg",
        form: Form::Variable,
        args: (0, 0),
        signature: "curg",
        doc: "The current goroutine: a pointer to the program's own `runtime.g`, with the members that its release has \
              (`curg.goid`, `curg.parentGoid`, `curg.startpc`, `curg.gopc`, `curg.waitreason`). Null when there is none. In \
              a probe that is not in Go code it is found as `goid` is.",
        example: "uprobe:./web:main.* { @[gofunc(curg.startpc), curg.goid] = count(); }",
        probes: IN_THREADS,
        elsewhere: Some("this probe fires for no thread of the program: keep it in a map where one does"),
        check: current_g,
    },
    Builtin {
        name: "callid",
        form: Form::Variable,
        args: (0, 0),
        signature: "callid",
        doc: "One number per call of a Go function, the same at its entry and at its return: the key for latencies. A \
              map with this key drops its oldest entries when it is full, as calls that panic never return.",
        example: "uprobe:./web:main.handler { @start[callid] = nsecs; }\n\
                  uretprobe:./web:main.handler /@start[callid]/ { @ns = hist(nsecs - @start[callid]); delete(@start, callid); }",
        probes: IN_PROGRAMS,
        elsewhere: None,
        check: |checker, call| {
            goroutine(
                checker,
                call,
                Node::CallId,
                Type::U64,
                "use `tid` as the key: a C function returns on its thread",
            )
        },
    },
];

fn current_g(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let in_program = matches!(checker.target().attach, Attach::Uprobe { .. });
    if !in_program {
        find_program(checker, call)?;
    }
    let g = Struct::named(StructKind::Struct, "runtime.g");
    let is_known = checker.go_struct(&g).is_some();
    let ty = Type::Ptr { to: Box::new(Type::Struct(Arc::new(g))), space: AddrSpace::User };
    let found = match in_program {
        true => goroutine(checker, call, Node::CurrentG, ty, "`tid` is the id of the thread")?,
        false => Outcome::Value(Expr::new(ExprKind::Builtin(Node::CurrentG), ty, call.span)),
    };
    if is_known {
        return Ok(found);
    }
    let problem = Problem::error(call.span, "the members of `runtime.g` are not known")
        .note("they are read from the program's type data, which is missing or not understood")
        .help("`goid` is the goroutine's id");
    checker.fail(problem)
}

fn goid(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    if matches!(checker.target().attach, Attach::Uprobe { .. }) {
        return goroutine(checker, call, Node::Goid, Type::U64, "`tid` is the id of the thread");
    }
    find_program(checker, call)?;
    Ok(Outcome::Value(Expr::new(ExprKind::Builtin(Node::Goid), Type::U64, call.span)))
}

/// Looks for the Go program that [`find_program`] finds, and does without where there is none.
pub(super) fn look_for_program(checker: &mut Checker<'_>) {
    if checker.go_program.is_some() {
        return;
    }
    let of_process = checker.env.child().map(|_| checker.env.go_program(ProgramOf::Process));
    checker.go_program =
        of_process.and_then(Result::ok).or_else(|| match traced_go_binaries(checker).as_slice() {
            [binary] => checker.env.go_program(ProgramOf::Binary(binary)).ok(),
            _ => None,
        });
}

/// The Go programs that uprobes of the script are in.
fn traced_go_binaries<'a>(checker: &Checker<'a>) -> Vec<&'a str> {
    let mut traced: Vec<&str> = Vec::new();
    for target in checker.targets {
        let is_go = matches!(&target.attach, Attach::Uprobe { class, .. } if class.goroutine.is_some());
        let new = target.binaries.iter().filter(|_| is_go).map(String::as_str);
        traced.extend(new);
    }
    traced.sort_unstable();
    traced.dedup();
    traced
}

/// Which Go program a probe means that is not in its code: that of `-p` or `-c`, else the one that uprobes of the script trace.
fn find_program(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<()> {
    if checker.go_program.is_some() {
        return Ok(());
    }
    let name = &call.name.text;
    let unknown =
        || Problem::error(call.span, format!("`{name}` does not know here which Go program is meant"));
    let mut notes = Vec::new();
    if checker.env.child().is_some() {
        match checker.env.go_program(ProgramOf::Process) {
            Ok(program) => {
                checker.go_program = Some(program);
                return Ok(());
            }
            Err(error) => notes.push(error.message),
        }
    }
    match traced_go_binaries(checker).as_slice() {
        [binary] => match checker.env.go_program(ProgramOf::Binary(binary)) {
            Ok(program) => {
                checker.go_program = Some(program);
                Ok(())
            }
            Err(error) => checker.fail(Problem::error(call.span, error.message)),
        },
        [] => {
            let mut problem = unknown();
            problem.notes = notes;
            checker.fail(problem.help(
                "name its process with `-p PID` or `-c COMMAND`, or trace a function of it with a uprobe in the same script",
            ))
        }
        several => checker.fail(
            unknown()
                .note(format!("the script has uprobes in {}", several.join(", ")))
                .help("name the process with `-p PID` or `-c COMMAND`"),
        ),
    }
}

fn goroutine(
    checker: &mut Checker<'_>,
    call: &Call<'_>,
    node: Node,
    ty: Type,
    otherwise: &str,
) -> Checked<Outcome> {
    let target = checker.target();
    let Attach::Uprobe { class, .. } = &target.attach else {
        return checker
            .fail(Problem::error(call.span, format!("`{}` needs a traced program", call.name.text)));
    };
    if class.goroutine.is_none() {
        let binaries = target.binaries.join(", ");
        let problem = Problem::error(call.span, format!("`{}` needs a Go program", call.name.text))
            .note(format!("`{binaries}` is none"))
            .help(otherwise);
        return checker.fail(problem);
    }
    Ok(Outcome::Value(Expr::new(ExprKind::Builtin(node), ty, call.span)))
}
