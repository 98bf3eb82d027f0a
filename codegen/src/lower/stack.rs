//! Stacks: what the kernel walks, and the direct caller that it leaves out. It follows frame pointers, and where a function has not
//! set its own up yet, or has taken it down, the first one is the caller's: the caller itself is missing. At a call's entry and at a
//! return instruction its return address is on top of the stack, and is put in.

use super::{Lower, Value};
use crate::helper::Helper;
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Func, Op, Operand, Place, Val};
use crate::object::CounterKind;
use lang::arch::Arch;
use lang::env::Stop;
use lang::hir::{Attach, Expr};
use lang::types::{AddrSpace, StackKind, Type};

/// `BPF_F_USER_STACK`
const USER_STACK: i64 = 1 << 8;

/// What a program knows of the direct caller at its sites.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Caller {
    /// The walk finds it, as far as anything is known.
    Walked,
    /// It is missing.
    Missing,
    /// The kernel puts it in where the instruction is `push %rbp` (x86-64, Linux 6.12): compare.
    Perhaps,
}

impl Lower<'_, '_> {
    /// A stack. The helper clears the room that it does not fill, so equal stacks are equal bytes.
    pub(super) fn store_stack(&mut self, e: &Expr, to: Place) {
        let Type::Stack { kind, limit, .. } = e.ty else { return };
        // Kernel addresses mean the same in every process; equal stacks must be equal keys.
        let owner = if kind == StackKind::User { Operand::Val(self.tgid()) } else { Operand::Imm(0) };
        self.f.store(Width::W, to, owner);
        let caller = if kind == StackKind::User && limit > 1 { self.caller() } else { Caller::Walked };
        if caller == Caller::Walked {
            let count = self.walk(kind, to, limit);
            return self.f.store(Width::W, to.at(4), Operand::Val(count));
        }
        let frames = self.f.var();
        if caller == Caller::Missing {
            self.walk_with_caller(to, limit, frames);
        } else {
            let count = self.walk(kind, to, limit);
            self.f.push(Op::Copy { dst: frames, src: count });
            let there = self.f.label();
            let top = self.return_address();
            self.f.branch(Cond::Eq, top, Operand::Imm(0), there);
            let second = self.f.load(Width::D, frame(to, 1));
            self.f.branch(Cond::Eq, second, Operand::Val(top), there);
            self.perhaps(|lower| lower.walk_with_caller(to, limit, frames));
            self.f.push(Op::Label(there));
        }
        self.f.store(Width::W, to.at(4), Operand::Val(frames));
    }

    /// What the kernel finds; gives the number of frames.
    fn walk(&mut self, kind: StackKind, to: Place, limit: u16) -> Val {
        let flags = if kind == StackKind::User { USER_STACK } else { 0 };
        let got = self.get_stack(frame(to, 0), limit, flags);
        let frames = self.f.var();
        self.f.push(Op::Copy { dst: frames, src: got });
        let ok = self.f.label();
        self.f.branch(Cond::Sgt, frames, Operand::Imm(0), ok);
        self.count_error(CounterKind::StackFailed);
        self.f.push(Op::Const { dst: frames, value: 0 });
        self.f.push(Op::Label(ok));
        self.f.alu(AluOp::Rsh, frames, Operand::Imm(3))
    }

    /// The instruction, the return address on top of the stack, and what the kernel finds above the instruction.
    fn walk_with_caller(&mut self, to: Place, limit: u16, frames: Val) {
        let ip = self.register("ip");
        self.f.store(Width::D, frame(to, 0), Operand::Val(ip));
        let caller = self.return_address();
        self.f.store(Width::D, frame(to, 1), Operand::Val(caller));
        self.f.push(Op::Const { dst: frames, value: 2 });
        if limit == 2 {
            return;
        }
        // The low byte of the flags is the number of frames to leave out: the instruction itself.
        let got = self.get_stack(frame(to, 2), limit - 2, USER_STACK | 1);
        let end = self.f.label();
        // Nothing more: the caller is the outermost function.
        self.f.branch(Cond::Sle, got, Operand::Imm(0), end);
        let above = self.f.alu(AluOp::Rsh, got, Operand::Imm(3));
        let count = self.f.alu(AluOp::Add, above, Operand::Imm(2));
        self.f.push(Op::Copy { dst: frames, src: count });
        self.f.push(Op::Label(end));
    }

    fn get_stack(&mut self, to: Place, limit: u16, flags: i64) -> Val {
        let size = Arg::Imm(8 * i64::from(limit));
        self.f.call(Helper::GetStack, &[Arg::Val(Func::CTX), Arg::Addr(to), size, Arg::Imm(flags)])
    }

    /// The word on top of the stack.
    fn return_address(&mut self) -> Val {
        let sp = self.register("sp");
        self.load_traced(&Type::U64, Value::Val(sp), AddrSpace::User)
    }

    fn caller(&self) -> Caller {
        let Attach::Uprobe { class, .. } = &self.probe.attach else { return Caller::Walked };
        // arm64 has the return address in a register; nothing was tried there.
        if self.unit.target.arch != Arch::X86_64 {
            return Caller::Walked;
        }
        match class.stop {
            Stop::Entry => Caller::Perhaps,
            Stop::EntryAtStackCheck | Stop::ReturnInsn => Caller::Missing,
            Stop::Inside | Stop::KernelReturn => Caller::Walked,
        }
    }
}

/// The place of a frame in a stack value: see [`Type::stack_size`].
fn frame(stack: Place, index: u32) -> Place {
    stack.at(8 + 8 * index)
}
