//! Allocations of random programs, checked against liveness by data flow: a second opinion, which knows nothing of
//! intervals.

use super::generate::{Random, program};
use crate::insn::{R0, Reg};
use crate::ir::{Base, Func, Op, Slot, Storage, Val};
use crate::regalloc::{Allocation, Home, TEMPORARIES, allocate};
use std::collections::{HashMap, HashSet};

/// Ops that may run after each op.
fn successors(f: &Func) -> Vec<Vec<usize>> {
    let labels: HashMap<_, _> = f
        .ops
        .iter()
        .enumerate()
        .filter_map(|(i, op)| if let Op::Label(l) = op { Some((*l, i)) } else { None })
        .collect();
    let of = |(i, op): (usize, &Op)| match op {
        Op::Jump(to) => vec![labels[to]],
        Op::Branch { to, .. } | Op::MayGoto(to) => vec![i + 1, labels[to]],
        Op::Exit(_) | Op::Return(_) => Vec::new(),
        _ => vec![i + 1],
    };
    f.ops.iter().enumerate().map(of).collect()
}

fn uses(op: &Op) -> HashSet<Val> {
    let mut set = HashSet::new();
    op.uses(&mut |v| {
        set.insert(v);
    });
    set
}

/// Values that are read after each op.
fn live_after(f: &Func, next: &[Vec<usize>]) -> Vec<HashSet<Val>> {
    let mut after = vec![HashSet::new(); f.ops.len()];
    loop {
        let mut changed = false;
        for i in (0..f.ops.len()).rev() {
            let mut out: HashSet<Val> = HashSet::new();
            for n in &next[i] {
                out.extend(after[*n].iter().copied().filter(|v| f.ops[*n].def() != Some(*v)));
                out.extend(uses(&f.ops[*n]));
            }
            changed |= out != after[i];
            after[i] = out;
        }
        if !changed {
            return after;
        }
    }
}

fn named(op: &Op) -> HashSet<Slot> {
    let mut set = HashSet::new();
    op.places(&mut |p| {
        if let Base::Slot(s) = p.base {
            set.insert(s);
        }
    });
    set
}

/// Slots that may be named at each op or after it, on the way from the op that makes them (the first that names them).
fn live_slots(f: &Func, next: &[Vec<usize>]) -> Vec<HashSet<Slot>> {
    let mut made: HashMap<Slot, usize> = HashMap::new();
    for (i, op) in f.ops.iter().enumerate() {
        for slot in named(op) {
            made.entry(slot).or_insert(i);
        }
    }
    let mut live: Vec<HashSet<Slot>> = f.ops.iter().map(named).collect();
    loop {
        let mut changed = false;
        for i in (0..f.ops.len()).rev() {
            let known = live[i].len();
            for n in &next[i] {
                let from: Vec<Slot> = live[*n].iter().copied().filter(|s| made[s] != *n).collect();
                live[i].extend(from);
            }
            changed |= live[i].len() != known;
        }
        if !changed {
            return live;
        }
    }
}

fn check(f: &Func, allocation: &Allocation) -> Result<(), String> {
    let next = successors(f);
    let (after, slots) = (live_after(f, &next), live_slots(f, &next));
    let home = |v: Val| allocation.homes[v.0 as usize];
    let spills = allocation.homes.iter().any(|h| matches!(h, Home::Spill(_)));
    for (i, op) in f.ops.iter().enumerate() {
        let fail = |what: String| Err(format!("at {i}, {op:?}: {what}"));
        let live: HashSet<Val> = after[i].iter().copied().chain(op.def()).collect();
        let mut taken: HashMap<Reg, Val> = HashMap::new();
        for v in &live {
            if let Home::Reg(reg) = home(*v) {
                if let Some(other) = taken.insert(reg, *v) {
                    return fail(format!("{v:?} and {other:?} are both in {reg}"));
                }
                if spills && TEMPORARIES.contains(&reg) {
                    return fail(format!("{v:?} is in {reg}, which carries spilled values"));
                }
                let survives = after[i].contains(v) && op.def() != Some(*v);
                if survives && matches!(op, Op::Call { .. }) && reg.0 < 6 {
                    return fail(format!("{v:?} in {reg} does not survive"));
                }
                if survives && matches!(op, Op::CmpXchg { .. }) && reg == R0 {
                    return fail(format!("{v:?} in {reg} does not survive"));
                }
            } else if home(*v) == Home::None {
                return fail(format!("{v:?} has no home"));
            }
        }
        let mut bytes: HashMap<i32, String> = HashMap::new();
        let spilled = live.iter().filter_map(|v| match home(*v) {
            Home::Spill(at) => Some((i32::from(at), 8, format!("{v:?}"))),
            _ => None,
        });
        // A result may be written where the op has read for the last time.
        let dies = |s: &Slot| next[i].iter().all(|n| !slots[*n].contains(s));
        let result = op.def().map(|v| format!("{v:?}"));
        let last_read: HashSet<String> =
            slots[i].iter().filter(|s| dies(s)).map(|s| format!("{s:?}")).collect();
        let on_stack = slots[i].iter().filter(|s| f.slots[s.0 as usize].storage == Storage::Stack);
        let objects = on_stack.map(|s| {
            let n = s.0 as usize;
            (i32::from(allocation.slots[n]), f.slots[n].size as i32, format!("{s:?}"))
        });
        for (start, size, name) in spilled.chain(objects) {
            if start < -(allocation.stack as i32) || start + size > 0 {
                return fail(format!("{name} at {start} is outside of the frame"));
            }
            for byte in start..start + size {
                if let Some(other) = bytes.insert(byte, name.clone())
                    && !(Some(&other) == result.as_ref() && last_read.contains(&name))
                {
                    return fail(format!("{name} and {other} are both at {byte}"));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn live_values_and_slots_are_kept_apart() {
    for seed in 0..250 {
        let mut random = Random::new(seed * 7919 + 3);
        let size = 4 + random.below(80);
        let mut f = program(random.next(), size, 1 + random.below(14));
        for optimized in [false, true] {
            if optimized {
                crate::opt::optimize(&mut f);
            }
            if let Err(problem) = check(&f, &allocate(&f)) {
                panic!("seed {seed}, optimized {optimized}: {problem}\n{f}");
            }
        }
    }
}

/// The checker must not be blind.
#[test]
fn the_checker_sees_what_is_wrong() {
    let mut f = program(6, 60, 8);
    crate::opt::optimize(&mut f);
    let good = allocate(&f);
    check(&f, &good).expect("a good allocation");
    let mut found = 0;
    let values: Vec<usize> = (0..good.homes.len()).filter(|v| good.homes[*v] != Home::None).collect();
    for v in &values {
        let mut bad = good.clone();
        bad.homes[*v] = Home::Reg(R0);
        found += usize::from(check(&f, &bad).is_err());
    }
    assert!(found * 2 > values.len(), "{found} of {}", values.len());
}
