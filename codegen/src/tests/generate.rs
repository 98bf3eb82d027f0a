//! Random programs in the IR: branches, loops, variables, temporaries, slots on the stack and in scratch memory, calls.

use crate::helper::Helper;
use crate::insn::{AluOp, AtomicOp, Cond, Width};
use crate::ir::{Arg, Func, Label, Op, Operand, Place, Slot, Val};

/// A reproducible source of random numbers (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 33) as usize) % n.max(1)
    }

    pub fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// Helpers that the interpreters know: their results depend on nothing but their arguments.
const HELPERS: &[Helper] =
    &[Helper::MapLookup, Helper::MapUpdate, Helper::ReadUser, Helper::RingSubmit, Helper::Comm];
const OPS: &[AluOp] = &[
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::Div,
    AluOp::Or,
    AluOp::And,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Mod,
    AluOp::Xor,
    AluOp::Arsh,
];
const CONDITIONS: &[Cond] = &[
    Cond::Eq,
    Cond::Gt,
    Cond::Ge,
    Cond::Set,
    Cond::Ne,
    Cond::Sgt,
    Cond::Sge,
    Cond::Lt,
    Cond::Le,
    Cond::Slt,
    Cond::Sle,
];
const WIDTHS: &[Width] = &[Width::B, Width::H, Width::W, Width::D];

struct Generate {
    f: Func,
    random: Random,
    /// Temporaries that may be used here.
    temps: Vec<Val>,
    vars: Vec<Val>,
    /// Slots whose 16 bytes are set here.
    slots: Vec<Slot>,
    /// Head and end of the loops around.
    rounds: Vec<(Label, Label)>,
    budget: usize,
}

/// A program of about `size` ops with `vars` variables; at its end all variables are the arguments of calls.
pub fn program(seed: u64, size: usize, vars: usize) -> Func {
    let mut g = Generate {
        f: Func::default(),
        random: Random::new(seed),
        temps: Vec::new(),
        vars: Vec::new(),
        slots: Vec::new(),
        rounds: Vec::new(),
        budget: size,
    };
    for _ in 0..vars {
        let var = g.f.var();
        let value = g.random.next();
        g.f.push(Op::Const { dst: var, value });
        g.vars.push(var);
    }
    if g.random.below(2) == 0 {
        g.scratch();
    }
    while g.budget > 0 {
        g.step(0);
    }
    for chunk in g.vars.clone().chunks(5) {
        let args: Vec<Arg> = chunk.iter().map(|v| Arg::Val(*v)).collect();
        g.f.call_void(Helper::MapUpdate, &args);
    }
    g.f.push(Op::Exit(0));
    g.f
}

impl Generate {
    /// Scratch memory as lowering claims it.
    fn scratch(&mut self) {
        let slot = self.f.scratch_slot(16);
        let Some(scratch) = self.f.scratch else { return };
        let args = vec![Arg::Imm(super::machine::SCRATCH)];
        self.f.push(Op::Call { callee: Helper::MapLookup.into(), args, ret: Some(scratch.base) });
        self.fill(slot);
    }

    fn step(&mut self, depth: u32) {
        self.budget = self.budget.saturating_sub(1);
        match self.random.below(22) {
            0..=3 => self.alu(),
            4 => {
                let value = self.random.next() >> self.random.below(64);
                let dst = self.f.constant(value);
                self.temps.push(dst);
            }
            5 => {
                let (dst, src) = (self.random.of(&self.vars), self.value());
                self.f.push(Op::Copy { dst, src });
            }
            6 => {
                let src = self.random.of(&self.vars);
                self.temp(|dst| Op::Copy { dst, src });
            }
            7 => {
                let (src, bits, signed) =
                    (self.value(), self.random.of(&[8, 16, 32]), self.random.below(2) == 0);
                self.temp(|dst| Op::Extend { dst, src, bits, signed });
            }
            8 if self.random.below(2) == 0 => {
                let (src, bits) = (self.value(), self.random.of(&[16, 32, 64]));
                self.temp(|dst| Op::Swap { dst, src, bits });
            }
            8 => {
                let src = self.value();
                self.temp(|dst| Op::Neg { dst, src });
            }
            9 => {
                let (src, limit) = (self.value(), self.random.below(1 << 20) as u32);
                self.temp(|dst| Op::Clamp { dst, src, limit });
            }
            10 => {
                let size = 8 * (1 + self.random.below(6)) as u32;
                let slot = match (self.f.scratch, self.random.below(3)) {
                    (Some(_), 0) => self.f.scratch_slot(size.max(16)),
                    _ => self.f.slot(size.max(16)),
                };
                self.fill(slot);
            }
            11..=13 => self.memory(),
            14..=16 => self.call(),
            17 if depth < 3 => self.repeat(depth),
            18 => self.leave_round(),
            _ if depth < 3 => self.choose(depth),
            _ => self.alu(),
        }
    }

    /// Sets the first 16 bytes of a slot.
    fn fill(&mut self, slot: Slot) {
        for at in [0, 8] {
            let src = self.operand();
            self.f.store(Width::D, Place::from(slot).at(at), src);
        }
        self.slots.push(slot);
    }

