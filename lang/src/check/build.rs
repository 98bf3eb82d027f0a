//! Constructors of typed nodes. Each folds constants, so that what the checker looks at is as simple as can be.

use crate::fold;
use crate::hir::{BinOp, Expr, ExprKind, LogicOp, UnOp};
use crate::span::Span;
use crate::types::Type;
use std::sync::Arc;

/// A literal.
pub(crate) fn int(value: u64, ty: Type, span: Span) -> Expr {
    Expr::new(ExprKind::Int(fold::canonical(value, &ty)), ty, span)
}

/// A boolean literal.
pub(crate) fn bool(value: bool, span: Span) -> Expr {
    int(u64::from(value), Type::Bool, span)
}

/// A string literal.
pub(crate) fn string(text: &[u8], span: Span) -> Expr {
    Expr::new(ExprKind::Str(Arc::from(text)), Type::Str(string_size(text.len())), span)
}

/// Size of a string type that holds `len` bytes and the NUL.
pub(crate) fn string_size(len: usize) -> u32 {
    (len as u32).saturating_add(1).next_multiple_of(8)
}

/// The value as another type.
pub(crate) fn cast(e: Expr, ty: &Type) -> Expr {
    if e.ty == *ty {
        return e;
    }
    let span = e.span;
    fold::node(Expr::new(ExprKind::Cast(Box::new(e)), ty.clone(), span))
}

/// A value of an enumeration, a duration or a time as the number it is; other values as they are.
pub(crate) fn plain(e: Expr) -> Expr {
    match &e.ty {
        Type::Enum(of) => {
            let to = match e.literal() {
                // Like a number in the script, it takes the sign of what it meets.
                Some(v) if v as i64 >= 0 => Type::I64,
                _ => of.integer(),
            };
            cast(e, &to)
        }
        Type::Duration | Type::Time => cast(e, &Type::I64),
        _ => e,
    }
}

/// Arithmetic on two operands of the node's type, or a comparison of operands of one type.
pub(crate) fn binary(op: BinOp, a: Expr, b: Expr, ty: Type, span: Span) -> Expr {
    fold::node(Expr::new(ExprKind::Binary(op, Box::new(a), Box::new(b)), ty, span))
}

/// `a && b`, `a || b`.
pub(crate) fn logical(op: LogicOp, a: Expr, b: Expr, span: Span) -> Expr {
    fold::node(Expr::new(ExprKind::Logical(op, Box::new(a), Box::new(b)), Type::Bool, span))
}

/// A unary operator.
pub(crate) fn unary(op: UnOp, e: Expr, ty: Type, span: Span) -> Expr {
    fold::node(Expr::new(ExprKind::Unary(op, Box::new(e)), ty, span))
}

/// `e != 0`
pub(crate) fn nonzero(e: Expr) -> Expr {
    let ty = if e.ty.is_signed() { Type::I64 } else { Type::U64 };
    let span = e.span;
    binary(BinOp::Ne, cast(e, &ty), int(0, ty, span), Type::Bool, span)
}

/// An address and a constant offset.
pub(crate) fn offset(address: Expr, by: u64, span: Span) -> Expr {
    binary(BinOp::Add, address, int(by, Type::U64, span), Type::U64, span)
}
