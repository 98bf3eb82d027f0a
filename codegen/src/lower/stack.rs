//! Stacks: what the kernel walks, and the direct caller that it leaves out. It follows frame pointers, and where a function has not
//! set its own up yet, or has taken it down, the first one is the caller's: the caller itself is missing. At a call's entry and at a
//! return instruction its return address is on top of the stack (on arm64 in a register), and is put in. Where code is interrupted
//! anywhere, only the function table tells whether its function has a frame there; what may be a return address is noted beside the frames,
//! and the reader decides.

use super::{Lower, Value};
use crate::helper::Helper;
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Func, Label, Op, Operand, Place, Val};
use crate::machine::ReturnAddress;
use crate::object::CounterKind;
use lang::env::Stop;
use lang::hir::{Attach, Expr};
use lang::types::{AddrSpace, StackKind, Type};

/// `BPF_F_USER_STACK`
const USER_STACK: i64 = 1 << 8;

/// Opcodes of x86-64.
const CALL_RELATIVE: i32 = 0xe8;
const CALL_INDIRECT: i32 = 0xff;

/// What a program knows of the direct caller at its sites.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Caller {
    /// The walk finds it, as far as anything is known.
    Walked,
    /// It is missing.
    Missing,
    /// The kernel puts it in where the instruction is `push %rbp` (x86-64, Linux 6.12): compare.
    Perhaps,
    /// It is missing where the function has no frame of its own, which the program cannot know.
    OnTop,
}

impl Lower<'_, '_> {
    /// A stack. The helper clears the room that it does not fill, so equal stacks are equal bytes.
    pub(super) fn store_stack(&mut self, e: &Expr, to: Place) {
        let Type::Stack { kind, limit, .. } = e.ty else { return };
        self.f.store(Width::W, to.at(4), Operand::Imm(0));
        let caller = if kind == StackKind::User && limit > 1 { self.caller() } else { Caller::Walked };
        let frames = self.f.var();
        match caller {
            Caller::Walked => self.walk(kind, to, limit, frames),
            Caller::Missing => self.walk_with_caller(to, limit, frames),
            Caller::OnTop => {
                self.walk(kind, to, limit, frames);
                self.perhaps(|lower| lower.note_top_of_stack(to));
            }
            Caller::Perhaps => {
                self.walk(kind, to, limit, frames);
                let there = self.f.label();
                let top = self.return_address();
                self.f.branch(Cond::Eq, top, Operand::Imm(0), there);
                let second = self.f.load(Width::D, frame(to, 1));
                self.f.branch(Cond::Eq, second, Operand::Val(top), there);
                self.perhaps(|lower| lower.walk_with_caller(to, limit, frames));
                self.f.push(Op::Label(there));
            }
        }
        let mut header = self.f.alu(AluOp::Lsh, frames, Operand::Imm(Type::STACK_FRAMES_SHIFT as i32));
        // Kernel addresses mean the same in every process; equal stacks must be equal keys.
        if kind == StackKind::User {
            let owner = self.tgid();
            header = self.f.alu(AluOp::Or, header, Operand::Val(owner));
        }
        self.f.store(Width::W, to, Operand::Val(header));
    }

    /// The number of frames of a stack value.
    pub(super) fn stack_length(&mut self, stack: Place, limit: u16) -> Val {
        let header = self.f.load(Width::W, stack);
        let walked = self.f.alu(AluOp::Rsh, header, Operand::Imm(Type::STACK_FRAMES_SHIFT as i32));
        let length = self.f.var();
        self.f.push(Op::Copy { dst: length, src: walked });
        let end = self.f.label();
        let caller = self.f.load(Width::W, stack.at(4));
        self.f.branch(Cond::Eq, caller, Operand::Imm(0), end);
        self.f.branch(Cond::Ge, walked, Operand::Imm(i32::from(limit)), end);
        let more = self.f.alu(AluOp::Add, walked, Operand::Imm(1));
        self.f.push(Op::Copy { dst: length, src: more });
        self.f.push(Op::Label(end));
        length
    }