    fn temp(&mut self, op: impl FnOnce(Val) -> Op) {
        let dst = self.f.temp();
        self.f.push(op(dst));
        self.temps.push(dst);
    }

    fn value(&mut self) -> Val {
        if self.temps.is_empty() || self.random.below(3) == 0 {
            return self.random.of(&self.vars);
        }
        self.random.of(&self.temps)
    }

    fn operand(&mut self) -> Operand {
        match self.random.below(3) {
            0 => Operand::Imm(self.random.next() as i32),
            _ => Operand::Val(self.value()),
        }
    }

    fn alu(&mut self) {
        let op = self.random.of(OPS);
        let (a, b) = (self.value(), self.operand());
        let b = match (op, b) {
            (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, Operand::Imm(n)) => Operand::Imm(n & 63),
            (AluOp::Div | AluOp::Mod, Operand::Imm(0)) => Operand::Imm(1),
            (_, b) => b,
        };
        let dst = self.random.of(&self.vars);
        if self.random.below(3) == 0 && b != Operand::Val(dst) {
            return self.f.push(Op::Alu { op, dst, a, b });
        }
        self.temp(|dst| Op::Alu { op, dst, a, b });
    }

    /// A place of 8 bytes, sometimes by its address.
    fn place(&mut self) -> Option<Place> {
        let slot = *self.slots.get(self.random.below(self.slots.len()))?;
        let place = Place::from(slot).at(self.random.of(&[0, 8]));
        if self.random.below(4) > 0 {
            return Some(place);
        }
        let dst = self.f.temp();
        self.f.push(Op::Addr { dst, of: slot.into() });
        Some(Place::from(dst).at(place.off as u32))
    }

    fn memory(&mut self) {
        let Some(place) = self.place() else { return };
        match self.random.below(5) {
            0 | 1 => {
                let width = self.random.of(WIDTHS);
                self.temp(|dst| Op::Load { width, dst, from: place });
            }
            2 => {
                let (width, src) = (self.random.of(WIDTHS), self.operand());
                self.f.store(width, place, src);
            }
            3 => {
                let src = self.value();
                if self.random.below(2) == 0 {
                    return self.f.push(Op::Atomic { op: AtomicOp::Add, on: place, src, old: None });
                }
                let op = self.random.of(&[AtomicOp::FetchAdd, AtomicOp::Xchg]);
                self.temp(|old| Op::Atomic { op, on: place, src, old: Some(old) });
            }
            _ => {
                let (expected, new) = (self.value(), self.value());
                self.temp(|old| Op::CmpXchg { on: place, expected, new, old });
            }
        }
    }

    fn call(&mut self) {
        let args: Vec<Arg> = (0..self.random.below(6))
            .map(|_| match self.random.below(4) {
                0 => Arg::Imm(self.random.next() as i64 >> self.random.below(64)),
                _ => Arg::Val(self.value()),
            })
            .collect();
        let helper = self.random.of(HELPERS);
        if self.random.below(3) == 0 {
            return self.f.call_void(helper, &args);
        }
        let ret = self.f.call(helper, &args);
        self.temps.push(ret);
    }

    /// Steps after which temporaries and slots that they made are out of scope.
    fn block(&mut self, depth: u32) {
        let (temps, slots) = (self.temps.len(), self.slots.len());
        for _ in 0..1 + self.random.below(6) {
            self.step(depth + 1);
        }
        self.temps.truncate(temps);
        self.slots.truncate(slots);
    }

    fn choose(&mut self, depth: u32) {
        let (other, end) = (self.f.label(), self.f.label());
        let (cond, a, b) = (self.random.of(CONDITIONS), self.value(), self.operand());
        self.f.branch(cond, a, b, other);
        self.block(depth);
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(other));
        self.block(depth);
        self.f.push(Op::Label(end));
    }

    /// A loop as lowering makes it: the count is at the head, and rounds end early by jumps to the head and to the end.
    fn repeat(&mut self, depth: u32) {
        let count = self.f.var();
        self.f.push(Op::Const { dst: count, value: 0 });
        let (head, end) = (self.f.loop_label(), self.f.label());
        self.f.push(Op::Label(head));
        self.f.branch(Cond::Ge, count, Operand::Imm(3), end);
        self.f.push(Op::Alu { op: AluOp::Add, dst: count, a: count, b: Operand::Imm(1) });
        self.rounds.push((head, end));
        self.block(depth);
        self.rounds.pop();
        self.f.push(Op::Jump(head));
        self.f.push(Op::Label(end));
    }

    /// `if (…) { break; }` or `continue` of some loop around.
    fn leave_round(&mut self) {
        if self.rounds.is_empty() {
            return;
        }
        let (head, end) = self.random.of(&self.rounds);
        let to = if self.random.below(2) == 0 { head } else { end };
        let (cond, a, b) = (self.random.of(CONDITIONS), self.value(), self.operand());
        self.f.branch(cond, a, b, to);
    }
}
