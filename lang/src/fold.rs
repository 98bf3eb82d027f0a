//! Constant folding on typed expressions, with exactly the run-time meaning: 64-bit arithmetic that wraps, division that
//! truncates to zero, shift counts modulo 64, the sign by the type of the operands.
//!
//! The checker folds every node as it builds it, so that `lhist(x, 0, 10 * 1000, 100)` sees literals. Division by a
//! literal zero is not folded; the checker reports it.

use crate::hir::{BinOp, Expr, ExprKind, LogicOp, UnOp};
use crate::types::Type;

/// Brings 64 bits into the canonical form of a type: sign- or zero-extended from its width.
#[must_use]
pub fn canonical(value: u64, ty: &Type) -> u64 {
    match (ty, ty.integer()) {
        (Type::Bool, _) => u64::from(value != 0),
        (_, Some((8, true))) => value as i8 as u64,
        (_, Some((16, true))) => value as i16 as u64,
        (_, Some((32, true))) => value as i32 as u64,
        (_, Some((8, false))) => u64::from(value as u8),
        (_, Some((16, false))) => u64::from(value as u16),
        (_, Some((32, false))) => u64::from(value as u32),
        _ => value,
    }
}

/// Folds one node whose operands are folded already.
#[must_use]
pub fn node(expr: Expr) -> Expr {
    let Expr { kind, ty, span } = expr;
    let literal = |value: u64| ExprKind::Int(value);
    let kind = match kind {
        ExprKind::Cast(e) => match e.literal() {
            Some(v) if is_number(&e.ty) && is_number(&ty) => literal(canonical(v, &ty)),
            _ if e.ty == ty => return Expr { span, ..*e },
            // Between 64-bit values a cast changes no bits, so only the last one says anything.
            _ if is_wide(&ty) && is_wide(&e.ty) => match *e {
                Expr { kind: ExprKind::Cast(inner), .. } if is_wide(&inner.ty) => {
                    return node(Expr { kind: ExprKind::Cast(inner), ty, span });
                }
                e => ExprKind::Cast(Box::new(e)),
            },
            _ => ExprKind::Cast(e),
        },
        ExprKind::Unary(op, e) => match e.literal() {
            Some(v) => literal(match op {
                UnOp::Neg => v.wrapping_neg(),
                UnOp::BitNot => !v,
                UnOp::Not => u64::from(v == 0),
            }),
            None => ExprKind::Unary(op, e),
        },
        ExprKind::Binary(op, a, b) => match (a.literal(), b.literal(), &a.kind, &b.kind) {
            (Some(x), Some(y), ..) => match binary(op, x, y, a.ty.is_signed()) {
                Some(v) => literal(v),
                None => ExprKind::Binary(op, a, b),
            },
            (_, _, ExprKind::Str(x), ExprKind::Str(y)) if op == BinOp::Eq => literal(u64::from(x == y)),
            (_, _, ExprKind::Str(x), ExprKind::Str(y)) if op == BinOp::Ne => literal(u64::from(x != y)),
            (None, Some(0), ..)
                if matches!(
                    op,
                    BinOp::Add | BinOp::Sub | BinOp::Or | BinOp::Xor | BinOp::Shl | BinOp::Shr
                ) && a.ty == ty =>
            {
                return Expr { span, ..*a };
            }
            (None, Some(1), ..) if matches!(op, BinOp::Mul | BinOp::Div) && a.ty == ty => {
                return Expr { span, ..*a };
            }
            // Offsets of nested members: (p + 8) + 16.
            (None, Some(y), ExprKind::Binary(BinOp::Add, base, inner), _)
                if op == BinOp::Add && a.ty == ty =>
            {
                match inner.literal() {
                    Some(x) => {
                        let sum = Expr::new(literal(x.wrapping_add(y)), ty.clone(), b.span);
                        ExprKind::Binary(BinOp::Add, base.clone(), Box::new(sum))
                    }
                    None => ExprKind::Binary(op, a, b),
                }
            }
            _ => ExprKind::Binary(op, a, b),
        },
        ExprKind::Logical(op, a, b) => match (op, a.literal(), b.literal()) {
            (LogicOp::And, Some(0), _) => literal(0),
            (LogicOp::Or, Some(1), _) => literal(1),
            (LogicOp::And, Some(_), _) | (LogicOp::Or, Some(0), _) => return *b,
            (LogicOp::And, _, Some(1)) | (LogicOp::Or, _, Some(0)) => return *a,
            _ => ExprKind::Logical(op, a, b),
        },
        ExprKind::Ternary(c, a, b) => match c.literal() {
            Some(0) => return Expr { ty, ..*b },
            Some(_) => return Expr { ty, ..*a },
            None => ExprKind::Ternary(c, a, b),
        },
        ExprKind::Member(e, n) => match e.kind {
            ExprKind::Tuple(mut list) if list.iter().all(is_pure) && (n as usize) < list.len() => {
                return list.swap_remove(n as usize);
            }
            kind => ExprKind::Member(Box::new(Expr { kind, ..*e }), n),
        },
        other => other,
    };
    Expr { kind, ty, span }
}

