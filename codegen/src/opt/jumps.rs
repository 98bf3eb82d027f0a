//! Control-flow clean-up: unreachable ops, jumps to jumps, jumps to the next op, labels without jumps.

use crate::ir::{Func, Label, Op};

/// Runs the pass until nothing changes (two or three rounds in practice).
pub fn run(f: &mut Func) {
    loop {
        let before = f.ops.len();
        thread(f);
        invert(f);
        sweep(f);
        if f.ops.len() == before {
            return;
        }
    }
}

/// Sends jumps to a label that only jumps on directly to the final target.
fn thread(f: &mut Func) {
    let mut target: Vec<Label> = (0..f.labels.len() as u32).map(Label).collect();
    let mut labels: Vec<Label> = Vec::new();
    for op in &f.ops {
        match op {
            Op::Label(l) => labels.push(*l),
            Op::Line(_) => {}
            Op::Jump(to) => {
                for l in labels.drain(..) {
                    target[l.0 as usize] = *to;
                }
            }
            _ => labels.clear(),
        }
    }
    let resolve = |mut l: Label| {
        // A cycle of empty jumps would be an endless loop in the script; there is none, but stay finite.
        for _ in 0..16 {
            l = target[l.0 as usize];
        }
        l
    };
    for op in &mut f.ops {
        if let Op::Jump(to) | Op::Branch { to, .. } | Op::MayGoto(to) = op
            && !f.labels[to.0 as usize]
        {
            *to = resolve(*to);
        }
    }
}

/// `br c -> A; jump B; A:` becomes `br !c -> B; A:`.
fn invert(f: &mut Func) {
    for i in 0..f.ops.len() {
        let Op::Branch { cond, to: over, .. } = f.ops[i] else { continue };
        // Statements that are nothing but a jump have a line.
        let lines = f.ops[i + 1..].iter().take_while(|op| matches!(op, Op::Line(_))).count();
        let jump = i + 1 + lines;
        if let (Some(Op::Jump(far)), Some(Op::Label(next))) = (f.ops.get(jump), f.ops.get(jump + 1))
            && over == *next
            && let Some(negated) = cond.negate()
        {
            let far = *far;
            if let Op::Branch { cond, to, .. } = &mut f.ops[i] {
                (*cond, *to) = (negated, far);
            }
            // Jumps to the next label disappear in the sweep.
            f.ops[jump] = Op::Jump(over);
        }
    }
}

/// Drops unreachable ops, unused labels and jumps to what follows anyway.
fn sweep(f: &mut Func) {
    let mut referenced = vec![false; f.labels.len()];
    for op in &f.ops {
        if let Some(to) = op.target() {
            referenced[to.0 as usize] = true;
        }
    }
    // Labels that ops which stay jump to. Jumps back do not count: a loop is reached from before it or not at all.
    let mut reached = vec![false; f.labels.len()];
    let mut kept: Vec<Op> = Vec::with_capacity(f.ops.len());
    let mut reachable = true;
    for op in std::mem::take(&mut f.ops) {
        if let Op::Label(l) = op {
            reachable |= reached[l.0 as usize];
            if !referenced[l.0 as usize] {
                continue;
            }
            // A jump whose label follows, with nothing but labels between.
            let labels = kept.iter().rev().take_while(|o| matches!(o, Op::Label(_))).count();
            let at = kept.len() - labels;
            if let Some(Op::Jump(to) | Op::Branch { to, .. }) = at.checked_sub(1).map(|i| &kept[i])
                && *to == l
            {
                kept.remove(at - 1);
            }
        }
        if !reachable {
            continue;
        }
        match op {
            Op::Jump(to) => {
                reached[to.0 as usize] = true;
                reachable = false;
            }
            Op::Branch { to, .. } | Op::MayGoto(to) => reached[to.0 as usize] = true,
            Op::Exit(_) | Op::Return(_) => reachable = false,
            _ => {}
        }
        kept.push(op);
    }
    f.ops = kept;
}
