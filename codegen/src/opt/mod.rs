//! Passes over the IR. Each is linear in the size of the program.

mod cse;
mod dce;
mod jumps;

use crate::ir::{Func, Op, ValKind};

/// Runs all passes.
pub fn optimize(f: &mut Func) {
    promote(f);
    jumps::run(f);
    cse::run(f);
    dce::run(f);
    jumps::run(f);
}

/// Turns variables that are assigned once into temporaries, so that the other passes can work on them. Lowering makes
/// a variable's assignment come before all its uses on every path.
fn promote(f: &mut Func) {
    let mut defs = vec![0u32; f.vals.len()];
    for val in f.ops.iter().filter_map(Op::def) {
        defs[val.0 as usize] += 1;
    }
    for (kind, defs) in f.vals.iter_mut().zip(defs) {
        if defs == 1 {
            *kind = ValKind::Temp;
        }
    }
}
