//! Passes over the IR. Each is linear in the size of the program (but for sorting).

mod cse;
mod dce;
mod far;
mod forget;
mod jumps;
mod narrow;
mod remat;
mod scratch;

use crate::ir::{Func, Op, ValKind};

/// A pass: its name, and what it does.
pub type Pass = (&'static str, fn(&mut Func));

/// The passes in their order.
pub const PASSES: &[Pass] = &[
    ("promote", promote),
    ("jumps", jumps::run),
    ("cse", cse::run),
    ("narrow", narrow::run),
    ("dce", dce::run),
    ("jumps", jumps::run),
    ("remat", remat::run),
    ("forget", forget::run),
    ("scratch", scratch::run),
    ("far", far::run),
];

/// Runs all passes.
pub fn optimize(f: &mut Func) {
    for (_, pass) in PASSES {
        pass(f);
    }
    f.subs.iter_mut().chain(&mut f.functions).for_each(optimize);
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
