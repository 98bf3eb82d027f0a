//! Calls of builtins: looking them up, what all have in common, and helpers for their arguments.

use crate::ast::{Expr, ExprKind, Name};
use crate::builtin::{self, Builtin};
use crate::check::maps::with_article;
use crate::check::{Checked, Checker, Stop, build};
use crate::diag::Problem;
use crate::env::EnvError;
use crate::hir::{self, Agg, MapId};
use crate::span::Span;
use crate::types::{AddrSpace, NameOf, Type};
use std::sync::Arc;

/// A use of a builtin: `f(a, b)`, or `v` with no arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// Its name as written: `arg3` for the entry `argN`.
    pub name: &'a Name,
    /// The arguments.
    pub args: &'a [Expr],
    /// The whole call.
    pub span: Span,
}

/// What a call becomes.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A value.
    Value(hir::Expr),
    /// Statements.
    Effect(Vec<hir::StmtKind>),
    /// An aggregation, which the assignment around it carries out. The value is 64-bit.
    Aggregate { agg: Agg, value: Option<hir::Expr> },
}

impl Checker<'_> {
    /// Translates a call, or a builtin variable (no arguments). `statement`: its value is not used.
    pub(super) fn call(
        &mut self,
        name: &Name,
        args: &[Expr],
        span: Span,
        statement: bool,
    ) -> Checked<Outcome> {
        if let Some(index) = self.subprograms.find(&name.text) {
            return self.call_function(index, name, args, span);
        }
        let Some(entry) = builtin::find(&name.text) else {
            return self.unknown_function(name);
        };
        let kind = self.target().kind();
        if !entry.probes.contains(&kind) && self.in_function() {
            let problem = self.unknown_in_function(&name.text, name.span);
            return self.fail(problem);
        }
        if !entry.probes.contains(&kind) {
            let names: Vec<&str> = entry.probes.iter().map(|k| k.name()).collect();
            let problem = Problem::error(
                name.span,
                format!("`{}` is not available in `{}` probes", name.text, kind.name()),
            )
            .note(format!("it is available in {}", names.join(", ")));
            return self.fail(match entry.elsewhere {
                Some(help) => problem.help(help),
                None => problem,
            });
        }
        let (least, most) = entry.args;
        if args.len() < least || args.len() > most {
            return self.argument_count(entry, name, args.len(), span);
        }
        if entry.form == builtin::Form::Statement && !statement {
            let problem = Problem::error(span, format!("{}() gives no value", name.text));
            return self.fail(problem.help("write it as a statement"));
        }
        (entry.check)(self, &Call { name, args, span })
    }

    fn unknown_function<T>(&mut self, name: &Name) -> Checked<T> {
        // A vector of its own, because the builtins' names would make the others live as long.
        let known: Vec<String> =
            self.subprograms.names().chain(builtin::names().map(|n| n as &str)).map(str::to_owned).collect();
        let problem = Problem::error(name.span, format!("unknown function `{}`", name.text))
            .meant(&name.text, known.iter().map(String::as_str));
        self.fail(problem)
    }

    fn argument_count<T>(&mut self, entry: &Builtin, name: &Name, given: usize, span: Span) -> Checked<T> {
        let arguments = |n: usize| format!("{n} argument{}", if n == 1 { "" } else { "s" });
        let wants = match entry.args {
            (0, 0) => "no arguments".to_owned(),
            (least, most) if least == most => arguments(least),
            (0, most) => format!("at most {}", arguments(most)),
            (least, usize::MAX) => format!("at least {}", arguments(least)),
            (least, most) => format!("{least} to {}", arguments(most)),
        };
        let problem = Problem::error(span, format!("`{}` takes {wants}, not {given}", name.text))
            .help(format!("`{}`", entry.signature));
        self.fail(problem)
    }

    // ---- arguments

    /// A number, as 64 bits of its own sign.
    pub(crate) fn number_arg(&mut self, e: &Expr) -> Checked<hir::Expr> {
        let value = build::plain(self.expr(e)?);
        match &value.ty {
            Type::Int { .. } | Type::Bool => Ok(self.promote(value)),
            Type::Ptr { .. } => Ok(build::cast(value, &Type::U64)),
            ty => {
                let message = format!("this must be a number, not {}", with_article(ty));
                self.fail(Problem::error(e.span, message))
            }
        }
    }

    /// An address as `uint64`, and the memory it is in.
    pub(crate) fn address_arg(&mut self, e: &Expr) -> Checked<(hir::Expr, AddrSpace)> {
        let value = self.expr(e)?;
        self.address(value)
    }

    /// A value as an address.
    pub(crate) fn address(&mut self, value: hir::Expr) -> Checked<(hir::Expr, AddrSpace)> {
        let space = match &value.ty {
            Type::Ptr { space, .. } => *space,
            Type::Int { .. } => self.default_space(),
            ty => {
                let message = format!("this must be an address, not {}", with_article(ty));
                return self.fail(Problem::error(value.span, message));
            }
        };
        Ok((build::cast(value, &Type::U64), space))
    }

    /// Text that is known now: a string literal, `$1`, `str($1)`.
    pub(crate) fn text_arg(&mut self, e: &Expr, what: &str) -> Checked<Arc<str>> {
        let bytes = match &e.kind {
            ExprKind::Str(text) => text.clone(),
            ExprKind::Param(n) => self.param_text(*n).unwrap_or_default().into_bytes(),
            ExprKind::Call { name, args } => match (name.text.as_str(), args.as_slice()) {
                ("str", [Expr { kind: ExprKind::Param(n), .. }]) => {
                    self.param_text(*n).unwrap_or_default().into_bytes()
                }
                _ => return self.not_literal(e, what),
            },
            _ => return self.not_literal(e, what),
        };
        Ok(String::from_utf8_lossy(&bytes).into())
    }

    fn not_literal<T>(&mut self, e: &Expr, what: &str) -> Checked<T> {
        self.fail(Problem::error(e.span, format!("{what} must be a string literal")))
    }

    /// A map as such, without a key.
    pub(crate) fn map_arg(&mut self, e: &Expr) -> Checked<(MapId, Name)> {
        match &e.kind {
            ExprKind::Map { name, keys } if keys.is_empty() => Ok((self.maps.id(name), name.clone())),
            ExprKind::Map { name, .. } => self.fail(
                Problem::error(e.span, "this must be a whole map")
                    .help(format!("write `{}` without a key", name.text)),
            ),
            _ => self.fail(Problem::error(e.span, "this must be a map, such as `@x`")),
        }
    }

    /// Reports a map that is used as a whole and never assigned.
    pub(crate) fn assigned(&mut self, map: MapId, name: &Name) -> Checked<()> {
        if self.maps.get(map).value.is_some() {
            return Ok(());
        }
        if self.incomplete {
            return Err(Stop::Reported);
        }
        let known = self.maps.list.iter().filter(|m| m.value.is_some()).map(|m| m.name.as_str());
        let problem = Problem::error(name.span, format!("`{}` is never assigned", name.text));
        let problem = match name.text.strip_prefix('@').filter(|word| builtin::find(word).is_some()) {
            Some(word) => problem.help(format!("a builtin is written without an at sign: `{word}`")),
            None => problem.did_you_mean(&name.text, known),
        };
        self.unknown(problem)
    }

    /// A new variable that the script does not name. It is declared before its value is checked: variables are told
    /// apart by their order, which must be the same in all passes.
    pub(crate) fn hidden_var(&mut self, span: Span) -> hir::VarId {
        let id = self.scopes.declare("", span);
        self.scopes.vars[id.0 as usize].used = true;
        id
    }

    /// The assignment of a [`Checker::hidden_var`], and the variable as an expression.
    pub(crate) fn set_hidden(&mut self, id: hir::VarId, value: hir::Expr) -> (hir::StmtKind, hir::Expr) {
        let (ty, span) = (value.ty.clone(), value.span);
        let inferred = super::infer::Inferred { ty: ty.clone(), weak: false };
        if let Ok((_, changed)) = self.vars().assign(id, &inferred, span) {
            self.maps.changed |= changed;
        }
        let var = hir::Expr::new(hir::ExprKind::Var(id), ty, span);
        (hir::StmtKind::SetVar(id, value), var)
    }

    /// Size of the longest string.
    pub(crate) fn max_string(&self) -> u32 {
        self.config.max_strlen.max(1).next_multiple_of(8)
    }
}

