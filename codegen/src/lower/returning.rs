//! Programs that do the return instruction they are attached to.
//!
//! A kernel that lets uprobe programs write registers leaves out the probed instruction when the instruction pointer has changed after
//! the programs of a place have run (`handle_swbp` in kernel/events/uprobes.c). A return only takes an address off the stack: the
//! program does that, and the thread is spared the single step and its trap.
//!
//! Several programs may be at one place, and they see each other's changes. So each of them first **undoes** a return that one before it
//! has done: its script finds the registers as they were at the instruction. At its end each does the return again. What
//! has moved the instruction pointer otherwise is left alone. Every way out of a program comes by the end.
//!
//! The instruction is left to the kernel where the stack cannot be read, where the return address is none (the fault belongs to the
//! instruction) or leads to the instruction itself, and in threads with a shadow stack, which only the instruction takes the address off.

use super::Lower;
use crate::helper::Helper;
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Func, Label, Op, Operand, Place, Val};
use lang::env::CodeStart;
use lang::hir::Attach;
use lang::types::AddrSpace;

/// Bits of an address below the page number.
const PAGE_OFFSET: i32 = 0xfff;
/// The instruction that a probe puts in the place of another: `int3`.
const BREAKPOINT: i32 = 0xcc;
/// User addresses of x86-64 are below `1 << USER_BITS` (with four levels of page tables, which programs get unless they ask for more).
const USER_BITS: i32 = 47;
/// `ARCH_SHSTK_SHSTK` in `thread_struct.features` (arch/x86/include/uapi/asm/prctl.h).
const SHADOW_STACK: i32 = 1;

/// Where a program keeps what it needs for the return.
pub(super) struct Returning {
    /// The return address; 0 for none that the program may go to.
    back: Place,
}

impl Lower<'_, '_> {
    /// At the start of a program: reads the return address, and undoes the return where it has been done. `None` for programs that
    /// leave it to the kernel.
    pub(super) fn begin_return(&mut self) -> Option<Returning> {
        self.unit.target.returning?;
        let Attach::Uprobe { class, .. } = &self.probe.attach else { return None };
        let code = class.own_return?;
        let words: Place = self.f.slot(16).into();
        let back = words.at(8);
        let (sp, ip) = (self.register("sp"), self.register("ip"));
        // What a return takes off the stack stays below the stack pointer. The helper clears what it cannot read.
        let below = self.f.alu(AluOp::Sub, sp, Operand::Imm(8));
        self.f.call_void(Helper::ReadUser, &[Arg::Addr(words), Arg::Imm(16), Arg::Val(below)]);
        let taken = self.f.load(Width::D, words);

        let (moved, ready) = (self.f.label(), self.f.label());
        let offset = self.site_offset();
        let distance = self.f.alu(AluOp::Xor, ip, offset);
        let in_page = self.f.alu(AluOp::And, distance, Operand::Imm(PAGE_OFFSET));
        self.f.branch(Cond::Ne, in_page, Operand::Imm(0), moved);
        self.f.branch(Cond::Ne, taken, Operand::Val(ip), ready);
        self.perhaps(|lower| {
            // Either the address of the instruction happens to lie below the stack pointer, or the return has been done to a place
            // that has the same offset in its page. A breakpoint is at the instruction only.
            let byte: Place = lower.f.slot(8).into();
            lower.f.call_void(Helper::ReadUser, &[Arg::Addr(byte), Arg::Imm(1), Arg::Val(ip)]);
            let byte = lower.f.load(Width::B, byte);
            lower.f.branch(Cond::Eq, byte, Operand::Imm(BREAKPOINT), ready);
            lower.f.push(Op::Label(moved));
            lower.undo(code, (ip, taken, below), back, ready);
        });
        self.f.push(Op::Label(ready));
        Some(Returning { back })
    }

    /// Where the instruction pointer is not at the probe: restores the registers if a return has been done, and goes on at `ready`.
    fn undo(&mut self, code: CodeStart, (ip, taken, below): (Val, Val, Val), back: Place, ready: Label) {
        let Some(kernel) = self.unit.target.returning else { return };
        let foreign = self.f.label();
        self.f.branch(Cond::Ne, taken, Operand::Val(ip), foreign);
        let task = self.f.call(Helper::CurrentTask, &[]);
        let mm = self.follow(AddrSpace::Kernel, task, kernel.mm as i32, foreign);
        let start = self.follow(AddrSpace::Kernel, mm, kernel.start_code as i32, foreign);
        let offset = self.site_offset();
        let code = self.f.operand(code.0);
        let base = self.f.alu(AluOp::Sub, start, code);
        let site = self.f.alu(AluOp::Add, base, offset);
        self.set_register("sp", below);
        self.set_register("ip", site);
        self.f.store(Width::D, back, Operand::Val(taken));
        self.f.push(Op::Jump(ready));
        self.f.push(Op::Label(foreign));
        self.f.store(Width::D, back, Operand::Imm(0));
    }

    /// At the end of a program, where all ways out of it meet: does the return.
    pub(super) fn end_return(&mut self, returning: &Returning) {
        let out = self.f.label();
        let back = self.f.load(Width::D, returning.back);
        self.f.branch(Cond::Eq, back, Operand::Imm(0), out);
        let high = self.f.alu(AluOp::Rsh, back, Operand::Imm(USER_BITS));
        self.f.branch(Cond::Ne, high, Operand::Imm(0), out);
        let ip = self.register("ip");
        self.f.branch(Cond::Eq, back, Operand::Val(ip), out);
        if let Some(features) = self.unit.target.returning.and_then(|kernel| kernel.thread_features) {
            let task = self.f.call(Helper::CurrentTaskBtf, &[]);
            let features = self.f.load(Width::D, Place::from(task).at(features));
            self.f.branch(Cond::Set, features, Operand::Imm(SHADOW_STACK), out);
        }
        let sp = self.register("sp");
        let above = self.f.alu(AluOp::Add, sp, Operand::Imm(8));
        self.set_register("sp", above);
        self.set_register("ip", back);
        self.f.push(Op::Label(out));
    }

    fn set_register(&mut self, name: &str, value: Val) {
        let index = self.unit.target.arch.register(name).unwrap_or(0);
        self.f.store(Width::D, Place::from(Func::CTX).at(8 * u32::from(index)), Operand::Val(value));
    }
}
