//! Memory accesses far from their base: instructions have room for offsets of 16 bits, large records and scratch blocks
//! are larger.

use crate::ir::{Base, Func, Op, Place, Val};
use std::collections::HashMap;

/// Offsets are split into a multiple of this, which is added to the base, and a rest, which stays in the instruction.
const STEP: i32 = 1 << 15;

/// Gives places that are out of reach a nearer base.
pub fn run(f: &mut Func) {
    if !f.ops.iter_mut().any(|op| op.accessed().is_some_and(|p| is_far(p))) {
        return;
    }
    // Nearer bases that are there already, until control flow meets.
    let mut near: HashMap<(Val, i32), Val> = HashMap::new();
    for mut op in std::mem::take(&mut f.ops) {
        if let Some(place) = op.accessed()
            && is_far(place)
            && let Base::Val(base) = place.base
        {
            let rest = place.off.rem_euclid(STEP);
            let step = place.off - rest;
            let nearer = *near.entry((base, step)).or_insert_with(|| {
                let dst = f.temp();
                f.ops.push(Op::Addr { dst, of: Place { base: Base::Val(base), off: step } });
                dst
            });
            *place = Place { base: Base::Val(nearer), off: rest };
        }
        match op.def() {
            Some(dst) => near.retain(|(base, _), _| *base != dst),
            None if matches!(op, Op::Label(_)) => near.clear(),
            None => {}
        }
        f.ops.push(op);
    }
}

/// Whether an access of 8 bytes there needs an offset of more than 16 bits. (Slots are always near.)
fn is_far(place: &Place) -> bool {
    matches!(place.base, Base::Val(_)) && i16::try_from(place.off).is_err()
}
