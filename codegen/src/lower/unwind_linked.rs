//! Frames of arm64 on the walk of `unwind`: calls leave the return address in a register, and functions that call others save it somewhere
//! in their frames.

use super::Lower;
use super::unwind::{Parts, Registers, Ways};
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Op, Operand, Place, Val};
use crate::unwind::Step;

impl Lower<'_, '_> {
    /// Goes to the caller as a row says. `link` is the register of the return address.
    pub(super) fn step_linked(&mut self, at: Registers, link: Val, row: Val, flags: Val, ways: Ways) {
        let Parts { step, bytes, saved, .. } = self.parts_of_row(row);
        let below = self.f.alu(AluOp::Lsh, saved, Operand::Imm(3));
        let [by_sp, by_bp, alone_by_sp, alone_by_bp, signal] = [(); 5].map(|()| self.f.label());
        for (which, label) in [
            (Step::Sp, by_sp),
            (Step::Bp, by_bp),
            (Step::SpLink, alone_by_sp),
            (Step::BpLink, alone_by_bp),
            (Step::FramePointer, ways.by_frame_pointer),
            (Step::Signal, signal),
            (Step::End, ways.end),
        ] {
            self.f.branch(Cond::Eq, step, Operand::Imm(i32::from(which as u8)), label);
        }
        self.without_rule(step, flags, ways);

        self.f.push(Op::Label(signal));
        self.f.branch(Cond::Eq, at.sp, Operand::Imm(0), ways.end);
        self.leave_handler(at, ways);

        let cfa = self.f.var();
        let words: Place = self.f.slot(16).into();
        let [pair, alone, gone] = [(); 3].map(|()| self.f.label());
        for (label, base, then) in [
            (by_sp, at.sp, pair),
            (by_bp, at.bp, pair),
            (alone_by_sp, at.sp, alone),
            (alone_by_bp, at.bp, alone),
        ] {
            self.f.push(Op::Label(label));
            // The stack pointer is not known behind code that was left by its frame pointer; this code has one then.
            self.f.branch(Cond::Eq, base, Operand::Imm(0), ways.by_frame_pointer);
            self.f.push(Op::Alu { op: AluOp::Add, dst: cfa, a: base, b: Operand::Val(bytes) });
            self.f.push(Op::Jump(then));
        }

        self.f.push(Op::Label(alone));
        let from = self.f.alu(AluOp::Sub, cfa, Operand::Val(below));
        self.read_or(words, 8, from, ways.end);
        self.f.push(Op::Load { width: Width::D, dst: link, from: words });
        self.f.push(Op::Jump(gone));

        self.f.push(Op::Label(pair));
        self.f.branch(Cond::Eq, saved, Operand::Imm(0), gone);
        let from = self.f.alu(AluOp::Sub, cfa, Operand::Val(below));
        self.read_or(words, 16, from, ways.end);
        self.f.push(Op::Load { width: Width::D, dst: at.bp, from: words });
        self.f.push(Op::Load { width: Width::D, dst: link, from: words.at(8) });
        self.f.push(Op::Label(gone));
        self.f.push(Op::Copy { dst: at.sp, src: cfa });
        self.return_by_link(at, link, ways);
    }

    /// Goes on with the return address in its register, without its signature. The caller has called: what it had there is lost.
    pub(super) fn return_by_link(&mut self, at: Registers, link: Val, ways: Ways) {
        let bits = self.unit.target.unwind.map_or(u64::BITS, |unwind| unwind.address_bits);
        let signature = Operand::Imm((u64::BITS - bits.clamp(1, u64::BITS)) as i32);
        self.f.push(Op::Alu { op: AluOp::Lsh, dst: at.ip, a: link, b: signature });
        self.f.push(Op::Alu { op: AluOp::Rsh, dst: at.ip, a: at.ip, b: signature });
        self.f.push(Op::Const { dst: link, value: 0 });
        self.f.branch(Cond::Eq, at.ip, Operand::Imm(0), ways.end);
        self.f.push(Op::Alu { op: AluOp::Add, dst: at.looked_up, a: at.ip, b: Operand::Imm(-1) });
        self.f.push(Op::Jump(ways.next));
    }
}
