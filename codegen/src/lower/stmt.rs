//! Statements.

use super::callback::Leave;
use super::string::Pad;
use super::{Home, Lower};
use crate::ir::Op;
use lang::hir::{Action, Expr, ExprKind, MapValue, Stmt, StmtKind, VarId};
use lang::types::Type;

impl Lower<'_, '_> {
    pub(super) fn block(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            self.span = stmt.span;
            self.f.push(Op::Line(stmt.span));
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::SetVar(var, value) => self.set_var(*var, value),
            StmtKind::SetMap { map, key, value } => self.set(*map, key.as_ref(), value),
            StmtKind::AddMap { map, key, delta } => self.add(*map, key.as_ref(), delta),
            StmtKind::Update { map, key, value } => {
                if let MapValue::Agg(agg) = self.unit.user_maps[map.0 as usize].value {
                    self.update(*map, key.as_ref(), agg, value.as_ref());
                }
            }
            StmtKind::If { cond, then, els } => self.if_else(cond, then, els),
            StmtKind::Loop { kind, body } => {
                self.forget_reads();
                self.repeat(kind, body);
            }
            StmtKind::Break => self.leave_round(|round| round.end),
            StmtKind::Continue => self.leave_round(|round| round.next),
            StmtKind::Return => self.leave(Leave::Return),
            StmtKind::Expr(e) => self.effect(e),
            StmtKind::Emit { action, args } => {
                self.emit(action, args);
                if *action == Action::Exit {
                    self.leave(Leave::End);
                }
            }
        }
    }

    pub(super) fn set_var(&mut self, var: VarId, value: &Expr) {
        self.assigned[var.0 as usize] = true;
        match self.vars[var.0 as usize] {
            Home::Register(home) => {
                let value = self.scalar(value);
                self.assign(home, value);
            }
            Home::Memory(place) => {
                let ty = &self.defs[var.0 as usize].ty;
                // `$s = $c ? $s : "x"` reads what it writes.
                let from = if reads_var(value, var) { Some(self.copy_out(value)) } else { None };
                match (from, ty) {
                    (Some(from), _) => self.copy(from, place, value.ty.size()),
                    (None, Type::Str(cap)) => self.store_str(value, place, *cap, Pad::Zero),
                    (None, _) => self.store(value, place, Pad::Zero),
                }
            }
        }
    }

    /// The value in memory of its own.
    fn copy_out(&mut self, value: &Expr) -> crate::ir::Place {
        let place = self.memory(value.ty.size());
        self.store(value, place, Pad::Zero);
        place
    }

    fn if_else(&mut self, cond: &Expr, then: &[Stmt], els: &[Stmt]) {
        let (other, end) = (self.f.label(), self.f.label());
        self.branch(cond, false, other);
        self.perhaps(|l| l.block(then));
        if els.is_empty() {
            self.f.push(Op::Label(other));
            return;
        }
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(other));
        self.perhaps(|l| l.block(els));
        self.f.push(Op::Label(end));
    }

    fn effect(&mut self, e: &Expr) {
        if let ExprKind::Call(sub, args) = &e.kind {
            self.call_subprogram(*sub, args);
        } else if e.ty.is_scalar() {
            self.scalar(e);
        } else if e.ty != Type::Void {
            self.place(e);
        }
    }
}

/// Whether an expression reads a variable.
fn reads_var(e: &Expr, var: VarId) -> bool {
    let mut found = false;
    e.visit(&mut |e| found |= matches!(e.kind, ExprKind::Var(v) if v == var));
    found
}
