//! Where values and slots are alive, for register allocation and for sharing memory.
//!
//! Op `i` reads at position `2i` and writes at `2i + 1`. An interval reaches from the first definition to the last use; what
//! is live into a loop is live to the loop's end.

use crate::ir::{Base, Func, Op, Operand, Slot};
use std::collections::BTreeMap;

/// A range of positions, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    /// First position.
    pub start: i32,
    /// Last position.
    pub end: i32,
}

impl Interval {
    const EMPTY: Interval = Interval { start: i32::MAX, end: i32::MIN };

    fn include(&mut self, at: i32) {
        self.start = self.start.min(at);
        self.end = self.end.max(at);
    }

    /// Whether it has no position: the object is never named.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start > self.end
    }
}

/// Intervals of a program.
#[derive(Clone, Debug)]
pub struct Live {
    /// Of each value.
    pub vals: Vec<Interval>,
    /// Of each slot.
    pub slots: Vec<Interval>,
}

impl Live {
    /// Computes them.
    #[must_use]
    pub fn of(f: &Func) -> Live {
        let mut vals = vec![Interval::EMPTY; f.vals.len()];
        let mut slots = vec![Interval::EMPTY; f.slots.len()];
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
        }
        for param in &f.params {
            let interval = &mut vals[param.0 as usize];
            if !interval.is_empty() {
                interval.start = -1;
            }
        }
        let loops = Loops::of(f);
        vals.iter_mut().for_each(|v| loops.extend(v));
        // Whoever holds a slot's address may still go there.
        for op in &f.ops {
            if let Op::Addr { dst, of } = op
                && let Base::Slot(Slot(s)) = of.base
            {
                slots[s as usize].include(vals[dst.0 as usize].end);
            }
        }
        for (interval, slot) in slots.iter_mut().zip(&f.slots) {
            if slot.pinned && !interval.is_empty() {
                interval.include(2 * f.ops.len() as i32);
            }
        }
        slots.iter_mut().for_each(|s| loops.extend(s));
        Live { vals, slots }
    }
}

/// Values that must still be intact when the op writes its result.
fn late_uses(op: &Op, f: &mut impl FnMut(crate::ir::Val)) {
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

/// The loops of a program.
struct Loops {
    /// Position of the head, position of the jump back, and the loop around it.
    list: Vec<(i32, i32, Option<usize>)>,
    /// The innermost loop around each op.
    around: Vec<Option<usize>>,
}

impl Loops {
    fn of(f: &Func) -> Loops {
        let mut label_at = vec![None; f.labels.len()];
        // The last jump back to each head.
        let mut backs: BTreeMap<usize, usize> = BTreeMap::new();
        for (i, op) in f.ops.iter().enumerate() {
            match op {
                Op::Label(l) => label_at[l.0 as usize] = Some(i),
                Op::Jump(to) | Op::Branch { to, .. } | Op::MayGoto(to) => {
                    if let Some(head) = label_at[to.0 as usize] {
                        backs.insert(head, i);
                    }
                }
                _ => {}
            }
        }
        // The last jump to the head of an outer loop may stand in the middle of an inner one, whose rest belongs to the outer one
        // too: it may be run again before that jump.
        let heads: Vec<usize> = backs.keys().copied().collect();
        for (n, head) in heads.iter().enumerate().rev() {
            let mut back = backs[head];
            for inner in heads.iter().skip(n + 1) {
                if *inner > back {
                    break;
                }
                back = back.max(backs[inner]);
            }
            backs.insert(*head, back);
        }
        // Outer loops first, so that inner ones overwrite them.
        let mut loops = Loops { list: Vec::new(), around: vec![None; f.ops.len()] };
        for (head, back) in backs {
            let outer = loops.around[head];
            let this = loops.list.len();
            loops.list.push((2 * head as i32, 2 * back as i32, outer));
            loops.around[head..=back].fill(Some(this));
        }
        loops
    }

    /// Lets an interval that comes into a loop reach to the loop's end.
    fn extend(&self, interval: &mut Interval) {
        if interval.is_empty() {
            return;
        }
        let mut at = self.around.get(interval.end as usize / 2).copied().flatten();
        while let Some((head, back, outer)) = at.map(|l| self.list[l]) {
            if interval.start < head {
                interval.end = interval.end.max(back + 1);
            }
            at = outer;
        }
    }
}

/// Places objects of given sizes so that no two overlap whose intervals meet. Gives the offset of each and the size of it all;
/// objects with empty intervals take no room. Sizes are multiples of 8, and so are the offsets.
#[must_use]
pub fn pack(objects: &[(Interval, u32)]) -> (Vec<u32>, u32) {
    let mut order: Vec<usize> = (0..objects.len()).filter(|o| !objects[*o].0.is_empty()).collect();
    order.sort_by_key(|o| objects[*o].0.start);
    let mut offsets = vec![0; objects.len()];
    // Objects that are alive, by offset.
    let mut alive: Vec<usize> = Vec::new();
    let mut total = 0;
    for o in order {
        let (interval, size) = objects[o];
        alive.retain(|a| objects[*a].0.end >= interval.start);
        let mut at = 0;
        let mut index = 0;
        for a in &alive {
            if at + size <= offsets[*a] {
                break;
            }
            at = offsets[*a] + objects[*a].1;
            index += 1;
        }
        offsets[o] = at;
        total = total.max(at + size);
        alive.insert(index, o);
    }
    (offsets, total)
}
