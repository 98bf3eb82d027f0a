//! Type inference: how the types of several assignments become one, and how a value is brought to it.

use crate::fold;
use crate::hir::{Expr, ExprKind, NO_FUNCTION};
use crate::types::Type;
use std::sync::Arc;

/// A type that assignments have determined so far.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Inferred {
    /// The type.
    pub ty: Type,
    /// Only literals that are not negative, or `ksym(0)`, were assigned: the type gives way to the first real one.
    pub weak: bool,
}

impl Inferred {
    /// What one value says.
    pub fn of(value: &Expr) -> Inferred {
        Inferred { ty: value.ty.clone(), weak: is_weak(value) || is_no_symbol(value) }
    }

    /// The type that holds values of both; `None` when there is none.
    pub fn join(&self, other: &Inferred) -> Option<Inferred> {
        let ty = match (self.weak, other.weak) {
            (true, false) => join_literal(&self.ty, &other.ty),
            (false, true) => join_literal(&other.ty, &self.ty),
            _ => None,
        };
        let ty = match ty {
            Some(ty) => ty,
            None => join(&self.ty, &other.ty)?,
        };
        Some(Inferred { ty, weak: self.weak && other.weak })
    }
}

/// Whether a value is a literal that any 64-bit integer type can hold.
pub(crate) fn is_weak(value: &Expr) -> bool {
    value.ty == Type::I64 && value.literal().is_some_and(|v| v as i64 >= 0)
}

/// Whether a value is the symbol of nothing, `ksym(0)`: scripts give a map that is to hold `func` its type by it, which is one in bpftrace.
fn is_no_symbol(value: &Expr) -> bool {
    matches!(&value.kind, ExprKind::Symbol(address) if value.ty == Type::KSym && address.literal() == Some(0))
}

/// A literal beside an integer: 64 bits, with the sign of the integer when that has 64 bits itself. `ksym(0)` beside the name of a
/// function: such a name.
fn join_literal(literal: &Type, ty: &Type) -> Option<Type> {
    match (literal, ty) {
        (Type::KSym, Type::FuncName) => Some(Type::FuncName),
        (Type::KSym, _) => None,
        (_, Type::Int { bits: 64, signed: false }) => Some(Type::U64),
        (_, Type::Int { .. }) => Some(Type::I64),
        _ => None,
    }
}

/// The type that holds values of both types: the wider integer, the longer string, member by member for tuples.
pub(crate) fn join(a: &Type, b: &Type) -> Option<Type> {
    Some(match (a, b) {
        _ if a == b => a.clone(),
        (Type::Int { bits: x, signed: s }, Type::Int { bits: y, signed: t }) if s == t => {
            Type::Int { bits: *x.max(y), signed: *s }
        }
        (Type::Int { bits: x, signed: s }, Type::Int { bits: y, .. }) => {
            // The signed one holds all values of the unsigned one when it is wider.
            let (signed, unsigned) = if *s { (*x, *y) } else { (*y, *x) };
            let bits = if signed > unsigned { signed } else { (unsigned.saturating_mul(2)).min(64) };
            Type::Int { bits, signed: true }
        }
        (Type::Bool, int @ Type::Int { .. }) | (int @ Type::Int { .. }, Type::Bool) => int.clone(),
        (Type::Enum(e), other) | (other, Type::Enum(e)) if other.integer().is_some() => {
            let other = match other {
                Type::Enum(other) => other.integer(),
                int => int.clone(),
            };
            join(&e.integer(), &other)?
        }
        (Type::Str(x), Type::Str(y)) => Type::Str(*x.max(y)),
        (Type::Buf(x), Type::Buf(y)) => Type::Buf(*x.max(y)),
        (Type::Record(x), Type::Record(y)) if x.len() == y.len() => {
            let member = |(name, x): &(Arc<str>, Type)| {
                let (_, y) = y.iter().find(|(other, _)| other == name)?;
                Some((name.clone(), join(x, y)?))
            };
            Type::Record(x.iter().map(member).collect::<Option<_>>()?)
        }
        (Type::Tuple(x), Type::Tuple(y)) if x.len() == y.len() => {
            Type::Tuple(x.iter().zip(y).map(|(x, y)| join(x, y)).collect::<Option<_>>()?)
        }
        (Type::Stack { kind: k, mode: m, limit: x }, Type::Stack { kind: l, mode: n, limit: y })
            if k == l && m == n =>
        {
            Type::Stack { kind: *k, mode: *m, limit: *x.max(y) }
        }
        (Type::Ptr { to: x, space: s }, Type::Ptr { to: y, space: t }) if s == t => match (&**x, &**y) {
            (Type::Void, _) => b.clone(),
            (_, Type::Void) => a.clone(),
            _ => return None,
        },
        _ => return None,
    })
}

/// Brings a value to a type that [`join`] made of its own and others; `None` when the types do not fit.
pub(crate) fn coerce(value: Expr, ty: &Type) -> Option<Expr> {
    if value.ty == *ty {
        return Some(value);
    }
    let span = value.span;
    match (&value.ty, ty) {
        (Type::Int { .. } | Type::Enum(_) | Type::Bool, Type::Int { .. })
        | (Type::Ptr { .. }, Type::Ptr { .. }) => {
            Some(fold::node(Expr::new(ExprKind::Cast(Box::new(value)), ty.clone(), span)))
        }
        (Type::KSym, Type::FuncName) if is_no_symbol(&value) => {
            Some(Expr::new(ExprKind::Int(NO_FUNCTION), ty.clone(), span))
        }
        (Type::Str(from), Type::Str(to)) if from <= to => Some(value),
        // What is read only now can be read into more room; what is kept somewhere has its size.
        (Type::Buf(from), Type::Buf(to)) if from <= to && matches!(value.kind, ExprKind::ReadBuf { .. }) => {
            Some(Expr { ty: ty.clone(), ..value })
        }
        (Type::Stack { limit: from, .. }, Type::Stack { limit: to, .. })
            if from <= to && matches!(value.kind, ExprKind::Builtin(_)) =>
        {
            Some(Expr { ty: ty.clone(), ..value })
        }
        (Type::Tuple(from), Type::Tuple(to)) if from.len() == to.len() => coerce_members(value, ty),
        (Type::Record(from), Type::Record(to)) if from.len() == to.len() => coerce_members(value, ty),
        _ => None,
    }
}

/// A tuple, member by member, or a record, whose members may stand in another order.
fn coerce_members(value: Expr, ty: &Type) -> Option<Expr> {
    let (from, span) = (value.ty.clone(), value.span);
    let members: Vec<Expr> = match value.kind {
        ExprKind::Tuple(list) => list,
        _ if !fold::is_pure(&value) => return None,
        _ => {
            let member = |(i, t): (usize, &Type)| {
                Expr::new(ExprKind::Member(Box::new(value.clone()), i as u32), t.clone(), span)
            };
            from.members().into_iter().enumerate().map(member).collect()
        }
    };
    let members = match (&from, ty) {
        (Type::Record(from), Type::Record(to)) => {
            let member = |(name, t): &(Arc<str>, Type)| {
                let at = from.iter().position(|(other, _)| other == name)?;
                coerce(members.get(at)?.clone(), t)
            };
            to.iter().map(member).collect::<Option<_>>()?
        }
        _ => members.into_iter().zip(ty.members()).map(|(m, t)| coerce(m, t)).collect::<Option<_>>()?,
    };
    Some(Expr::new(ExprKind::Tuple(members), ty.clone(), span))
}
