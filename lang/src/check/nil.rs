//! `x == nil` and `x != nil`, as in Go: pointers, slices, maps, channels, functions, interfaces and errors.
//!
//! Whatever can be nil is nil when its first word is 0: of an interface that is its type, of a slice its address.

use crate::ast::{BinOp, Expr, ExprKind};
use crate::check::maps::with_article;
use crate::check::place::Place;
use crate::check::{Checked, Checker, build};
use crate::diag::Problem;
use crate::hir;
use crate::span::Span;
use crate::types::{GoType, Type};

/// What Go calls the value of a reference to nothing.
pub(super) const NIL: &str = "nil";

impl Checker<'_> {
    /// The comparison of one operand with `nil`, if the other one is `nil` and the script has not given that name a meaning of its own.
    pub(super) fn nil_comparison(
        &mut self,
        op: BinOp,
        (a, b): (&Expr, &Expr),
        span: Span,
    ) -> Checked<Option<hir::Expr>> {
        let is_nil = |e: &Expr| matches!(&e.kind, ExprKind::Ident(name) if name == NIL);
        let operand = match (is_nil(a), is_nil(b)) {
            (false, true) => a,
            (true, false) => b,
            _ => return Ok(None),
        };
        let equal = match op {
            _ if self.types.constants.contains_key(NIL) => return Ok(None),
            BinOp::Eq => hir::BinOp::Eq,
            BinOp::Ne => hir::BinOp::Ne,
            _ => return Ok(None),
        };
        let word = self.word_of_reference(operand)?;
        let nil = build::int(0, Type::U64, span);
        Ok(Some(build::binary(equal, word, nil, Type::Bool, span)))
    }

    /// The word that is 0 if the value is nil.
    fn word_of_reference(&mut self, e: &Expr) -> Checked<hir::Expr> {
        if let Some(Place { base, ty: Type::Go(ty), .. }) = self.place_in_go(e)? {
            return match ty {
                GoType::Interface { .. } | GoType::Slice(_) | GoType::Map(_) | GoType::Reference(_) => {
                    self.word(&base, 0, e.span)
                }
                GoType::Str | GoType::Complex(_) => self.never_nil(&Type::Go(ty), e.span),
            };
        }
        let value = build::plain(self.expr(e)?);
        match (&value.ty, &value.kind) {
            // A number is a word of the program, such as `retval` of a function without types.
            (Type::Ptr { .. } | Type::Int { .. }, _) => Ok(build::cast(value, &Type::U64)),
            (Type::GoTypeName, hir::ExprKind::Symbol(address)) => Ok((**address).clone()),
            (ty, _) => self.never_nil(&ty.clone(), e.span),
        }
    }

    fn never_nil<T>(&mut self, ty: &Type, span: Span) -> Checked<T> {
        let problem = Problem::error(span, format!("{} is never nil", with_article(ty)));
        self.fail(match ty {
            Type::Str(_) | Type::Go(GoType::Str) => {
                problem.help("compare it with the empty text: `x == \"\"`")
            }
            Type::GoError => problem.help("compare the error itself: `x == nil`"),
            _ => problem,
        })
    }
}