/// Small things that builtins need and the table's checks guarantee.
impl Checker<'_> {
    /// For argument lists that [`Builtin::args`] rules out.
    pub(crate) fn no_arguments<T>(&mut self, call: &Call<'_>) -> Checked<T> {
        self.fail(Problem::error(
            call.span,
            format!("`{}` has the wrong number of arguments", call.name.text),
        ))
    }

    /// Reports a call that acts on the machine, unless that is allowed.
    pub(crate) fn unsafe_call(&mut self, call: &Call<'_>) -> Checked<()> {
        if self.env.allows_unsafe() {
            return Ok(());
        }
        let message =
            format!("{}() acts on the machine, which a tracer should not do by accident", call.name.text);
        self.fail(Problem::error(call.span, message).help("allow it with `--unsafe`"))
    }

    /// Reports what the machine had no answer to.
    pub(crate) fn no_answer<T>(&mut self, error: EnvError, span: Span) -> Checked<T> {
        let mut problem = Problem::error(span, error.message);
        problem.notes = error.notes;
        problem.help.extend(error.help);
        if let [near, ..] = error.similar.as_slice() {
            problem = problem.help(format!("did you mean `{near}`?"));
        }
        self.fail(problem)
    }

    /// The value as another type.
    pub(crate) fn cast_to(&self, e: hir::Expr, ty: &Type) -> hir::Expr {
        build::cast(e, ty)
    }

    /// A number that prints as a name.
    pub(crate) fn named(&self, number: hir::Expr, of: NameOf, span: Span) -> hir::Expr {
        let number = build::cast(number, &Type::U64);
        hir::Expr::new(hir::ExprKind::Apply(hir::Fun::Named, vec![number]), Type::Named(of), span)
    }

    /// An address and an offset in bytes.
    pub(crate) fn offset(&self, address: hir::Expr, by: u64) -> hir::Expr {
        let span = address.span;
        build::offset(address, by, span)
    }

    /// An `uint64` literal.
    pub(crate) fn number(&self, value: u64, span: Span) -> hir::Expr {
        build::int(value, Type::U64, span)
    }

    /// A string literal.
    pub(crate) fn literal_text(&mut self, text: &[u8], span: Span) -> Checked<hir::Expr> {
        self.string_literal(text, span)
    }
}
