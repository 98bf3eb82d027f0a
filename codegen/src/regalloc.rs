//! Linear-scan register allocation over the intervals of [`crate::live`].
//!
//! Intervals that cross a call can only have r6-r9, others any register. Most programs need no spills; those that do are
//! allocated again with r4 and r5 kept out as temporaries for spill traffic ([`TEMPORARIES`]). Spilled values and stack slots
//! share the frame with each other when they are not alive together.

use crate::insn::{R0, R1, R4, R5, Reg};
use crate::ir::{Arg, Base, Func, Op, Place, Storage, Val};
use crate::live::{Interval, Live, pack};

/// Registers for spilled operands in programs that spill.
pub const TEMPORARIES: [Reg; 2] = [R5, R4];

/// Where a value lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Home {
    /// In a register.
    Reg(Reg),
    /// On the stack, so far from the frame pointer.
    Spill(i16),
    /// It is never used.
    None,
}

/// Result of the allocation.
#[derive(Clone, Debug)]
pub struct Allocation {
    /// Home of each value.
    pub homes: Vec<Home>,
    /// Offset from the frame pointer of each stack slot.
    pub slots: Vec<i16>,
    /// Bytes of stack in all; the kernel allows 512.
    pub stack: u32,
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
    let live = Live::of(f);
    let clobbers = Clobbers::new(f);
    let hints = hints(f, &live.vals, &clobbers);
    let reserved = TEMPORARIES.iter().fold(0, |m, r| m | bit(*r));
    let (mut homes, mut spilled) = scan(&live.vals, &hints, &clobbers, ALL);
    if !spilled.is_empty() {
        (homes, spilled) = scan(&live.vals, &hints, &clobbers, ALL & !reserved);
    }
    frame(f, &live, homes, &spilled)
}

/// Registers that would save a move.
fn hints(f: &Func, intervals: &[Interval], clobbers: &Clobbers) -> Vec<Hint> {
    let mut hints = vec![Hint::default(); f.vals.len()];
    let end = |v: Val| intervals[v.0 as usize].end;
    // Backwards, so that a value knows where the results that are made of it want to be.
    for (i, op) in f.ops.iter().enumerate().rev() {
        let at = 2 * i as i32;
        match op {
            Op::Call { args, ret, .. } => {
                for (n, arg) in args.iter().enumerate() {
                    if let Arg::Val(v) | Arg::Addr(Place { base: Base::Val(v), .. }) = arg
                        && end(*v) == at
                    {
                        hints[v.0 as usize].wish = Wish::Reg(Reg(R1.0 + n as u8));
                    }
                }
                if let Some(v) = ret {
                    hints[v.0 as usize].wish = Wish::Reg(R0);
                }
            }
            Op::Return(v) => hints[v.0 as usize].wish = Wish::Reg(R0),
            Op::CmpXchg { old, .. } => hints[old.0 as usize].wish = Wish::Reg(R0),
            Op::Copy { dst, src: a }
            | Op::Alu { dst, a, .. }
            | Op::Extend { dst, src: a, .. }
            | Op::Swap { dst, src: a, .. }
            | Op::Clamp { dst, src: a, .. }
            | Op::Neg { dst, src: a }
                if dst != a =>
            {
                hints[dst.0 as usize].like = Some(*a);
                if end(*a) == at && hints[a.0 as usize].wish == Wish::Any {
                    hints[a.0 as usize].wish = match hints[dst.0 as usize].wish {
                        Wish::Any if clobbers.across_calls(intervals[dst.0 as usize]) => Wish::Saved,
                        wish => wish,
                    };
                }
            }
            _ => {}
        }
    }
    for (n, param) in f.params.iter().enumerate() {
        hints[param.0 as usize].wish = Wish::Reg(Reg(R1.0 + n as u8));
    }
    hints
}

