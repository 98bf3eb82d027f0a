//! Common subexpression elimination and copy propagation.
//!
//! One forward walk with a stack of available expressions. A branch notes how much of the stack is available at its
//! target; at a label the stack shrinks to what all ways there have in common. Expressions are only ever added at the end and
//! removed from it, so "in common" is a shorter prefix, and the walk stays linear however many branches there are.
//!
//! Copies of variables are used in place of the variable's copy only within a block and until the variable is assigned again
//! ([`Mirrors`]).

use crate::helper::{Callee, Helper};
use crate::insn::{AluOp, Width};
use crate::ir::{Arg, Base, Func, Label, MapRef, Op, Operand, Val};
use std::collections::HashMap;

/// An expression whose value depends on nothing but single-definition values.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Const(u64),
    MapAddr(MapRef, u32),
    Call(Helper),
    Alu(AluOp, Val, Operand),
    Neg(Val),
    Extend(Val, u8, bool),
    Swap(Val, u8),
    /// A load from the context, which changes only by stores of the program itself.
    Context(Width, i32),
}

#[derive(Default)]
struct Available {
    by_key: HashMap<Key, Val>,
    stack: Vec<Key>,
    /// For labels not reached yet: how much of the stack is available on every way there.
    pending: HashMap<Label, usize>,
}

impl Available {
    fn shrink(&mut self, len: usize) {
        for key in self.stack.drain(len.min(self.stack.len())..) {
            self.by_key.remove(&key);
        }
        for pending in self.pending.values_mut() {
            *pending = (*pending).min(len);
        }
    }

    /// The context has been written to: what was loaded from it may not be what is there now, here and wherever control goes from
    /// here, which is always forward.
    fn forget_context(&mut self) {
        self.by_key.retain(|key, _| !matches!(key, Key::Context(..)));
    }

    fn jump_to(&mut self, label: Label) {
        let len = self.stack.len();
        self.pending.entry(label).and_modify(|l| *l = (*l).min(len)).or_insert(len);
    }
}

/// Temporaries that are copies of variables which have not been assigned since.
#[derive(Default)]
struct Mirrors {
    /// The variable, and when it was copied.
    of: HashMap<Val, (Val, u32)>,
    /// When each variable was assigned last.
    assigned: HashMap<Val, u32>,
    /// When control flow met last.
    met: u32,
    now: u32,
}

impl Mirrors {
    fn add(&mut self, copy: Val, var: Val) {
        self.of.insert(copy, (var, self.now));
    }

    fn assign(&mut self, var: Val) {
        self.now += 1;
        self.assigned.insert(var, self.now);
    }

    fn meet(&mut self) {
        self.now += 1;
        self.met = self.now;
    }

    /// The variable that still has this value.
    fn get(&self, copy: Val) -> Option<Val> {
        let (var, at) = *self.of.get(&copy)?;
        (at >= self.met && self.assigned.get(&var).is_none_or(|assigned| at >= *assigned)).then_some(var)
    }
}

/// Runs the pass.
pub fn run(f: &mut Func) {
    let mut available = Available::default();
    let mut mirrors = Mirrors::default();
    let mut replaced: HashMap<Val, Val> = HashMap::new();
    let mut reachable = true;
    let ops = std::mem::take(&mut f.ops);
    f.ops.reserve(ops.len());
    for mut op in ops {
        let def = op.def();
        op.map_uses(&mut |v| {
            if let Some(by) = replaced.get(v) {
                *v = *by;
            }
            // Not into the op that assigns the variable: it may write before it has read everything.
            if let Some(var) = mirrors.get(*v).filter(|var| def != Some(*var)) {
                *v = var;
            }
        });
        if let Some(var) = def.filter(|def| !f.is_temp(*def)) {
            mirrors.assign(var);
        }
        match &op {
            Op::Label(label) => {
                mirrors.meet();
                let fall_through = if reachable { available.stack.len() } else { usize::MAX };
                let len = available.pending.remove(label).unwrap_or(usize::MAX).min(fall_through);
                available.shrink(len);
                reachable = true;
            }
            Op::Store { to, .. } if to.base == Base::Val(Func::CTX) => available.forget_context(),
            Op::Branch { to, .. } | Op::MayGoto(to) => available.jump_to(*to),
            Op::Jump(to) => {
                available.jump_to(*to);
                reachable = false;
            }
            Op::Exit(_) | Op::Return(_) => reachable = false,
            Op::Copy { dst, src } if f.is_temp(*dst) && f.is_temp(*src) => {
                replaced.insert(*dst, *src);
                continue;
            }
            Op::Copy { dst, src } if f.is_temp(*dst) => mirrors.add(*dst, *src),
            _ => {}
        }
        if let (Some(dst), Some(key)) = (op.def(), key(f, &op))
            && f.is_temp(dst)
        {
            if let Some(same) = available.by_key.get(&key) {
                replaced.insert(dst, *same);
                continue;
            }
            available.by_key.insert(key.clone(), dst);
            available.stack.push(key);
        }
        f.ops.push(op);
    }
}

fn key(f: &Func, op: &Op) -> Option<Key> {
    let stable = |v: Val| f.is_temp(v);
    Some(match op {
        Op::Const { value, .. } => Key::Const(*value),
        Op::MapAddr { map, offset, .. } => Key::MapAddr(*map, *offset),
        Op::Call { callee: Callee::Helper(helper), args, .. }
            if helper.is_invariant() && args.iter().all(|a| *a == Arg::Val(Func::CTX)) =>
        {
            Key::Call(*helper)
        }
        Op::Alu { op, a, b, .. } if stable(*a) && !matches!(b, Operand::Val(b) if !stable(*b)) => {
            Key::Alu(*op, *a, *b)
        }
        Op::Neg { src, .. } if stable(*src) => Key::Neg(*src),
        Op::Extend { src, bits, signed, .. } if stable(*src) => Key::Extend(*src, *bits, *signed),
        Op::Swap { src, bits, .. } if stable(*src) => Key::Swap(*src, *bits),
        Op::Load { width, from, .. } if from.base == Base::Val(Func::CTX) => Key::Context(*width, from.off),
        _ => return None,
    })
}
