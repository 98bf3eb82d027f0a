//! Reads of traced memory that are done once: what a script reads is a snapshot, so the second `args.r.URL` of a program is the first.
//!
//! Two addresses are the same if they are computed in the same way from registers and constants, which do not change while a program runs.
//! The headers of strings and slices, address and length side by side, are read at once.

use super::{Lower, Once, Value};
use crate::insn::Width;
use crate::ir::Place;
use lang::gomap::GoMapLayout;
use lang::hir::{BinOp, Builtin, Expr, ExprKind, Fun};
use lang::types::{AddrSpace, Type};

/// A number that does not change while a program runs, as a text that is the same for the same number; `None` for others.
fn constant(e: &Expr) -> Option<String> {
    Some(match &e.kind {
        ExprKind::Int(value) => format!("{value}"),
        ExprKind::Builtin(Builtin::Reg(register)) => format!("r{register}"),
        ExprKind::Binary(op, a, b) => format!("({} {op:?} {})", constant(a)?, constant(b)?),
        ExprKind::Cast(of) => format!("{}<{}>{}", e.ty, of.ty, constant(of)?),
        ExprKind::Load { addr, space } => read_of(&e.ty, addr, *space)?,
        ExprKind::Apply(Fun::GoMapEntry(_), args) => go_map_entry(args)?,
        _ => return None,
    })
}

/// The address of the element of a Go map for a key. Its layout follows from its type, and that from its place.
fn go_map_entry(args: &[Expr]) -> Option<String> {
    let [map, key] = args else { return None };
    let key = match &key.kind {
        ExprKind::Str(text) => format!("{text:?}"),
        _ => constant(key)?,
    };
    Some(format!("{}[{key}]", constant(map)?))
}

/// The same for what is read at an address.
fn read_of(ty: &Type, addr: &Expr, space: AddrSpace) -> Option<String> {
    let word = matches!(ty, Type::Int { .. } | Type::Ptr { .. });
    (word && space == AddrSpace::User).then(|| constant(addr).map(|addr| format!("{ty}@{addr}"))).flatten()
}

/// An address as another one and a distance in bytes.
fn split(addr: &Expr) -> (&Expr, u64) {
    match &addr.kind {
        ExprKind::Binary(BinOp::Add, base, by) => match by.literal() {
            Some(by) => (base, by),
            None => (addr, 0),
        },
        _ => (addr, 0),
    }
}

impl Lower<'_, '_> {
    /// A scalar at an address of traced memory.
    pub(super) fn read_scalar(&mut self, e: &Expr, addr: &Expr, space: AddrSpace) -> Value {
        if space == AddrSpace::Kernel
            && let Some(number) = self.load_followed(&e.ty, addr)
        {
            return number.into();
        }
        let read = |lower: &mut Self| {
            let addr = lower.scalar(addr);
            lower.load_traced(&e.ty, addr, space)
        };
        match read_of(&e.ty, addr, space) {
            Some(known) => self.once(Once::Read(known), read).into(),
            None => read(self).into(),
        }
    }

    /// The address of the element that a Go map has for a key.
    pub(super) fn go_map_entry(&mut self, layout: &GoMapLayout, args: &[Expr]) -> Value {
        let [map, key] = args else { return Value::Imm(0) };
        let find = |lower: &mut Self| lower.find_in_go_map(layout, map, key);
        match go_map_entry(args) {
            Some(known) => self.once(Once::Read(known), find).into(),
            None => find(self).into(),
        }
    }

    /// The address and the length of a string or a slice.
    pub(super) fn header(&mut self, addr: &Expr, len: &Expr) -> (Value, Value) {
        let Some((at, words)) = side_by_side(addr, len) else { return (self.scalar(addr), self.scalar(len)) };
        let [first, second] = words.map(Once::Read);
        if self.knows(&first) && self.knows(&second) {
            return (self.scalar(addr), self.scalar(len));
        }
        let slot: Place = self.f.slot(16).into();
        let at = self.scalar(at);
        self.read(slot, 16, at, AddrSpace::User);
        let word = |lower: &mut Self, at: u32| lower.f.load(Width::D, slot.at(at));
        (self.once(first, |lower| word(lower, 0)).into(), self.once(second, |lower| word(lower, 8)).into())
    }
}

/// Where two words lie, if they are read one behind the other, and both as what [`Once::Read`] holds.
fn side_by_side<'e>(addr: &'e Expr, len: &Expr) -> Option<(&'e Expr, [String; 2])> {
    let ExprKind::Load { addr: first, space: AddrSpace::User } = &addr.kind else { return None };
    let ExprKind::Load { addr: second, space: AddrSpace::User } = &len.kind else { return None };
    let ((base, at), (same, behind)) = (split(first), split(second));
    let adjacent = addr.ty == Type::U64 && len.ty == Type::U64 && at.checked_add(8) == Some(behind);
    (adjacent && constant(base)? == constant(same)?).then_some(())?;
    Some((first, [constant(addr)?, constant(len)?]))
}
