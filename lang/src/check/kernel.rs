//! `args` and `retval` of kernel functions and raw tracepoints: words of the program's context, with the types that the kernel
//! describes.

use crate::ast::{Expr, ExprKind, Name};
use crate::check::place::{Base, Place};
use crate::check::{Checked, Checker, build};
use crate::diag::Problem;
use crate::env::{KernelFunction, KernelParam};
use crate::hir::{self, Attach};
use crate::span::Span;
use crate::types::Type;
use std::sync::Arc;

impl Checker<'_> {
    /// The place of `args.name`, `args.0` and `retval`; `None` for other expressions and in other probes.
    pub(super) fn kernel_place(&mut self, e: &Expr) -> Checked<Option<Place>> {
        let (function, returns) = match &self.target().attach {
            Attach::RawTracepoint(function) => (Arc::clone(function), false),
            Attach::Fentry { function, ret, .. } => (Arc::clone(function), *ret),
            Attach::Iter(iter) => return self.of_walk(&Arc::clone(iter), e),
            _ => return Ok(None),
        };
        match &e.kind {
            ExprKind::Member(base, name) if is_args(base) => self.by_name(&function, name, e.span).map(Some),
            ExprKind::TupleMember(base, n) if is_args(base) => {
                let params = self.params(&function, e.span)?;
                match usize::try_from(*n).ok().and_then(|n| params.get(n)) {
                    Some(param) => {
                        self.context_word(hir::Builtin::Arg(param.word), param.ty.clone(), e.span).map(Some)
                    }
                    None => {
                        let what =
                            format!("`{}` has {} arguments, counted from 0", function.name, params.len());
                        self.fail(Problem::error(e.span, what))
                    }
                }
            }
            ExprKind::Ident(name) if name == "retval" && returns => match &function.result {
                Some(ty) => {
                    // Where the verifier does not believe the types of a BPF program (`func_info_aux.unreliable`), which it tells
                    // nobody, the result is behind five words instead of behind the parameters: the kernel is asked for it.
                    let word = match function.program {
                        Some(_) => hir::Builtin::Retval,
                        None => hir::Builtin::Arg(function.words()),
                    };
                    self.context_word(word, ty.clone(), e.span).map(Some)
                }
                None => {
                    let what = format!("`{}` has no result", function.name);
                    self.fail(Problem::error(e.span, what))
                }
            },
            _ => Ok(None),
        }
    }

    /// `ctx.task` of an iterator: a word of the context, although the kernel's structure has it as a member.
    fn of_walk(&mut self, iter: &hir::Iter, e: &Expr) -> Checked<Option<Place>> {
        let ExprKind::Member(base, name) = &e.kind else { return Ok(None) };
        match &base.kind {
            ExprKind::Ident(base) if base == "ctx" || base == "args" => {
                self.by_name(&iter.function, name, e.span).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn params(&mut self, function: &KernelFunction, span: Span) -> Checked<Vec<KernelParam>> {
        match &function.params {
            Some(params) => Ok(params.clone()),
            None => self.fail(
                Problem::error(span, format!("the arguments of `{}` are not known", function.name))
                    .note("this kernel does not describe its types (no BTF)")
                    .help("`arg0`, `arg1`, … are the words"),
            ),
        }
    }

    fn by_name(&mut self, function: &KernelFunction, name: &Name, span: Span) -> Checked<Place> {
        let params = self.params(function, span)?;
        if let Some(param) = params.iter().find(|p| p.name == name.text) {
            return self.context_word(hir::Builtin::Arg(param.word), param.ty.clone(), span);
        }
        let names = || params.iter().map(|p| p.name.as_str());
        let what = format!("`{}` has no argument `{}`", function.name, name.text);
        let mut problem = Problem::error(name.span, what).did_you_mean(&name.text, names());
        if problem.help.is_empty() {
            let known: Vec<&str> = names().collect();
            problem = problem.note(match known.as_slice() {
                [] => "it has none".to_owned(),
                known => format!("its arguments are {}", known.join(", ")),
            });
        }
        self.fail(problem)
    }

    /// A word of the context as a value of a type. What is above a narrow value in its word is undefined.
    fn context_word(&mut self, word: hir::Builtin, ty: Type, span: Span) -> Checked<Place> {
        const BYTE: Type = Type::Int { bits: 8, signed: false };
        let raw = hir::Expr::new(hir::ExprKind::Builtin(word), Type::U64, span);
        let value = match &ty {
            // Read as a byte; the place makes a boolean of it.
            Type::Bool => build::cast(raw, &BYTE),
            Type::Int { .. } | Type::Ptr { .. } | Type::Enum(_) => build::cast(raw, &ty),
            other => {
                let problem = Problem::error(span, format!("a {other} among the arguments cannot be read"));
                return self.fail(problem.help("`argN` are the words of the arguments"));
            }
        };
        Ok(Place::new(Base::Value(value, 0), ty))
    }
}

fn is_args(e: &Expr) -> bool {
    matches!(&e.kind, ExprKind::Ident(name) if name == "args")
}
