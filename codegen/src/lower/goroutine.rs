//! The goroutine that a program runs for, and the number of the call. How it is found where the event is not one of Go code is in
//! `go_program`.

use super::{Lower, Once, Value};
use crate::Error;
use crate::helper::Helper;
use crate::insn::{AluOp, Cond};
use crate::ir::{Op, Operand, Val};
use lang::env::{Goroutine, Stop, UprobeClass};
use lang::hir::Expr;
use lang::types::{AddrSpace, Type};

/// What of a goroutine is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// The address of its `runtime.g`: `curg`.
    G,
    /// Its number: `goid`.
    Id,
}

impl Wanted {
    /// The builtin that asks for it.
    fn builtin(self) -> &'static str {
        match self {
            Wanted::G => "curg",
            Wanted::Id => "goid",
        }
    }

    pub(super) fn once(self) -> Once {
        match self {
            Wanted::G => Once::CurrentG,
            Wanted::Id => Once::Goid,
        }
    }

    /// The one of the two that is wanted.
    pub(super) fn of(self, g: Val, id: Val) -> Val {
        match self {
            Wanted::G => g,
            Wanted::Id => id,
        }
    }
}

impl Lower<'_, '_> {
    /// The address of the current `runtime.g`: in its register in Go code, else in thread-local storage.
    fn current_g(&mut self, goroutine: Goroutine, e: &Expr) -> Value {
        if goroutine.in_register {
            return self.register(self.machine().g).into();
        }
        let Some((tls_base, tls_offset)) = self.unit.target.tls_base.zip(goroutine.tls_offset) else {
            let error = Error::new(
                e.span,
                "the goroutine cannot be found: this kernel does not describe its structures (no BTF)",
            )
            .help("a kernel with CONFIG_DEBUG_INFO_BTF has /sys/kernel/btf/vmlinux");
            return self.fail(error);
        };
        self.once(Once::G, |lower| {
            let task = lower.f.call(Helper::CurrentTask, &[]);
            let at = lower.f.alu(AluOp::Add, task, Operand::Imm(tls_base as i32));
            let base = lower.load_traced(&Type::U64, at.into(), AddrSpace::Kernel);
            let slot = lower.f.alu(AluOp::Add, base, Operand::Imm(tls_offset));
            lower.load_traced(&Type::U64, slot.into(), AddrSpace::User)
        })
        .into()
    }

    fn goroutine_word(&mut self, structure: Value, offset: u32) -> Val {
        let structure = self.val(structure);
        let at = self.f.alu(AluOp::Add, structure, Operand::Imm(offset as i32));
        self.load_traced(&Type::U64, at.into(), AddrSpace::User)
    }

    /// What is wanted of the goroutine that the program runs for; on g0, whose id is 0, of the one it serves (`g.m.curg`).
    pub(super) fn goroutine(&mut self, wanted: Wanted, e: &Expr) -> Value {
        let Some(offsets) = self.uprobe_class().and_then(|c| c.goroutine) else {
            return match self.unit.go_program {
                Some(program) => self.goroutine_of_thread(wanted, program, e).into(),
                None => self.unavailable(e, wanted.builtin()),
            };
        };
        self.once(wanted.once(), |lower| {
            let g = lower.current_g(offsets, e);
            let g = lower.val(g);
            let result = lower.f.var();
            let id = lower.goroutine_word(g.into(), offsets.goid);
            lower.f.push(Op::Copy { dst: result, src: wanted.of(g, id) });
            let end = lower.f.label();
            // Where the id is the result it needs no second register.
            let id = wanted.of(id, result);
            lower.f.branch(Cond::Ne, id, Operand::Imm(0), end);
            let m = lower.goroutine_word(g.into(), offsets.m);
            let served = lower.goroutine_word(m.into(), offsets.curg);
            let served = match wanted {
                Wanted::G => served,
                Wanted::Id => lower.goroutine_word(served.into(), offsets.goid),
            };
            lower.f.push(Op::Copy { dst: result, src: served });
            lower.f.push(Op::Label(end));
            lower.copy_of(result)
        })
        .into()
    }

    /// A number that is the same at entry to and return from one call and differs between calls that are under way at the
    /// same time: a mix of process, goroutine (thread where there is none), function and depth of the stack. Depth is measured from
    /// the top of the goroutine's stack, so a stack that is moved between entry and return does not matter.
    pub(super) fn callid(&mut self, e: &Expr) -> Value {
        let Some(class) = self.uprobe_class().cloned() else { return self.unavailable(e, "callid") };
        self.once(Once::CallId, |lower| lower.number_of_call(&class, e)).into()
    }

    fn number_of_call(&mut self, class: &UprobeClass, e: &Expr) -> Val {
        let sp = self.register("sp");
        // The kernel's uretprobe runs after the return address was popped.
        let sp = match (class.stop, self.machine().bytes_of_return_address()) {
            (Stop::KernelReturn, bytes @ 1..) => self.f.alu(AluOp::Sub, sp, Operand::Imm(bytes as i32)),
            _ => sp,
        };
        let (depth, runner) = match class.goroutine {
            Some(goroutine) => {
                let goid = self.goroutine(Wanted::Id, e);
                let g = self.current_g(goroutine, e);
                let top = self.goroutine_word(g, goroutine.stack_hi);
                (self.f.alu(AluOp::Sub, top, Operand::Val(sp)), goid)
            }
            None => {
                let both = self.pid_tgid();
                (sp, self.low(both).into())
            }
        };
        let tgid = self.tgid();
        let function = self.function().unwrap_or(Value::Imm(0));
        // Each part is spread over 64 bits by an odd constant before the next one is mixed in.
        let mut id = self.mix(depth, runner, 0x9e37_79b9_7f4a_7c15);
        id = self.mix(id, tgid.into(), 0xc2b2_ae3d_27d4_eb4f);
        self.mix(id, function, 0x1656_67b1_9e37_79f9)
    }

    /// `fold(id * factor) ^ part`, where `fold` adds the high half to the low one without carry: invertible in both.
    fn mix(&mut self, id: Val, part: Value, factor: u64) -> Val {
        let factor = self.f.operand(factor);
        let spread = self.f.alu(AluOp::Mul, id, factor);
        let high = self.f.alu(AluOp::Rsh, spread, Operand::Imm(32));
        let folded = self.f.alu(AluOp::Xor, spread, Operand::Val(high));
        let part = self.operand(part);
        self.f.alu(AluOp::Xor, folded, part)
    }
}
