//! `goerr()`: the chain of errors in an interface, copied as [`lang::goerror`] lays it out.
//!
//! Each error is found by the address of its type, which gives the offsets of its strings and of the error behind it in one word. From
//! there on the code is the same for all types.

use super::Lower;
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Op, Operand, Place, Val};
use lang::gocopy::ITAB_TYPE;
use lang::goerror::{ErrorType, LEVEL_SIZE, LEVELS, NO_OFFSET, OFFSET_BITS, ROOM, SIZE, TEXT_SIZE, TEXTS};
use lang::hir::{Expr, GoError};
use lang::types::AddrSpace;

impl Lower<'_, '_> {
    /// Writes the errors of a chain. All bytes are defined, so that equal errors are equal keys.
    pub(super) fn store_go_error(&mut self, error: &GoError, to: Place) {
        let GoError { words: (first, data), methods, base, types } = error;
        let slot: Place = self.f.slot(16).into();
        for (at, word) in [(0, first), (8, data)] {
            let word = self.scalar(word);
            let word = self.operand(word);
            self.f.store(Width::D, slot.at(at), word);
        }
        let base = base.as_ref().map(|base| self.scalar_val(base));
        let tgid = self.tgid();
        self.clear(to, SIZE);
        self.f.store(Width::D, to, Operand::Val(tgid));
        let end = self.f.label();
        self.perhaps(|lower| {
            for level in 0..LEVELS {
                let at = to.at(8 + level * LEVEL_SIZE);
                let word = lower.f.load(Width::D, slot);
                lower.f.branch(Cond::Eq, word, Operand::Imm(0), end);
                if *methods || level > 0 {
                    let there = lower.f.alu(AluOp::Add, word, Operand::Imm(ITAB_TYPE as i32));
                    lower.read(at, 8, there.into(), AddrSpace::User);
                } else {
                    lower.f.store(Width::D, at, Operand::Val(word));
                }
                let layout = lower.layout_of(at, base, types, end);
                lower.error_parts(layout, slot, at);
                if level + 1 < LEVELS {
                    lower.next_error(layout, slot, end);
                }
            }
        });
        self.f.push(Op::Label(end));
    }

    fn scalar_val(&mut self, e: &Expr) -> Val {
        let value = self.scalar(e);
        self.val(value)
    }

    /// What is known of the type whose address is at `at`, as [`ErrorType::packed`]; jumps to `unknown` for another type.
    fn layout_of(
        &mut self,
        at: Place,
        base: Option<Val>,
        types: &[ErrorType],
        unknown: crate::ir::Label,
    ) -> Val {
        let mut ty = self.f.load(Width::D, at);
        if let Some(base) = base {
            ty = self.f.alu(AluOp::Sub, ty, Operand::Val(base));
        }
        let layout = self.f.var();
        let known = self.f.label();
        for of in types {
            self.f.push(Op::Const { dst: layout, value: of.packed() });
            let address = self.f.operand(of.address);
            self.f.branch(Cond::Eq, ty, address, known);
        }
        self.f.push(Op::Jump(unknown));
        self.f.push(Op::Label(known));
        self.copy_of(layout)
    }

    /// The strings and the number of an error; its interface is at `slot`.
    fn error_parts(&mut self, layout: Val, slot: Place, at: Place) {
        let header: Place = self.f.slot(16).into();
        for text in 0..TEXTS {
            let to = at.at(16 + text * TEXT_SIZE);
            let end = self.f.label();
            let there = self.offset_in_error(layout, text, slot, end);
            self.read(header, 16, there.into(), AddrSpace::User);
            let len = self.f.load(Width::D, header.at(8));
            self.f.branch(Cond::Eq, len, Operand::Imm(0), end);
            self.f.store(Width::D, to, Operand::Val(len));
            let address = self.f.load(Width::D, header);
            let len = self.clamp(len, ROOM);
            self.read_sized(to.at(8), Arg::Val(len), address.into(), AddrSpace::User);
            self.f.push(Op::Label(end));
        }
        let end = self.f.label();
        let number = self.f.alu(AluOp::Rsh, layout, Operand::Imm(((TEXTS + 1) * OFFSET_BITS) as i32));
        self.f.branch(Cond::Eq, number, Operand::Imm(0), end);
        let data = self.f.load(Width::D, slot.at(8));
        self.read(at.at(8), 8, data.into(), AddrSpace::User);
        self.f.push(Op::Label(end));
    }

    /// The interface of the error behind this one goes to `slot`; jumps to `end` if there is none.
    fn next_error(&mut self, layout: Val, slot: Place, end: crate::ir::Label) {
        let there = self.offset_in_error(layout, TEXTS, slot, end);
        self.read(slot, 16, there.into(), AddrSpace::User);
    }

    /// The address of the `n`-th part of an error; jumps to `none` if it has no such part.
    fn offset_in_error(&mut self, layout: Val, n: u32, slot: Place, none: crate::ir::Label) -> Val {
        let shifted = self.f.alu(AluOp::Rsh, layout, Operand::Imm((n * OFFSET_BITS) as i32));
        let offset = self.f.alu(AluOp::And, shifted, Operand::Imm(NO_OFFSET as i32));
        self.f.branch(Cond::Eq, offset, Operand::Imm(NO_OFFSET as i32), none);
        let data = self.f.load(Width::D, slot.at(8));
        self.f.alu(AluOp::Add, data, Operand::Val(offset))
    }
}
