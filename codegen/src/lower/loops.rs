//! Loops.
//!
//! How the verifier is content with a loop depends on the kernel ([`Loops`]). With `may_goto` a loop is a label that is jumped back to: the
//! verifier compares the state of one round with that of another and stops when nothing is new. Before that, a round is a function that
//! `bpf_loop` calls ([`super::callback`]), of which the same holds. Else a loop is jumped back to as well, and the verifier follows every
//! round to the last.
//!
//! Numbers that differ in every round would always be new, so all variables that a loop changes are made unknown to the verifier, where it
//! need not follow all rounds: a zero that it does not know is added. That is done in each round, because a comparison (`$i == 3`) tells it
//! the number again, and from there on it would count.

use super::memory::chunks;
use super::{Home, Lower, Value};
use crate::helper::Helper;
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Label, MapRef, Op, Operand, Place, Val};
use crate::object::{self, CounterKind};
use crate::target::Loops;
use lang::hir::{self, Expr, ExprKind, LoopKind, Stmt, StmtKind, VarId};
use lang::types::Type;

/// Rounds that `bpf_loop` makes at most (`BPF_MAX_LOOPS`, include/linux/bpf.h).
const MOST_ROUNDS: u32 = 1 << 23;

/// Whether the rounds of a loop are calls of a function, on a machine with loops of this form.
pub(super) fn is_called_back(kind: &LoopKind, loops: Loops) -> bool {
    matches!(kind, LoopKind::Map { .. }) || loops == Loops::Callback
}

/// Where `continue` and `break` of a loop go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub next: Label,
    pub end: Label,
}

impl Lower<'_, '_> {
    pub(super) fn repeat(&mut self, kind: &LoopKind, body: &[Stmt]) {
        match (kind, self.unit.target.loops) {
            (LoopKind::Map { var, map }, _) => self.each_entry(*var, *map, body),
            (LoopKind::Range { var, from, to }, Loops::Callback) => self.range_of_calls(*var, from, to, body),
            (LoopKind::Range { var, from, to }, _) => self.range(*var, from, to, body),
            (LoopKind::While { cond }, Loops::Callback) => self.while_of_calls(cond, body),
            (LoopKind::While { cond }, _) => {
                let zero = self.zero_for_jumps();
                self.looped(
                    |l, end| {
                        l.forget(zero, body, Some(cond));
                        l.branch(cond, false, end);
                    },
                    body,
                );
            }
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
        let zero = self.zero_for_jumps();
        let past = if signed { Cond::Sge } else { Cond::Ge };
        self.looped(
            |l, end| {
                l.forget(zero, body, None);
                if let Some(zero) = zero {
                    l.f.push(Op::Alu { op: AluOp::Add, dst: count, a: count, b: Operand::Val(zero) });
                }
                l.f.branch(past, count, limit, end);
                l.set_number(var, &from.ty, count);
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

    /// A range whose rounds are calls. Their number is known before the first.
    fn range_of_calls(&mut self, var: VarId, from: &Expr, to: &Expr, body: &[Stmt]) {
        let past = if from.ty.is_signed() { Cond::Sge } else { Cond::Ge };
        let (Some(frame), Some(first)) = (self.frame, self.shared.first_of(var)) else { return };
        let (start, limit) = (self.scalar(from), self.scalar(to));
        let (start, limit) = (self.val(start), self.val(limit));
        let end = self.f.label();
        self.f.branch(past, start, Operand::Val(limit), end);
        self.perhaps(|l| {
            l.f.store(Width::D, frame.at(first), Operand::Val(start));
            let wanted = l.f.alu(AluOp::Sub, limit, Operand::Val(start));
            l.forget_changed(body, None);
            let rounds = l.clamp(wanted, MOST_ROUNDS);
            let number = |l: &mut Self, [index, frame]: [Val; 2], _| {
                let first = l.f.load(Width::D, Place::from(frame).at(first));
                let number = l.f.alu(AluOp::Add, first, Operand::Val(index));
                l.set_number(var, &from.ty, number);
            };
            let done = l.call_back(Helper::Loop, Arg::Val(rounds), number, body);
            l.f.branch(Cond::Le, wanted, Operand::Imm(MOST_ROUNDS as i32), end);
            l.count_if_ended(done, end);
        });
        self.f.push(Op::Label(end));
    }

    /// A `while` whose rounds are calls.
    fn while_of_calls(&mut self, cond: &Expr, body: &[Stmt]) {
        self.forget_changed(body, Some(cond));
        let ask = |l: &mut Self, _: [Val; 2], end| l.branch(cond, false, end);
        let done = self.call_back(Helper::Loop, Arg::Imm(i64::from(MOST_ROUNDS)), ask, body);
        let end = self.f.label();
        self.count_if_ended(done, end);
        self.f.push(Op::Label(end));
    }

    /// Tells of a loop that went round as often as the kernel lets it; goes on at `end` if it did not.
    fn count_if_ended(&mut self, rounds: Val, end: Label) {
        self.f.branch(Cond::Ne, rounds, Operand::Imm(MOST_ROUNDS as i32), end);
        self.count_error(CounterKind::LoopLimit);
    }

    /// Sets the variable of a range.
    fn set_number(&mut self, var: VarId, ty: &Type, number: Val) {
        self.assigned[var.0 as usize] = true;
        match self.vars[var.0 as usize] {
            Home::Register(home) => self.assign(home, Value::Val(number)),
            Home::Memory(place) => self.f.store(super::scalar_width(ty), place, Operand::Val(number)),
        }
    }

    /// The zero for [`Lower::forget`], where the verifier need not follow all jumps.
    pub(super) fn zero_for_jumps(&mut self) -> Option<Val> {
        (self.unit.target.loops == Loops::MayGoto).then(|| self.unknown_zero())
    }

    /// Makes the variables unknown to the verifier that a loop changes, for all rounds that are calls.
    pub(super) fn forget_changed(&mut self, body: &[Stmt], cond: Option<&Expr>) {
        let zero = self.unknown_zero();
        self.forget(Some(zero), body, cond);
    }

    /// Adds a zero that the verifier does not know to the variables that a loop changes.
    fn forget(&mut self, zero: Option<Val>, body: &[Stmt], cond: Option<&Expr>) {
        let Some(zero) = zero else { return };
        for var in changed(body, cond) {
            if !self.assigned[var.0 as usize] {
                continue;
            }
            let ty = &self.defs[var.0 as usize].ty;
            match self.vars[var.0 as usize] {
                Home::Register(home) => {
                    self.f.push(Op::Alu { op: AluOp::Add, dst: home, a: home, b: Operand::Val(zero) });
                }
                // What is not on the stack the verifier does not know, and what is not shared it sees change.
                Home::Memory(place) if ty.is_scalar() || self.shared.in_frame(var) => {
                    for (at, width) in chunks(place, place, ty.size()) {
                        let value = self.f.load(width, place.at(at));
                        let value = self.f.alu(AluOp::Add, value, Operand::Val(zero));
                        self.f.store(width, place.at(at), Operand::Val(value));
                    }
                }
                Home::Memory(_) => {}
            }
        }
    }

    /// Zero, which the verifier does not know.
    pub(super) fn unknown_zero(&mut self) -> Val {
        let map = MapRef(self.unit.unknown_zero() as u32);
        let address = self.f.temp();
        self.f.push(Op::MapAddr { dst: address, map, offset: 0 });
        self.f.load(Width::D, address.into())
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
