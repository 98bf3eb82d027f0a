//! Comparison of values in memory: strings, tuples, structures.

use super::Lower;
use super::memory::chunks;
use super::string::Pad;
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Label, Op, Operand, Place, Val};
use lang::hir::{Expr, ExprKind};
use lang::types::Type;

/// Values up to this many bytes are compared word by word, larger ones in a loop.
const UNROLLED: u32 = 128;
/// Bytes that one round of the loop compares. The verifier walks through every round and keeps its ways out in mind, of which
/// it can keep 8192 (`BPF_COMPLEXITY_LIMIT_JMP_SEQ`).
const STRIDE: u32 = 64;

impl Lower<'_, '_> {
    /// Jumps to `to` if two values in memory are equal (or, with `equal` false, different).
    pub(super) fn branch_memory(&mut self, a: &Expr, b: &Expr, equal: bool, to: Label) {
        if let Type::Str(_) = a.ty {
            if let ExprKind::Str(text) = &b.kind {
                return self.branch_literal(a, &text.clone(), equal, to);
            }
            if let ExprKind::Str(text) = &a.kind {
                return self.branch_literal(b, &text.clone(), equal, to);
            }
        }
        // A string ends within its room, so strings that are equal as far as the smaller room reaches are equal.
        let size = a.ty.size().min(b.ty.size());
        let text = matches!(a.ty, Type::Str(_));
        let places = (self.place(a), self.place(b));
        self.branch_places(places, size, text, equal, to);
    }

    /// The same for two places of so many bytes; of texts no more is compared than there is.
    pub(super) fn branch_places(
        &mut self,
        (a, b): (Place, Place),
        size: u32,
        text: bool,
        equal: bool,
        to: Label,
    ) {
        let (same, differ) = match equal {
            true => (to, self.f.label()),
            false => (self.f.label(), to),
        };
        let looped = if size > UNROLLED { size - size % STRIDE } else { 0 };
        if looped > 0 {
            self.compare_loop(a, b, looped, differ, text.then_some(same));
        }
        let (a, b) = (a.at(looped), b.at(looped));
        for (at, width) in chunks(a, b, size - looped) {
            let x = self.f.load(width, a.at(at));
            let y = self.f.load(width, b.at(at));
            self.f.branch(Cond::Ne, x, Operand::Val(y), differ);
        }
        self.f.push(Op::Jump(same));
        self.f.push(Op::Label(if equal { differ } else { same }));
    }

    /// Compares with a literal: only as much text is read as decides.
    fn branch_literal(&mut self, e: &Expr, text: &[u8], equal: bool, to: Label) {
        let needed = (text.len() as u32 + 2).next_multiple_of(8);
        let cap = e.ty.size();
        if text.len() as u32 >= cap {
            // Never equal; what the other side does besides must happen.
            if e.has_effects() {
                self.place(e);
            }
            if !equal {
                self.f.push(Op::Jump(to));
            }
            return;
        }
        let from = match e.kind {
            // Values that are read for the comparison alone are read no further than needed.
            ExprKind::ReadStr { .. }
            | ExprKind::GoStr { .. }
            | ExprKind::Load { .. }
            | ExprKind::CtxDataLoc { .. }
                if needed < cap =>
            {
                let place = self.memory(needed);
                self.store_str(e, place, needed, Pad::Zero);
                place
            }
            _ => self.place(e),
        };
        let mut bytes = text.to_vec();
        bytes.push(0);
        let compared = bytes.len().next_multiple_of(8).min(cap as usize);
        bytes.resize(compared, 0);
        let differ = if equal { self.f.label() } else { to };
        self.branch_bytes(from, &bytes, differ);
        if equal {
            self.f.push(Op::Jump(to));
            self.f.push(Op::Label(differ));
        }
    }

    /// Jumps to `differ` unless the first bytes of two values in memory are the same; no more is read than that. A literal is
    /// the second value.
    pub(super) fn branch_first_bytes(&mut self, a: &Expr, b: &Expr, bytes: u32, differ: Label) {
        let from = self.first_bytes(a, bytes);
        if let ExprKind::Str(text) = &b.kind {
            let mut text = text.to_vec();
            text.resize(bytes as usize, 0);
            return self.branch_bytes(from, &text, differ);
        }
        let other = self.first_bytes(b, bytes);
        let looped = if bytes > UNROLLED { bytes - bytes % STRIDE } else { 0 };
        if looped > 0 {
            self.compare_loop(from, other, looped, differ, None);
        }
        let (from, other) = (from.at(looped), other.at(looped));
        for (at, width) in chunks(from, other, bytes - looped) {
            let x = self.f.load(width, from.at(at));
            let y = self.f.load(width, other.at(at));
            self.f.branch(Cond::Ne, x, Operand::Val(y), differ);
        }
    }

    /// A place that has at least so many of a value's first bytes.
    fn first_bytes(&mut self, e: &Expr, bytes: u32) -> Place {
        // A text has a NUL at the end of its room, which must lie behind what is compared.
        let room = (bytes + 1).next_multiple_of(8);
        let cut =
            matches!(e.kind, ExprKind::ReadStr { .. } | ExprKind::GoStr { .. } | ExprKind::CtxDataLoc { .. });
        if cut && room < e.ty.size() && matches!(e.ty, Type::Str(_)) {
            let place = self.memory(room);
            self.store_str(e, place, room, Pad::Zero);
            return place;
        }
        self.place(e)
    }

    /// Jumps to `differ` unless these bytes stand at a place.
    fn branch_bytes(&mut self, from: Place, bytes: &[u8], differ: Label) {
        for (at, width) in chunks(from, from, bytes.len() as u32) {
            let chunk = &bytes[at as usize..(at + width.bytes()) as usize];
            let word = chunk.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
            let got = self.f.load(width, from.at(at));
            let word = self.f.operand(word);
            self.f.condition(Cond::Ne, got, word, differ);
        }
    }

    /// Jumps to `differ` unless two places of `size` bytes, a multiple of [`STRIDE`], are equal. Of text, which is zeros from
    /// its end on, no more is compared than there is: jumps to `ended` behind it.
    fn compare_loop(&mut self, a: Place, b: Place, size: u32, differ: Label, ended: Option<Label>) {
        let (start_a, start_b) = (self.address(a), self.address(b));
        let at = self.f.var();
        self.f.push(Op::Const { dst: at, value: 0 });
        let head = self.f.loop_label();
        self.f.push(Op::Label(head));
        let pa: Place = self.f.alu(AluOp::Add, start_a, Operand::Val(at)).into();
        let pb: Place = self.f.alu(AluOp::Add, start_b, Operand::Val(at)).into();
        let mut difference: Option<Val> = None;
        for word in (0..STRIDE).step_by(8) {
            let x = self.f.load(Width::D, pa.at(word));
            let y = self.f.load(Width::D, pb.at(word));
            let differs = self.f.alu(AluOp::Xor, x, Operand::Val(y));
            difference = Some(match difference {
                Some(so_far) => self.f.alu(AluOp::Or, so_far, Operand::Val(differs)),
                None => differs,
            });
        }
        if let Some(difference) = difference {
            self.f.branch(Cond::Ne, difference, Operand::Imm(0), differ);
        }
        if let Some(ended) = ended {
            let last = self.f.load(Width::B, pa.at(STRIDE - 1));
            self.f.branch(Cond::Eq, last, Operand::Imm(0), ended);
        }
        self.f.push(Op::Alu { op: AluOp::Add, dst: at, a: at, b: Operand::Imm(STRIDE as i32) });
        self.f.branch(Cond::Lt, at, Operand::Imm(size as i32), head);
    }
}
