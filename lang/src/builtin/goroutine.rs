//! Goroutines of a traced Go program.

use super::{Builtin, Form, IN_PROGRAMS};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::hir::{Attach, Builtin as Node, Expr, ExprKind};
use crate::types::Type;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "goid",
        form: Form::Variable,
        args: (0, 0),
        signature: "goid",
        doc: "The id of the current goroutine, as `uint64`; 0 when there is none.",
        example: "uprobe:./web:main.* { printf(\"g=%d %s\\n\", goid, func); }",
        probes: IN_PROGRAMS,
        elsewhere: Some(
            "it is known where a uprobe of a Go program fires: keep it there, by `tid`: `@g[tid] = goid;`",
        ),
        check: |checker, call| goroutine(checker, call, Node::Goid, "`tid` is the id of the thread"),
    },
    Builtin {
        name: "callid",
        form: Form::Variable,
        args: (0, 0),
        signature: "callid",
        doc: "One number per call of a Go function, the same at its entry and at its return: the key for latencies. A \
              map with this key drops its oldest entries when it is full, as calls that panic never return.",
        example: "uprobe:./web:main.f { @start[callid] = nsecs; }\n\
                  uretprobe:./web:main.f /@start[callid]/ { @ns = hist(nsecs - @start[callid]); delete(@start, callid); }",
        probes: IN_PROGRAMS,
        elsewhere: None,
        check: |checker, call| {
            goroutine(checker, call, Node::CallId, "use `tid` as the key: a C function returns on its thread")
        },
    },
];

fn goroutine(checker: &mut Checker<'_>, call: &Call<'_>, node: Node, otherwise: &str) -> Checked<Outcome> {
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
    Ok(Outcome::Value(Expr::new(ExprKind::Builtin(node), Type::U64, call.span)))
}
