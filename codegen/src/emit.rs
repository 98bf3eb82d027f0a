//! Instruction selection: allocated IR to instructions.

use crate::helper::{Callee, Helper};
use crate::insn::{AluOp, AtomicOp, Cond, Insn, R0, R1, R10, Reg, Width};
use crate::ir::{Arg, Base, Func, Label, Op, Operand, Place, Val};
use crate::object::{FuncRef, MapRef};
use crate::regalloc::{Allocation, Home, TEMPORARIES};
use lang::span::Span;
use std::collections::VecDeque;

/// Instructions of one program.
#[derive(Debug, Default)]
pub struct Code {
    /// The instructions.
    pub insns: Vec<Insn>,
    /// References to maps.
    pub map_refs: Vec<MapRef>,
    /// References to functions, by their index in [`Func::subs`].
    pub func_refs: Vec<FuncRef>,
    /// Calls of functions, by their index in [`Func::functions`] of the program.
    pub calls: Vec<FuncRef>,
    /// From which instruction on which place of the script.
    pub lines: Vec<(usize, Span)>,
}

/// Jump offsets have 16 bits. When an unresolved forward jump is this far behind, it is sent through a relay.
const RELAY_AFTER: usize = 30_000;

struct Emit<'a> {
    allocation: &'a Allocation,
    code: Code,
    /// Index of the instruction at each label, once it is known.
    bound: Vec<Option<usize>>,
    /// Jumps that wait for each label.
    waiting: Vec<Vec<usize>>,
    /// The jumps that wait, oldest first, and some that do not any more.
    oldest: VecDeque<(usize, Label)>,
}

/// The largest stack for which the kernel never sees a need for one of its own: it rounds to multiples of 16 and has a limit of 64
/// (`BPF_PRIV_STACK_MIN_SIZE`). The rounds that `may_goto` counts are added afterwards.
const SMALL_STACK: u32 = 48;

/// Emits a program. The stack use of the allocation must be within the kernel's limit.
#[must_use]
pub fn emit(f: &Func, allocation: &Allocation) -> Code {
    let mut e = Emit {
        allocation,
        code: Code::default(),
        bound: vec![None; f.labels.len()],
        waiting: vec![Vec::new(); f.labels.len()],
        oldest: VecDeque::new(),
    };
    // The kernel wants to know the line of every program's first instruction, which may be the move below.
    if let Some(Op::Line(span)) = f.ops.iter().find(|op| matches!(op, Op::Line(_))) {
        e.code.lines.push((0, *span));
    }
    let others = !f.subs.is_empty() || !f.functions.is_empty();
    if f.preemptible && (allocation.stack > SMALL_STACK || others) {
        e.stay_on_stack_of_thread();
    }
    let mut moves: Vec<(Reg, Reg)> = Vec::new();
    for (n, param) in f.params.iter().enumerate() {
        let reg = Reg(R1.0 + n as u8);
        match e.home(*param) {
            Home::Reg(home) if home != reg => moves.push((home, reg)),
            Home::Spill(at) => e.push(Insn::store(Width::D, R10, at, reg)),
            Home::Reg(_) | Home::None => {}
        }
    }
    e.moves(moves);
    for op in &f.ops {
        e.op(op);
        e.relay(!matches!(op, Op::Jump(_) | Op::Exit(_) | Op::Return(_)));
    }
    e.code
}