    /// What the kernel finds; sets the number of frames.
    fn walk(&mut self, kind: StackKind, to: Place, limit: u16, frames: Val) {
        let flags = if kind == StackKind::User { USER_STACK } else { 0 };
        let got = self.get_stack(frame(to, 0), limit, flags);
        self.f.push(Op::Const { dst: frames, value: 0 });
        let (failed, end) = (self.f.label(), self.f.label());
        self.f.branch(Cond::Sle, got, Operand::Imm(0), failed);
        let count = self.f.alu(AluOp::Rsh, got, Operand::Imm(3));
        self.f.push(Op::Copy { dst: frames, src: count });
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(failed));
        self.count_error(CounterKind::StackFailed);
        self.f.push(Op::Label(end));
    }

    /// The instruction, the return address on top of the stack, and what the kernel finds above the instruction.
    fn walk_with_caller(&mut self, to: Place, limit: u16, frames: Val) {
        let ip = self.register(self.machine().ip);
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

    /// Where a call has left it, at the entry of a function and at its return instruction.
    pub(super) fn return_address(&mut self) -> Val {
        match self.machine().return_address {
            ReturnAddress::Register(name) => self.register(name),
            ReturnAddress::Stack => {
                let sp = self.register("sp");
                self.load_traced(&Type::U64, Value::Val(sp), AddrSpace::User)
            }
        }
    }

    /// Where the code was interrupted that has the walk's first frame: notes the word on top of the stack, or in the register of the return
    /// address, if it can be one. Does nothing for other programs than the script's Go program.
    fn note_top_of_stack(&mut self, to: Place) {
        let end = self.f.label();
        let machine = self.machine();
        let stack_or_link = match machine.return_address {
            ReturnAddress::Stack => "sp",
            ReturnAddress::Register(name) => name,
        };
        let Some([ip, stack_or_link, bp]) = self.interrupted([machine.ip, stack_or_link, machine.frame], end)
        else {
            return;
        };
        let first = self.f.load(Width::D, frame(to, 0));
        self.f.branch(Cond::Ne, first, Operand::Val(ip), end);
        let top = match machine.return_address {
            ReturnAddress::Register(_) => stack_or_link,
            ReturnAddress::Stack => {
                let (sp, top) = (stack_or_link, self.f.var());
                self.word_or_zero(AddrSpace::User, sp, 0, top);
                // The caller's frame pointer has just been saved: the return address is below it.
                let direct = self.f.label();
                self.f.branch(Cond::Ne, top, Operand::Val(bp), direct);
                self.word_or_zero(AddrSpace::User, sp, 8, top);
                self.f.push(Op::Label(direct));
                top
            }
        };
        self.f.branch(Cond::Eq, top, Operand::Imm(0), end);
        let second = self.f.load(Width::D, frame(to, 1));
        self.f.branch(Cond::Eq, second, Operand::Val(top), end);
        // A register of its own holds nothing else.
        if machine.return_address == ReturnAddress::Stack {
            self.unless_after_call(top, end);
        }
        // The code of a Go program has less than 2 GiB, as its calls are relative.
        let distance = self.f.alu(AluOp::Sub, top, Operand::Val(ip));
        self.f.store(Width::W, to.at(4), Operand::Val(distance));
        self.f.push(Op::Label(end));
    }

    /// Jumps away unless a call instruction stands before the address: `call rel32`, or a call through a register or memory.
    fn unless_after_call(&mut self, address: Val, otherwise: Label) {
        let before = self.f.var();
        self.word_or_zero(AddrSpace::User, address, -8, before);
        let is_call = self.f.label();
        // The byte so many bytes before the address, the opcode in it, by the length of the instruction.
        for (length, opcode) in [(5, CALL_RELATIVE), (2, CALL_INDIRECT), (3, CALL_INDIRECT)] {
            let byte = self.f.alu(AluOp::Rsh, before, Operand::Imm(64 - 8 * length));
            let byte = self.f.alu(AluOp::And, byte, Operand::Imm(0xff));
            self.f.branch(Cond::Eq, byte, Operand::Imm(opcode), is_call);
        }
        self.f.push(Op::Jump(otherwise));
        self.f.push(Op::Label(is_call));
    }

    /// These registers of the Go code that was interrupted; jumps away in other programs.
    fn interrupted<const N: usize>(&mut self, names: [&str; N], otherwise: Label) -> Option<[Val; N]> {
        if matches!(self.probe.attach, Attach::Uprobe { .. }) {
            return Some(names.map(|name| self.register(name)));
        }
        let target = self.unit.target;
        let (program, executable) = (self.unit.go_program?, target.executable?);
        let task = self.f.call(Helper::CurrentTask, &[]);
        self.unless_it_runs(task, executable, program.file, otherwise);
        let registers = self.registers_of_thread();
        Some(names.map(|name| self.register_of_thread(registers, name, otherwise)))
    }

    fn caller(&self) -> Caller {
        let Attach::Uprobe { class, .. } = &self.probe.attach else {
            let known = self.unit.go_program.is_some() && self.unit.target.executable.is_some();
            return if known && self.unit.target.task_registers { Caller::OnTop } else { Caller::Walked };
        };
        match class.stop {
            // arm64's kernel never puts it in.
            Stop::Entry if self.machine().return_address == ReturnAddress::Stack => Caller::Perhaps,
            Stop::Entry => Caller::Missing,
            Stop::EntryAtStackCheck | Stop::ReturnInsn => Caller::Missing,
            Stop::Inside if class.goroutine.is_some() => Caller::OnTop,
            Stop::Inside | Stop::KernelReturn => Caller::Walked,
        }
    }
}

/// The place of a frame in a stack value: see [`Type::stack_size`].
fn frame(stack: Place, index: u32) -> Place {
    stack.at(8 + 8 * index)
}
