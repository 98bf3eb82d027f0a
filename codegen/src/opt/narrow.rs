//! A store of few bytes needs no value that was extended to many: it takes what stood there before.

use crate::ir::{Func, Op, Operand, Val};
use std::collections::HashMap;

/// Runs the pass.
pub fn run(f: &mut Func) {
    // What each extended temporary was made of, and how many of its bits are the same.
    let mut made_of: HashMap<Val, (Val, u32)> = HashMap::new();
    for op in &f.ops {
        if let Op::Extend { dst, src, bits, .. } = op
            && f.is_temp(*dst)
            && f.is_temp(*src)
        {
            made_of.insert(*dst, (*src, u32::from(*bits)));
        }
    }
    for op in &mut f.ops {
        if let Op::Store { width, src: Operand::Val(v), .. } = op {
            while let Some((src, bits)) = made_of.get(v)
                && *bits >= 8 * width.bytes()
            {
                *v = *src;
            }
        }
    }
}