/// What would save a move.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Hint {
    /// The value is made of this one, and could take its register over.
    like: Option<Val>,
    /// Where it, or what is made of it, must be in the end.
    wish: Wish,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Wish {
    #[default]
    Any,
    /// That register.
    Reg(Reg),
    /// One that survives calls.
    Saved,
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

    /// Whether a value is alive before and after some call.
    fn across_calls(&self, interval: Interval) -> bool {
        crosses(&self.calls, interval)
    }

    /// Registers that keep a value over an interval.
    fn allowed(&self, interval: Interval) -> Mask {
        let mut mask = ALL;
        if self.across_calls(interval) {
            mask &= !CALL_CLOBBERED;
        }
        if crosses(&self.exchanges, interval) {
            mask &= !bit(R0);
        }
        mask
    }
}

/// Whether one of the positions, which ascend, is inside an interval.
fn crosses(positions: &[i32], interval: Interval) -> bool {
    let first = positions.partition_point(|p| *p < interval.start);
    positions.get(first).is_some_and(|p| *p < interval.end)
}

/// Homes of all values, and the values that got no register.
fn scan(intervals: &[Interval], hints: &[Hint], clobbers: &Clobbers, pool: Mask) -> (Vec<Home>, Vec<usize>) {
    let mut homes = vec![Home::None; intervals.len()];
    let mut order: Vec<usize> = (0..intervals.len()).filter(|v| !intervals[*v].is_empty()).collect();
    order.sort_by_key(|v| intervals[*v].start);
    let mut active: Vec<(usize, Reg)> = Vec::new();
    let mut spilled = Vec::new();
    for v in order {
        let interval = intervals[v];
        active.retain(|(a, _)| intervals[*a].end >= interval.start);
        let busy = active.iter().fold(0, |m, (_, r)| m | bit(*r));
        let allowed = clobbers.allowed(interval) & pool;
        let like = hints[v].like.and_then(|of| match homes[of.0 as usize] {
            Home::Reg(reg) => Some(reg),
            _ => None,
        });
        if let Some(reg) = choose(allowed & !busy, hints[v].wish, like) {
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
        let loser = match victim {
            Some((n, other, reg)) if intervals[other].end > interval.end => {
                homes[v] = Home::Reg(reg);
                active[n] = (v, reg);
                other
            }
            _ => v,
        };
        homes[loser] = Home::None;
        spilled.push(loser);
    }
    (homes, spilled)
}

/// A register of the set: the wish, else that of the value it is made of, else one that calls clobber (so that r6-r9 stay free
/// for those that need them), r0 last among these because every call result wants it.
fn choose(free: Mask, wish: Wish, like: Option<Reg>) -> Option<Reg> {
    let saved = [6, 7, 8, 9].map(Reg);
    let wished = match wish {
        Wish::Reg(reg) => vec![reg],
        // A register that is a copy's already is as good as any other of them.
        Wish::Saved => like.into_iter().filter(|reg| saved.contains(reg)).chain(saved).collect(),
        Wish::Any => Vec::new(),
    };
    let usual = [1, 2, 3, 4, 5, 0, 6, 7, 8, 9].map(Reg);
    wished.into_iter().chain(like).chain(usual).find(|reg| free & bit(*reg) != 0)
}

/// Places stack slots and spilled values in the frame.
fn frame(f: &Func, live: &Live, mut homes: Vec<Home>, spilled: &[usize]) -> Allocation {
    const WORD: u32 = 8;
    let on_stack = |n: usize| f.slots[n].storage == Storage::Stack;
    let slots = (0..f.slots.len()).filter(|n| on_stack(*n)).map(|n| (live.slots[n], f.slots[n].size));
    let objects: Vec<(Interval, u32)> = spilled.iter().map(|v| (live.vals[*v], WORD)).chain(slots).collect();
    let (offsets, stack) = pack(&objects);
    // The frame grows down: an object's address is its lowest byte. Offsets that do not fit are never used, because the
    // stack is too large then.
    let from_top = |n: usize| i16::try_from(-i64::from(offsets[n] + objects[n].1)).unwrap_or(i16::MIN);
    for (n, v) in spilled.iter().enumerate() {
        homes[*v] = Home::Spill(from_top(n));
    }
    let mut next = spilled.len()..;
    let slots = (0..f.slots.len()).map(|n| match on_stack(n) {
        true => next.next().map_or(0, from_top),
        false => 0,
    });
    Allocation { slots: slots.collect(), homes, stack }
}
