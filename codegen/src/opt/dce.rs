//! Dead code elimination: one backward walk over the ops.

use crate::ir::{Func, Op};

/// Removes ops without effect whose result nobody reads.
pub fn run(f: &mut Func) {
    // Variables can be read by ops before their definition (loops), so any read anywhere keeps them.
    let mut used = vec![false; f.vals.len()];
    for op in &f.ops {
        op.uses(&mut |v| used[v.0 as usize] |= !f.is_temp(v));
    }
    // Slots in scratch memory become places that start from its address.
    if let Some(scratch) = f.scratch {
        used[scratch.base.0 as usize] = true;
    }
    let mut kept = Vec::with_capacity(f.ops.len());
    for mut op in std::mem::take(&mut f.ops).into_iter().rev() {
        if let Some(dst) = op.def()
            && !used[dst.0 as usize]
        {
            if op.is_pure() {
                continue;
            }
            if let Op::Call { ret, .. } = &mut op {
                *ret = None;
            }
        }
        op.uses(&mut |v| used[v.0 as usize] = true);
        kept.push(op);
    }
    kept.reverse();
    f.ops = kept;
}
