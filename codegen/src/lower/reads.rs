//! Map entries that a program reads twice: `/@start[tid]/ { @ns = hist(nsecs - @start[tid]); }` looks its entry up once.
//!
//! What was read stays known until the program itself changes the map, and into no loop. That another program changes the entry
//! meanwhile makes no difference that a script could rely on: then all of the run sees the entry as it was. Keys must be made of
//! what does not change while a program runs.

use super::{Lower, Once};
use crate::ir::Val;
use lang::hir::{Builtin, Expr, ExprKind, MapId};
use lang::types::Type;

/// A read of a map entry whose value fits a register.
#[derive(Debug)]
pub(super) struct Read {
    map: MapId,
    key: Expr,
    ty: Type,
    /// The program may have changed the entry since.
    outdated: bool,
}

impl Lower<'_, '_> {
    /// The value of an entry if it has been read on every way here.
    pub(super) fn read_before(&self, map: MapId, key: &Expr, ty: &Type) -> Option<Val> {
        let same = |known: &Once| match known {
            Once::Entry(n) => self
                .reads
                .get(*n)
                .is_some_and(|r| !r.outdated && r.map == map && r.ty == *ty && same_value(&r.key, key)),
            _ => false,
        };
        self.known.iter().find(|(known, _)| same(known)).map(|(_, val)| *val)
    }

    /// Notes what an entry holds; `value` must be defined on every way here.
    pub(super) fn note_read(&mut self, map: MapId, key: &Expr, ty: &Type, value: Val) {
        if same_value(key, key) {
            self.known.push((Once::Entry(self.reads.len()), value));
            self.reads.push(Read { map, key: key.clone(), ty: ty.clone(), outdated: false });
        }
    }

    /// The program changes a map: what was read of it is not known any more.
    pub(super) fn forget_reads_of(&mut self, map: MapId) {
        self.reads.iter_mut().filter(|read| read.map == map).for_each(|read| read.outdated = true);
    }

    /// A loop begins: what it changes at its end, its beginning must read again.
    pub(super) fn forget_reads(&mut self) {
        self.reads.iter_mut().for_each(|read| read.outdated = true);
    }
}

/// Whether two expressions have the same value wherever they stand in a program; an expression is compared with itself to learn
/// whether its value is always the same.
fn same_value(a: &Expr, b: &Expr) -> bool {
    let pairs = |a: &[Expr], b: &[Expr]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b));
    a.ty == b.ty
        && match (&a.kind, &b.kind) {
            (ExprKind::Int(a), ExprKind::Int(b)) => a == b,
            (ExprKind::Str(a), ExprKind::Str(b)) => a == b,
            (ExprKind::Ctx { offset: a }, ExprKind::Ctx { offset: b }) => a == b,
            (ExprKind::Cast(a), ExprKind::Cast(b)) => same_value(a, b),
            (ExprKind::Tuple(a), ExprKind::Tuple(b)) => pairs(a, b),
            (ExprKind::Builtin(a), ExprKind::Builtin(b)) => a == b && is_constant(a),
            _ => false,
        }
}

/// Whether a builtin has one value while a program runs.
fn is_constant(builtin: &Builtin) -> bool {
    matches!(
        builtin,
        Builtin::Pid(_)
            | Builtin::Tid(_)
            | Builtin::Uid
            | Builtin::Gid
            | Builtin::Cpu
            | Builtin::Arg(_)
            | Builtin::ResultWord(_)
            | Builtin::Retval
            | Builtin::Reg(_)
            | Builtin::Goid
            | Builtin::CallId
            | Builtin::Func
            | Builtin::Probe
    )
}
