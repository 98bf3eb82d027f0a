//! Loops.
//!
//! A loop is a label that is jumped back to. How the verifier is content with that depends on the kernel ([`Loops`]): with
//! `may_goto` it compares the state of one round with that of another and stops when nothing is new; else it follows every round to
//! the last. Numbers that differ in every round would always be new, so for `may_goto` all variables that a loop changes are made
//! unknown to the verifier before it: a zero that it does not know is added.

use super::{Home, Lower, Value};
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Label, MapRef, Op, Operand, Val};
use crate::object::{self, CounterKind};
use crate::target::Loops;
use lang::hir::{self, Expr, ExprKind, LoopKind, Stmt, StmtKind, VarId};

/// Where `continue` and `break` of a loop go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub next: Label,
    pub end: Label,
}

impl Lower<'_, '_> {
    pub(super) fn repeat(&mut self, kind: &LoopKind, body: &[Stmt]) {
        match kind {
            LoopKind::Range { var, from, to } => self.range(*var, from, to, body),
            LoopKind::While { cond } => {
                self.forget_changed(body, Some(cond));
                self.looped(|l, end| l.branch(cond, false, end), body);
            }
            LoopKind::Map { var, map } => self.each_entry(*var, *map, body),
        }
    }

    /// `break`, `continue`
    pub(super) fn leave_round(&mut self, to: impl Fn(&Round) -> Label) {
        if let Some(to) = self.rounds.last().map(to) {
            self.f.push(Op::Jump(to));
        }
    }

    fn range(&mut self, var: VarId, from: &Expr, to: &Expr, body: &[Stmt]) {
        let signed = from.ty.is_signed();
        let (start, limit) = (self.scalar(from), self.scalar(to));
        // The limit is a value of its own: what it was made of may change in the loop.
        let limit = self.operand(limit);
        let count = self.f.var();
        self.assign(count, start);
        if let Some(zero) = self.forget_changed(body, None) {
            self.f.push(Op::Alu { op: AluOp::Add, dst: count, a: count, b: Operand::Val(zero) });
        }
        let home = self.vars[var.0 as usize];
        let ty = from.ty.clone();
        self.assigned[var.0 as usize] = true;
        let past = if signed { Cond::Sge } else { Cond::Ge };
        self.looped(
            |l, end| {
                l.f.branch(past, count, limit, end);
                match home {
                    Home::Register(home) => l.assign(home, Value::Val(count)),
                    Home::Memory(place) => l.f.store(super::scalar_width(&ty), place, Operand::Val(count)),
                }
                l.f.push(Op::Alu { op: AluOp::Add, dst: count, a: count, b: Operand::Imm(1) });
            },
            body,
        );
    }

    /// The loop itself: `head` comes first in each round and may end it.
    fn looped(&mut self, head: impl FnOnce(&mut Self, Label), body: &[Stmt]) {
        let (next, end) = (self.f.loop_label(), self.f.label());
        let span = self.span;
        let counted = self.unit.target.loops == Loops::MayGoto;
        let limit = self.f.label();
        self.f.push(Op::Label(next));
        self.perhaps(|l| {
            head(l, end);
            if counted {
                l.f.push(Op::MayGoto(limit));
            }
            l.rounds.push(Round { next, end });
            l.block(body);
            l.rounds.pop();
            l.f.push(Op::Jump(next));
        });
        if counted {
            self.span = span;
            self.f.push(Op::Label(limit));
            self.f.push(Op::Line(span));
            self.count_error(CounterKind::LoopLimit);
        }
        self.f.push(Op::Label(end));
    }

    /// Makes the variables unknown to the verifier that a loop changes; gives the zero that does it, where it is needed.
    fn forget_changed(&mut self, body: &[Stmt], cond: Option<&Expr>) -> Option<Val> {
        if self.unit.target.loops != Loops::MayGoto {
            return None;
        }
        let map = MapRef(self.unit.unknown_zero() as u32);
        let address = self.f.temp();
        self.f.push(Op::MapAddr { dst: address, map, offset: 0 });
        let zero = self.f.load(Width::D, address.into());
        for var in changed(body, cond) {
            if !self.assigned[var.0 as usize] {
                continue;
            }
            let ty = &self.defs[var.0 as usize].ty;
            match self.vars[var.0 as usize] {
                Home::Register(home) => {
                    self.f.push(Op::Alu { op: AluOp::Add, dst: home, a: home, b: Operand::Val(zero) });
                }
                Home::Memory(place) if ty.is_scalar() => {
                    let width = super::scalar_width(ty);
                    let value = self.f.load(width, place);
                    let value = self.f.alu(AluOp::Add, value, Operand::Val(zero));
                    self.f.store(width, place, Operand::Val(value));
                }
                Home::Memory(_) => {}
            }
        }
        Some(zero)
    }
}

impl super::Unit<'_> {
    /// The map of [`object::UNKNOWN_ZERO`], made on first use.
    fn unknown_zero(&mut self) -> usize {
        let index = self.global(object::UNKNOWN_ZERO);
        self.maps[index].value_size = 8;
        index
    }
}

/// The variables that a block or a condition assigns, each once.
pub(super) fn changed(body: &[Stmt], cond: Option<&Expr>) -> Vec<VarId> {
    let mut vars = Vec::new();
    let increments = |e: &Expr, vars: &mut Vec<VarId>| {
        e.visit(&mut |e| {
            if let ExprKind::IncVar { var, .. } = e.kind {
                vars.push(var);
            }
        });
    };
    if let Some(cond) = cond {
        increments(cond, &mut vars);
    }
    hir::visit_all(body, &mut |stmt| {
        if let StmtKind::SetVar(var, _) = stmt.kind {
            vars.push(var);
        }
        for e in stmt.exprs() {
            increments(e, &mut vars);
        }
    });
    vars.sort_unstable();
    vars.dedup();
    vars
}
