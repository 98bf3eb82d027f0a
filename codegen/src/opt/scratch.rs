//! Gives the slots in scratch memory their places in the block that the program claims.

use crate::ir::{Base, Func, Place, Scratch, Slot, Storage};
use crate::live::{Interval, Live, pack};

/// Replaces scratch slots by offsets from [`Scratch::base`] and sets [`Scratch::size`].
pub fn run(f: &mut Func) {
    let Some(Scratch { base, .. }) = f.scratch else { return };
    let live = Live::of(f);
    let objects: Vec<(Interval, u32)> = f
        .slots
        .iter()
        .zip(live.slots)
        .map(|(def, live)| match def.storage {
            Storage::Scratch => (live, def.size),
            Storage::Stack => (live, 0),
        })
        .collect();
    let (offsets, size) = pack(&objects);
    f.scratch = Some(Scratch { base, size: Scratch::HEADER + size });
    for op in &mut f.ops {
        op.map_places(&mut |place| {
            if let Base::Slot(Slot(s)) = place.base
                && f.slots[s as usize].storage == Storage::Scratch
            {
                let start = Scratch::HEADER + offsets[s as usize];
                *place = Place { base: Base::Val(base), off: start as i32 + place.off };
            }
        });
    }
}
