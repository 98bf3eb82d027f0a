//! Linear-scan register allocation.
//!
//! Op `i` reads at position `2i` and writes at `2i + 1`. A value's interval reaches from its first definition to its last use; one that is live into a
//! loop reaches to the end of the loop. Intervals that cross a call can only have r6-r9, others any register. Most
//! programs need no spills; those that do are allocated again with r0, r4 and r5 kept out as temporaries for spill
//! traffic ([`TEMPORARIES`]).

use crate::insn::{R0, R1, R4, R5, Reg};
use crate::ir::{Arg, Base, Func, Op, Operand, Slot, Val};

/// Registers for spilled operands in programs that spill.
pub const TEMPORARIES: [Reg; 3] = [R5, R4, R0];

/// Where a value lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Home {
    /// In a register.
    Reg(Reg),
    /// In the n-th 8-byte spill slot.
    Spill(u32),
    /// It is never used.
    None,
}

/// Result of the allocation.
#[derive(Clone, Debug)]
pub struct Allocation {
    /// Home of each value.
    pub homes: Vec<Home>,
    /// Offset from the frame pointer of each stack object.
    pub slots: Vec<i16>,
    /// Bytes of stack in all; the kernel allows 512.
    pub stack: u32,
}

#[derive(Clone, Copy, Debug)]
struct Interval {
    start: i32,
    end: i32,
}

const EMPTY: Interval = Interval { start: i32::MAX, end: i32::MIN };

impl Interval {
    fn include(&mut self, at: i32) {
        self.start = self.start.min(at);
        self.end = self.end.max(at);
    }

    fn is_empty(self) -> bool {
        self.start > self.end
    }
}

/// A set of registers.
type Mask = u16;

const fn bit(reg: Reg) -> Mask {
    1 << reg.0
}

/// r0-r5
const CALL_CLOBBERED: Mask = 0x3f;
const ALL: Mask = 0x3ff;

/// Allocates registers and stack.
#[must_use]
pub fn allocate(f: &Func) -> Allocation {
    let (intervals, slots) = intervals(f);
    let hints = hints(f, &intervals);
    let clobbers = Clobbers::new(f);
    let reserved = TEMPORARIES.iter().fold(0, |m, r| m | bit(*r));
    let (homes, spills) = match scan(&intervals, &hints, &clobbers, ALL) {
        (homes, 0) => (homes, 0),
        _ => scan(&intervals, &hints, &clobbers, ALL & !reserved),
    };
    let (slots, stack) = frame(f, &slots, spills);
    Allocation { homes, slots, stack }
}

/// Live intervals of values and stack objects.
fn intervals(f: &Func) -> (Vec<Interval>, Vec<Interval>) {
    let mut vals = vec![EMPTY; f.vals.len()];
    let mut slots = vec![EMPTY; f.slots.len()];
    let mut label_at = vec![0; f.labels.len()];
    let mut loops = Vec::new();
    for (i, op) in f.ops.iter().enumerate() {
        let at = 2 * i as i32;
        op.uses(&mut |v| vals[v.0 as usize].include(at));
        late_uses(op, &mut |v| vals[v.0 as usize].include(at + 1));
        if let Some(v) = op.def() {
            vals[v.0 as usize].include(at + 1);
        }
        op.places(&mut |p| {
            if let Base::Slot(Slot(s)) = p.base {
                slots[s as usize].include(at);
            }
        });
        match op {
            Op::Label(l) => label_at[l.0 as usize] = at,
            Op::Jump(to) | Op::Branch { to, .. }
                if f.labels[to.0 as usize] && label_at[to.0 as usize] > 0 =>
            {
                loops.push((label_at[to.0 as usize], at));
            }
            _ => {}
        }
    }
    let ctx = &mut vals[Func::CTX.0 as usize];
    if !ctx.is_empty() {
        ctx.start = -1;
    }
    // Inner loops come first: their back edge stands before the outer one.
    for (head, back) in loops {
        for interval in vals.iter_mut().chain(&mut slots) {
            if interval.start < head && interval.end >= head {
                interval.end = interval.end.max(back + 1);
            }
        }
    }
    (vals, slots)
}

/// Values that must still be intact when the op writes its result.
fn late_uses(op: &Op, f: &mut impl FnMut(Val)) {
    match op {
        // `dst = a - b` is done as `dst = a; dst -= b`.
        Op::Alu { b: Operand::Val(b), .. } => f(*b),
        Op::Atomic { on, old: Some(_), .. } => {
            if let Base::Val(base) = on.base {
                f(base);
            }
        }
        Op::CmpXchg { on, new, .. } => {
            f(*new);
            if let Base::Val(base) = on.base {
                f(base);
            }
        }
        _ => {}
    }
}