/// Whether computing it has no effect but its value.
#[must_use]
pub fn is_pure(expr: &Expr) -> bool {
    !matches!(
        expr.kind,
        ExprKind::IncVar { .. }
            | ExprKind::IncMap { .. }
            | ExprKind::Delete { .. }
            | ExprKind::Block(..)
            | ExprKind::Call(..)
    ) && !matches!(&expr.kind, ExprKind::Apply(fun, _) if fun.acts())
        && expr.children().into_iter().all(is_pure)
}

fn is_number(ty: &Type) -> bool {
    matches!(ty, Type::Bool | Type::Int { .. } | Type::Enum(_) | Type::Ptr { .. })
}

/// A number or pointer of 64 bits.
fn is_wide(ty: &Type) -> bool {
    matches!(ty, Type::Int { bits: 64, .. } | Type::Ptr { .. })
}

/// The value of `a op b` for operands of one 64-bit type; `None` for division by zero.
pub(crate) fn binary(op: BinOp, a: u64, b: u64, signed: bool) -> Option<u64> {
    let (x, y) = (a as i64, b as i64);
    let order = if signed { x.cmp(&y) } else { a.cmp(&b) };
    Some(match op {
        BinOp::Add => a.wrapping_add(b),
        BinOp::Sub => a.wrapping_sub(b),
        BinOp::Mul => a.wrapping_mul(b),
        BinOp::Div | BinOp::Mod if b == 0 => return None,
        BinOp::Div if signed => x.wrapping_div(y) as u64,
        BinOp::Div => a / b,
        BinOp::Mod if signed => x.wrapping_rem(y) as u64,
        BinOp::Mod => a % b,
        BinOp::And => a & b,
        BinOp::Or => a | b,
        BinOp::Xor => a ^ b,
        BinOp::Shl => a.wrapping_shl(b as u32),
        BinOp::Shr if signed => x.wrapping_shr(b as u32) as u64,
        BinOp::Shr => a.wrapping_shr(b as u32),
        BinOp::Eq => u64::from(a == b),
        BinOp::Ne => u64::from(a != b),
        BinOp::Lt => u64::from(order.is_lt()),
        BinOp::Le => u64::from(order.is_le()),
        BinOp::Gt => u64::from(order.is_gt()),
        BinOp::Ge => u64::from(order.is_ge()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;

    fn int(value: i64, ty: Type) -> Box<Expr> {
        Box::new(Expr::new(ExprKind::Int(value as u64), ty, Span::default()))
    }

    fn fold(op: BinOp, a: i64, b: i64, ty: Type) -> Option<i64> {
        let e = Expr::new(ExprKind::Binary(op, int(a, ty.clone()), int(b, ty.clone())), ty, Span::default());
        node(e).literal().map(|v| v as i64)
    }

    #[test]
    fn arithmetic_wraps_and_truncates() {
        assert_eq!(fold(BinOp::Add, i64::MAX, 1, Type::I64), Some(i64::MIN));
        assert_eq!(fold(BinOp::Div, -7, 2, Type::I64), Some(-3));
        assert_eq!(fold(BinOp::Mod, -7, 2, Type::I64), Some(-1));
        assert_eq!(fold(BinOp::Div, -7, 2, Type::U64), Some(0x7fff_ffff_ffff_fffc));
        assert_eq!(fold(BinOp::Div, i64::MIN, -1, Type::I64), Some(i64::MIN));
        assert_eq!(fold(BinOp::Div, 1, 0, Type::I64), None);
        assert_eq!(fold(BinOp::Shr, -8, 1, Type::I64), Some(-4));
        assert_eq!(fold(BinOp::Shr, -8, 63, Type::U64), Some(1));
        assert_eq!(fold(BinOp::Shl, 1, 65, Type::U64), Some(2));
        assert_eq!(fold(BinOp::Lt, -1, 0, Type::I64), Some(1));
        assert_eq!(fold(BinOp::Lt, -1, 0, Type::U64), Some(0));
    }

    #[test]
    fn casts_are_canonical() {
        for (value, bits, signed, expected) in [
            (300, 8, false, 44),
            (200, 8, true, -56),
            (-1, 32, false, 0xffff_ffff),
            (0xffff_ffff, 32, true, -1),
            (-1, 64, false, -1),
        ] {
            let cast =
                Expr::new(ExprKind::Cast(int(value, Type::I64)), Type::Int { bits, signed }, Span::default());
            assert_eq!(node(cast).literal().map(|v| v as i64), Some(expected), "{value} as {bits} {signed}");
        }
    }

    #[test]
    fn offsets_are_added_up() {
        let pointer =
            Box::new(Expr::new(ExprKind::Builtin(crate::hir::Builtin::Arg(0)), Type::U64, Span::default()));
        let add = |a: Box<Expr>, n| {
            Expr::new(ExprKind::Binary(BinOp::Add, a, int(n, Type::U64)), Type::U64, Span::default())
        };
        let e = node(add(Box::new(node(add(pointer, 8))), 16));
        let ExprKind::Binary(BinOp::Add, _, offset) = e.kind else { panic!("not a sum") };
        assert_eq!(offset.literal(), Some(24));
    }
}
