//! The goroutine that a thread serves, in programs that are not in Go code: tracepoints, timers. The thread's process must run the
//! script's Go program; that is told by the file it runs, which also holds for processes that start later and for the moments
//! before an `exec`.

use super::Lower;
use super::goroutine::Wanted;
use super::string::read_helper;
use crate::Error;
use crate::helper::Helper;
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Label, Op, Operand, Place, Val};
use crate::target::ExecutableOf;
use lang::env::{FileIdentity, GoProgram};
use lang::hir::Expr;
use lang::types::AddrSpace;

/// Where a thread outside of Go code keeps the goroutine that it serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kept {
    /// In thread-local storage: the offset of its address in `task_struct`, and of the word in it.
    InSlot { base: i32, slot: i32 },
    /// In the g register, as the kernel saved it: where Go code has called the kernel or was interrupted.
    InRegister,
}

impl Lower<'_, '_> {
    /// What is wanted of the goroutine that the current thread serves if it runs the script's Go program, else 0.
    pub(super) fn goroutine_of_thread(&mut self, wanted: Wanted, program: &GoProgram, e: &Expr) -> Val {
        let target = self.unit.target;
        let place = match program.goroutine.tls_offset {
            Some(slot) => target.tls_base.map(|base| Kept::InSlot { base: base as i32, slot }),
            None => Some(Kept::InRegister).filter(|_| target.task_registers),
        };
        let (Some(place), Some(executable)) = (place, target.executable) else {
            let error = Error::new(
                e.span,
                "the goroutine cannot be found here: this kernel does not describe its structures (no BTF)",
            )
            .help("a kernel with CONFIG_DEBUG_INFO_BTF has /sys/kernel/btf/vmlinux");
            let failed = self.fail(error);
            return self.val(failed);
        };
        self.once(wanted.once(), |lower| {
            let result = lower.f.var();
            lower.f.push(Op::Const { dst: result, value: 0 });
            let end = lower.f.label();
            let task = lower.f.call(Helper::CurrentTask, &[]);
            lower.unless_it_runs(task, executable, program.file, end);
            let offsets = program.goroutine;
            let g = match place {
                Kept::InSlot { base, slot } => {
                    let base = lower.follow(AddrSpace::Kernel, task, base, end);
                    lower.follow(AddrSpace::User, base, slot, end)
                }
                Kept::InRegister => {
                    let registers = lower.registers_of_thread();
                    lower.register_of_thread(registers, lower.machine().g, end)
                }
            };
            let id = lower.f.var();
            lower.word_or_zero(AddrSpace::User, g, offsets.goid as i32, id);
            let serves = lower.f.label();
            lower.f.branch(Cond::Eq, id, Operand::Imm(0), serves);
            lower.f.push(Op::Copy { dst: result, src: wanted.of(g, id) });
            lower.f.push(Op::Jump(end));
            // On g0, whose id is 0, and in C code: the goroutine that the thread serves.
            lower.f.push(Op::Label(serves));
            let m = lower.follow(AddrSpace::User, g, offsets.m as i32, end);
            let (holder, at) = match wanted {
                Wanted::G => (m, offsets.curg),
                Wanted::Id => (lower.follow(AddrSpace::User, m, offsets.curg as i32, end), offsets.goid),
            };
            lower.word_or_zero(AddrSpace::User, holder, at as i32, result);
            lower.f.push(Op::Label(end));
            lower.copy_of(result)
        })
    }

    /// The registers that the current thread had when it entered the kernel. Not for kernel threads.
    pub(super) fn registers_of_thread(&mut self) -> Val {
        let task = self.f.call(Helper::CurrentTaskBtf, &[]);
        self.f.call(Helper::TaskRegisters, &[Arg::Val(task)])
    }

    /// One of them; jumps away when it is zero.
    pub(super) fn register_of_thread(&mut self, registers: Val, name: &str, otherwise: Label) -> Val {
        let index = i32::from(self.unit.target.arch.register(name).unwrap_or(0));
        self.follow(AddrSpace::Kernel, registers, 8 * index, otherwise)
    }

    /// Jumps to `otherwise` unless the process of `task` runs `file`.
    pub(super) fn unless_it_runs(
        &mut self,
        task: Val,
        at: ExecutableOf,
        file: FileIdentity,
        otherwise: Label,
    ) {
        let kernel = AddrSpace::Kernel;
        let mm = self.follow(kernel, task, at.mm as i32, otherwise);
        let executable = self.follow(kernel, mm, at.file as i32, otherwise);
        let inode = self.follow(kernel, executable, at.inode as i32, otherwise);
        let number = self.follow(kernel, inode, at.number as i32, otherwise);
        let wanted = self.f.operand(file.inode);
        self.f.branch(Cond::Ne, number, wanted, otherwise);
        let system = self.follow(kernel, inode, at.file_system as i32, otherwise);
        let device = self.follow(kernel, system, at.device as i32, otherwise);
        // s_dev has 4 bytes; something else follows it.
        let device = self.f.alu(AluOp::Lsh, device, Operand::Imm(32));
        let device = self.f.alu(AluOp::Rsh, device, Operand::Imm(32));
        let wanted = self.f.operand(u64::from(file.device));
        self.f.branch(Cond::Ne, device, wanted, otherwise);
    }

    /// The word `offset` bytes behind `from`; jumps away when it cannot be read or is zero. That is no error: kernel threads have
    /// no program, and a program that starts has no goroutine yet.
    pub(super) fn follow(&mut self, space: AddrSpace, from: Val, offset: i32, otherwise: Label) -> Val {
        let word = self.f.var();
        self.word_or_zero(space, from, offset, word);
        self.f.branch(Cond::Eq, word, Operand::Imm(0), otherwise);
        self.copy_of(word)
    }

    /// Sets `to` to the word `offset` bytes behind `from`, or to zero where it cannot be read.
    pub(super) fn word_or_zero(&mut self, space: AddrSpace, from: Val, offset: i32, to: Val) {
        let at = self.f.alu(AluOp::Add, from, Operand::Imm(offset));
        let word = match (space, self.unit.target.kernel_reads.cast()) {
            (AddrSpace::Kernel, Some(cast)) => {
                let place = self.cast_for_reading(cast, Arg::Val(at));
                self.f.load(Width::D, place)
            }
            _ => {
                let slot: Place = self.f.slot(8).into();
                let helper = read_helper(space);
                self.f.call_void(helper, &[Arg::Addr(slot), Arg::Imm(8), Arg::Val(at)]);
                self.f.load(Width::D, slot)
            }
        };
        self.f.push(Op::Copy { dst: to, src: word });
    }
}