/// Registers that would save a move.
fn hints(f: &Func, intervals: &[Interval]) -> Vec<Hint> {
    let mut hints = vec![Hint::None; f.vals.len()];
    for (i, op) in f.ops.iter().enumerate() {
        let at = 2 * i as i32;
        match op {
            Op::Call { args, ret, .. } => {
                for (n, arg) in args.iter().enumerate() {
                    if let Arg::Val(v) = arg
                        && intervals[v.0 as usize].end == at
                    {
                        hints[v.0 as usize] = Hint::Reg(Reg(R1.0 + n as u8));
                    }
                }
                if let Some(v) = ret {
                    hints[v.0 as usize] = Hint::Reg(R0);
                }
            }
            Op::CmpXchg { old, .. } => hints[old.0 as usize] = Hint::Reg(R0),
            Op::Copy { dst, src } if hints[dst.0 as usize] == Hint::None => {
                hints[dst.0 as usize] = Hint::SameAs(*src)
            }
            Op::Alu { dst, a, .. } | Op::Extend { dst, src: a, .. } | Op::Neg { dst, src: a } if dst != a => {
                if hints[dst.0 as usize] == Hint::None {
                    hints[dst.0 as usize] = Hint::SameAs(*a);
                }
            }
            _ => {}
        }
    }
    hints[Func::CTX.0 as usize] = Hint::Reg(R1);
    hints
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hint {
    None,
    Reg(Reg),
    SameAs(Val),
}

/// Positions at which registers lose their content.
struct Clobbers {
    calls: Vec<i32>,
    exchanges: Vec<i32>,
}

impl Clobbers {
    fn new(f: &Func) -> Clobbers {
        let at = |wanted: fn(&Op) -> bool| {
            f.ops.iter().enumerate().filter(|(_, op)| wanted(op)).map(|(i, _)| 2 * i as i32).collect()
        };
        Clobbers {
            calls: at(|op| matches!(op, Op::Call { .. })),
            exchanges: at(|op| matches!(op, Op::CmpXchg { .. })),
        }
    }

    /// Registers that keep a value over an interval.
    fn allowed(&self, interval: Interval) -> Mask {
        let crosses = |positions: &[i32]| {
            let first = positions.partition_point(|p| *p < interval.start);
            positions.get(first).is_some_and(|p| *p < interval.end)
        };
        let mut mask = ALL;
        if crosses(&self.calls) {
            mask &= !CALL_CLOBBERED;
        }
        if crosses(&self.exchanges) {
            mask &= !bit(R0);
        }
        mask
    }
}

fn scan(intervals: &[Interval], hints: &[Hint], clobbers: &Clobbers, pool: Mask) -> (Vec<Home>, u32) {
    let mut homes = vec![Home::None; intervals.len()];
    let mut order: Vec<usize> = (0..intervals.len()).filter(|v| !intervals[*v].is_empty()).collect();
    order.sort_by_key(|v| intervals[*v].start);
    let mut active: Vec<(usize, Reg)> = Vec::new();
    let mut spills = 0;
    for v in order {
        let interval = intervals[v];
        active.retain(|(a, _)| intervals[*a].end >= interval.start);
        let busy = active.iter().fold(0, |m, (_, r)| m | bit(*r));
        let allowed = clobbers.allowed(interval) & pool;
        let hint = match hints[v] {
            Hint::Reg(r) => Some(r),
            Hint::SameAs(of) => match homes[of.0 as usize] {
                Home::Reg(r) => Some(r),
                _ => None,
            },
            Hint::None => None,
        };
        if let Some(reg) = choose(allowed & !busy, hint) {
            homes[v] = Home::Reg(reg);
            active.push((v, reg));
            continue;
        }
        // Whoever is needed last goes to the stack.
        let victim = active
            .iter()
            .enumerate()
            .filter(|(_, (_, r))| allowed & bit(*r) != 0)
            .max_by_key(|(_, (a, _))| intervals[*a].end)
            .map(|(n, (a, r))| (n, *a, *r));
        match victim {
            Some((n, other, reg)) if intervals[other].end > interval.end => {
                homes[other] = Home::Spill(spills);
                homes[v] = Home::Reg(reg);
                active[n] = (v, reg);
            }
            _ => homes[v] = Home::Spill(spills),
        }
        spills += 1;
    }
    (homes, spills)
}

/// A register of the set: the hint, else one that calls clobber (so that r6-r9 stay free for those that need them), r0
/// last among these because every call result wants it.
fn choose(free: Mask, hint: Option<Reg>) -> Option<Reg> {
    if let Some(reg) = hint.filter(|r| free & bit(*r) != 0) {
        return Some(reg);
    }
    [1, 2, 3, 4, 5, 0, 6, 7, 8, 9].map(Reg).into_iter().find(|r| free & bit(*r) != 0)
}

/// Places stack objects: spill slots on top, below them objects, sharing bytes when they are not alive together.
fn frame(f: &Func, live: &[Interval], spills: u32) -> (Vec<i16>, u32) {
    let base = 8 * spills;
    let mut order: Vec<usize> = (0..live.len()).filter(|s| !live[*s].is_empty()).collect();
    order.sort_by_key(|s| live[*s].start);
    let mut depth_of = vec![0u32; live.len()];
    let mut active: Vec<usize> = Vec::new();
    let mut stack = base;
    for s in order {
        active.retain(|a| live[*a].end >= live[s].start);
        active.sort_by_key(|a| depth_of[*a]);
        let mut top = base;
        for a in &active {
            // `depth_of` is the distance from the frame pointer to the lowest byte.
            if depth_of[*a] - f.slots[*a] >= top + f.slots[s] {
                break;
            }
            top = top.max(depth_of[*a]);
        }
        depth_of[s] = top + f.slots[s];
        stack = stack.max(depth_of[s]);
        active.push(s);
    }
    (depth_of.into_iter().map(|d| -(d.min(i16::MAX as u32) as i32) as i16).collect(), stack)
}

/// Offset from the frame pointer of a spill slot.
#[must_use]
pub fn spill_offset(n: u32) -> i16 {
    -8 * (n as i16 + 1)
}
