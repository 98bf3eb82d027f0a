//! The traced Go program as a whole.

use super::{Builtin, Form, IN_PROGRAMS};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::hir::{Attach, Expr, ExprKind};
use crate::types::Type;

pub(super) const ENTRIES: &[Builtin] = &[Builtin {
    name: "goversion",
    form: Form::Variable,
    args: (0, 0),
    signature: "goversion",
    doc: "The Go release that built the traced program, as a number: 127 is Go 1.27, which may be written `1_27`. It is known \
          before the run, so a condition on it costs nothing. For functions of the Go runtime whose arguments have changed.",
    example: "uprobe:./web:runtime.newproc1 { $parent = goversion < 1_16 ? sarg3 : sarg1; printf(\"%p\\n\", $parent); }",
    probes: IN_PROGRAMS,
    elsewhere: None,
    check: goversion,
}];

fn goversion(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let release = match &checker.target().attach {
        Attach::Uprobe { class, .. } => class.goroutine.map(|g| g.release),
        _ => None,
    };
    let Some(release) = release else {
        let binaries = checker.target().binaries.join(", ");
        let problem =
            Problem::error(call.span, "`goversion` needs a Go program").note(format!("`{binaries}` is none"));
        return checker.fail(problem);
    };
    Ok(Outcome::Value(Expr::new(ExprKind::Int(100 + u64::from(release)), Type::U64, call.span)))
}