impl Emit<'_> {
    /// Keeps the kernel from giving the program a stack for each CPU (`bpf_enable_priv_stack` in kernel/bpf/verifier.c, Linux 6.13). It
    /// takes programs of the type for ones that never interrupt themselves, which does not hold for uprobes: a thread that is preempted
    /// in the program would find on its stack what the next thread has put there. Programs with a tail call are excepted; this one has
    /// one behind a condition that never holds, so that the verifier removes it.
    fn stay_on_stack_of_thread(&mut self) {
        self.push(Insn::mov_imm(R0, 0));
        self.push(Insn::jump_if_imm(Cond::Eq, R0, 0, 1));
        self.push(Insn::call(Helper::TailCall as i32));
    }

    fn push(&mut self, insn: Insn) {
        self.code.insns.push(insn);
    }

    fn home(&self, val: Val) -> Home {
        self.allocation.homes[val.0 as usize]
    }

    /// The register that holds a value; a spilled one is loaded into the `nth` temporary.
    fn read(&mut self, val: Val, nth: usize) -> Reg {
        match self.home(val) {
            Home::Reg(reg) => reg,
            Home::Spill(at) => {
                self.push(Insn::load(Width::D, TEMPORARIES[nth], R10, at));
                TEMPORARIES[nth]
            }
            Home::None => R0,
        }
    }

    /// The register to compute a value in.
    fn target(&self, val: Val) -> Reg {
        match self.home(val) {
            Home::Reg(reg) => reg,
            Home::Spill(_) | Home::None => TEMPORARIES[0],
        }
    }

    /// Writes a value back that was computed in `reg`.
    fn finish(&mut self, val: Val, reg: Reg) {
        match self.home(val) {
            Home::Reg(home) => self.mov(home, reg),
            Home::Spill(at) => self.push(Insn::store(Width::D, R10, at, reg)),
            Home::None => {}
        }
    }

    fn mov(&mut self, dst: Reg, src: Reg) {
        if dst != src {
            self.push(Insn::mov(dst, src));
        }
    }

    fn constant(&mut self, dst: Reg, value: u64) {
        if let Ok(imm) = i32::try_from(value as i64) {
            self.push(Insn::mov_imm(dst, imm));
        } else if let Ok(imm) = u32::try_from(value) {
            self.push(Insn::mov32_imm(dst, imm as i32));
        } else {
            let wide = Insn::ld_imm64(dst, value);
            self.code.insns.extend(wide);
        }
    }

    fn map(&mut self, dst: Reg, map: usize, value_offset: Option<u32>) {
        self.code.map_refs.push(MapRef { insn: self.code.insns.len(), map, value_offset });
        let wide = Insn::ld_imm64(dst, 0);
        self.code.insns.extend(wide);
    }

    /// Base register and offset of a place.
    fn place(&mut self, place: Place, nth: usize) -> (Reg, i16) {
        match place.base {
            Base::Val(val) => (self.read(val, nth), offset(place.off)),
            Base::Slot(slot) => (R10, offset(i32::from(self.allocation.slots[slot.0 as usize]) + place.off)),
        }
    }

    fn add_offset(&mut self, reg: Reg, off: i32) {
        if off != 0 {
            self.push(Insn::alu_imm(AluOp::Add, reg, off));
        }
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Const { dst, value } => {
                if let Home::Spill(at) = self.home(*dst)
                    && let Ok(imm) = i32::try_from(*value as i64)
                {
                    return self.push(Insn::store_imm(Width::D, R10, at, imm));
                }
                let reg = self.target(*dst);
                self.constant(reg, *value);
                self.finish(*dst, reg);
            }
            Op::MapAddr { dst, map, offset } => {
                let reg = self.target(*dst);
                self.map(reg, map.0 as usize, Some(*offset));
                self.finish(*dst, reg);
            }
            Op::Addr { dst, of } => {
                let reg = self.target(*dst);
                let (base, off) = match of.base {
                    Base::Val(val) => (self.read(val, 1), of.off),
                    Base::Slot(slot) => (R10, i32::from(self.allocation.slots[slot.0 as usize]) + of.off),
                };
                self.mov(reg, base);
                self.add_offset(reg, off);
                self.finish(*dst, reg);
            }
            Op::Copy { dst, src } => {
                let src = self.read(*src, 0);
                self.finish(*dst, src);
            }
            Op::Alu { op, dst, a, b } => self.alu(*op, *dst, *a, *b),
            Op::Neg { dst, src } => {
                let src = self.read(*src, 0);
                let reg = self.target(*dst);
                self.mov(reg, src);
                self.push(Insn::neg(reg));
                self.finish(*dst, reg);
            }
            Op::Extend { dst, src, bits, signed } => self.extend(*dst, *src, *bits, *signed),
            Op::Swap { dst, src, bits } => {
                let src = self.read(*src, 0);
                let reg = self.target(*dst);
                self.mov(reg, src);
                self.push(Insn::swap(reg, *bits));
                self.finish(*dst, reg);
            }
            Op::Clamp { dst, src, limit } => {
                let src = self.read(*src, 0);
                let reg = self.target(*dst);
                self.mov(reg, src);
                self.push(Insn::jump_if_imm(Cond::Le, reg, *limit as i32, 1));
                self.push(Insn::mov_imm(reg, *limit as i32));
                self.finish(*dst, reg);
            }
            Op::Load { width, dst, from } => {
                let (base, off) = self.place(*from, 0);
                let reg = self.target(*dst);
                self.push(Insn::load(*width, reg, base, off));
                self.finish(*dst, reg);
            }
            Op::Store { width, to, src } => {
                let (base, off) = self.place(*to, 0);
                match src {
                    Operand::Imm(imm) => self.push(Insn::store_imm(*width, base, off, *imm)),
                    Operand::Val(val) => {
                        let src = self.read(*val, 1);
                        self.push(Insn::store(*width, base, off, src));
                    }
                }
            }
            Op::Atomic { op, on, src, old } => {
                let (base, off) = self.place(*on, 1);
                match old {
                    None => {
                        let src = self.read(*src, 0);
                        self.push(Insn::atomic(*op, base, off, src));
                    }
                    Some(old) => {
                        // The source register receives the old value.
                        let src = self.read(*src, 0);
                        let reg = self.target(*old);
                        self.mov(reg, src);
                        self.push(Insn::atomic(*op, base, off, reg));
                        self.finish(*old, reg);
                    }
                }
            }
            Op::CmpXchg { on, expected, new, old } => {
                // No other value that the op reads is in r0 (see `late_uses`).
                match self.home(*expected) {
                    Home::Reg(reg) => self.mov(R0, reg),
                    _ => self.reload(R0, *expected),
                }
                let (base, off) = self.place(*on, 0);
                let new = self.read(*new, 1);
                self.push(Insn::atomic(AtomicOp::CmpXchg, base, off, new));
                self.finish(*old, R0);
            }
            Op::Call { callee, args, ret } => self.call(*callee, args, *ret),
            Op::Jump(to) => self.jump(Insn::jump(0), *to),
            Op::MayGoto(to) => self.jump(Insn::may_goto(0), *to),
            Op::Branch { cond, a, b, to, .. } => {
                let a = self.read(*a, 0);
                let insn = match b {
                    Operand::Imm(imm) => Insn::jump_if_imm(*cond, a, *imm, 0),
                    Operand::Val(b) => {
                        let b = self.read(*b, 1);
                        Insn::jump_if(*cond, a, b, 0)
                    }
                };
                self.jump(insn, *to);
            }
            Op::Label(label) => self.bind(*label),
            Op::Exit(code) => {
                self.push(Insn::mov_imm(R0, *code));
                self.push(Insn::exit());
            }
            Op::Return(value) => {
                let value = self.read(*value, 0);
                self.mov(R0, value);
                self.push(Insn::exit());
            }
            Op::Line(span) => {
                let at = self.code.insns.len();
                match self.code.lines.last_mut() {
                    Some((last, place)) if *last == at => *place = *span,
                    Some((_, place)) if *place == *span => {}
                    _ => self.code.lines.push((at, *span)),
                }
            }
        }
    }

    fn alu(&mut self, op: AluOp, dst: Val, a: Val, b: Operand) {
        let a = self.read(a, 0);
        let reg = self.target(dst);
        match b {
            Operand::Imm(imm) => {
                self.mov(reg, a);
                self.push(Insn::alu_imm(op, reg, imm));
            }
            Operand::Val(b) => {
                let b = self.read(b, 1);
                self.mov(reg, a);
                self.push(Insn::alu(op, reg, b));
            }
        }
        self.finish(dst, reg);
    }

    fn extend(&mut self, dst: Val, src: Val, bits: u8, signed: bool) {
        let src = self.read(src, 0);
        let reg = self.target(dst);
        match (bits, signed) {
            (32, false) => self.push(Insn::mov32(reg, src)),
            (_, false) => {
                self.mov(reg, src);
                self.push(Insn::alu_imm(AluOp::And, reg, (1 << bits) - 1));
            }
            (_, true) => {
                let up = 64 - i32::from(bits);
                self.mov(reg, src);
                self.push(Insn::alu_imm(AluOp::Lsh, reg, up));
                self.push(Insn::alu_imm(AluOp::Arsh, reg, up));
            }
        }
        self.finish(dst, reg);
    }

    /// Puts arguments into r1-r5 as one parallel move, so that no argument overwrites the source of another.
    fn call(&mut self, callee: Callee, args: &[Arg], ret: Option<Val>) {
        let target = |n: usize| Reg(R1.0 + n as u8);
        let mut moves: Vec<(Reg, Reg)> = Vec::new();
        for (n, arg) in args.iter().enumerate() {
            let source = match arg {
                Arg::Val(v) | Arg::Addr(Place { base: Base::Val(v), .. }) => self.home(*v),
                _ => continue,
            };
            if let Home::Reg(source) = source
                && source != target(n)
            {
                moves.push((target(n), source));
            }
        }
        self.moves(moves);
        for (n, arg) in args.iter().enumerate() {
            let reg = target(n);
            match arg {
                Arg::Val(v) => self.reload(reg, *v),
                Arg::Imm(imm) => self.constant(reg, *imm as u64),
                Arg::Map(map) => self.map(reg, map.0 as usize, None),
                Arg::Func(sub) => {
                    self.code.func_refs.push(FuncRef { insn: self.code.insns.len(), sub: *sub });
                    self.code.insns.extend(Insn::ld_func(reg));
                }
                Arg::Addr(Place { base: Base::Val(v), off }) => {
                    self.reload(reg, *v);
                    self.add_offset(reg, *off);
                }
                Arg::Addr(Place { base: Base::Slot(slot), off }) => {
                    self.push(Insn::mov(reg, R10));
                    let offset = i32::from(self.allocation.slots[slot.0 as usize]) + off;
                    self.add_offset(reg, offset);
                }
            }
        }
        let insn = match callee {
            Callee::Helper(helper) => Insn::call(helper as i32),
            Callee::Kfunc { id, .. } => Insn::call_kfunc(id),
            Callee::Function(n) => {
                self.code.calls.push(FuncRef { insn: self.code.insns.len(), sub: n });
                Insn::call_function()
            }
        };
        self.push(insn);
        if let Some(ret) = ret {
            self.finish(ret, R0);
        }
    }

    /// Moves of registers, target first, as if all were done at once. What r0 holds is lost.
    fn moves(&mut self, mut moves: Vec<(Reg, Reg)>) {
        while !moves.is_empty() {
            match moves.iter().position(|(dst, _)| moves.iter().all(|(_, src)| src != dst)) {
                Some(n) => {
                    let (dst, src) = moves.remove(n);
                    self.mov(dst, src);
                }
                None => {
                    // Only cycles are left; r0 is free by then.
                    let source = moves[0].1;
                    self.mov(R0, source);
                    for (_, src) in moves.iter_mut().filter(|(_, src)| *src == source) {
                        *src = R0;
                    }
                }
            }
        }
    }

    /// Loads a spilled value.
    fn reload(&mut self, reg: Reg, val: Val) {
        if let Home::Spill(at) = self.home(val) {
            self.push(Insn::load(Width::D, reg, R10, at));
        }
    }

    fn jump(&mut self, mut insn: Insn, to: Label) {
        match self.bound[to.0 as usize] {
            Some(target) => insn.off = (target as isize - self.code.insns.len() as isize - 1) as i16,
            None => self.wait(to),
        }
        self.push(insn);
    }

    /// Notes that the next instruction is a jump to a label that has no place yet.
    fn wait(&mut self, to: Label) {
        let here = self.code.insns.len();
        self.waiting[to.0 as usize].push(here);
        self.oldest.push_back((here, to));
    }

    fn bind(&mut self, label: Label) {
        self.bound[label.0 as usize] = Some(self.code.insns.len());
        self.resolve(label);
    }

    /// Lets the jumps that wait for a label go to the next instruction.
    fn resolve(&mut self, label: Label) {
        let here = self.code.insns.len();
        for at in self.waiting[label.0 as usize].drain(..) {
            self.code.insns[at].off = (here - at - 1) as i16;
        }
    }

    /// Before waiting jumps get out of reach, sends all of them to jumps placed here; `reached` says whether what stands before
    /// falls through and must jump over them. (The kernel refuses instructions that nothing leads to.)
    fn relay(&mut self, reached: bool) {
        let here = self.code.insns.len();
        while self.oldest.front().is_some_and(|(_, to)| self.bound[to.0 as usize].is_some()) {
            self.oldest.pop_front();
        }
        if self.oldest.front().is_none_or(|(at, _)| here - at < RELAY_AFTER) {
            return;
        }
        let mut labels: Vec<Label> = self.oldest.drain(..).map(|(_, to)| to).collect();
        labels.sort_unstable();
        labels.dedup();
        labels.retain(|to| self.bound[to.0 as usize].is_none());
        if reached {
            self.push(Insn::jump(labels.len() as i16));
        }
        for to in labels {
            self.resolve(to);
            self.wait(to);
            self.push(Insn::jump(0));
        }
    }
}

/// The offset of a memory access. Those that do not fit are gone before: slots are near, other places [`crate::opt`] splits.
fn offset(off: i32) -> i16 {
    debug_assert!(i16::try_from(off).is_ok(), "{off}");
    off as i16
}
