//! Places that hold values too large for a register: stack slots, scratch memory, clearing and copying.
//!
//! # Scratch memory
//!
//! What does not fit the 512-byte stack lives in an array map. A uprobe program runs preemptible and perf interrupts arrive
//! inside other programs, so "one block per CPU" would be shared by programs that interrupt each other. Each CPU has
//! [`BLOCKS`] blocks instead, and a program **claims** one: an atomic exchange of the block's first word tells whether it was free.
//! The claim is released where the program ends. When all blocks of a CPU are taken the event is counted as dropped.

use super::{Lower, Unit};
use crate::helper::Helper;
use crate::insn::{AluOp, AtomicOp, Cond, Width};
use crate::ir::{Arg, MapRef, Op, Operand, Place, Scratch};
use crate::object::{self, CounterKind, MapDef, MapKind};
use lang::hir::Expr;

/// Scratch blocks per CPU: how many programs may interrupt each other. A power of two.
const BLOCKS: u32 = 4;
/// Values up to this size are cleared and copied by plain instructions, larger ones by a helper.
const INLINE_LIMIT: u32 = 64;

impl Unit<'_> {
    /// The scratch map, made on first use.
    fn scratch(&mut self) -> usize {
        let entries = self.target.cpus * BLOCKS;
        *self.scratch.get_or_insert_with(|| {
            self.maps.push(MapDef {
                name: object::SCRATCH.into(),
                kind: MapKind::Array,
                key_size: 4,
                value_size: Scratch::HEADER,
                max_entries: entries,
            });
            self.maps.len() - 1
        })
    }

    /// Makes the blocks large enough for a program that uses `size` bytes.
    pub fn reserve_scratch(&mut self, size: u32) {
        let index = self.scratch();
        let value_size = &mut self.maps[index].value_size;
        *value_size = (*value_size).max(size);
    }
}

impl Lower<'_, '_> {
    /// Memory for a value: on the stack if it is small, else scratch. Its bytes are undefined.
    pub(super) fn memory(&mut self, size: u32) -> Place {
        if size <= self.unit.on_stack_limit {
            return self.f.slot(size).into();
        }
        self.scratch(size)
    }

    /// Memory off the stack, where addresses may be computed. Its bytes are undefined.
    pub(super) fn scratch(&mut self, size: u32) -> Place {
        self.scratch_slots += 1;
        self.f.scratch_slot(size).into()
    }

    /// Sets `size` bytes to zero.
    pub(super) fn clear(&mut self, to: Place, size: u32) {
        if size > INLINE_LIMIT {
            // A failing read clears its destination, and reading address 0 always fails: one call instead of a loop.
            self.f.call_void(Helper::ReadKernel, &[Arg::Addr(to), Arg::Imm(i64::from(size)), Arg::Imm(0)]);
            return;
        }
        for (at, width) in chunks(to, to, size) {
            self.f.store(width, to.at(at), Operand::Imm(0));
        }
    }

    /// Copies `size` bytes of kernel memory that the verifier knows.
    pub(super) fn copy(&mut self, from: Place, to: Place, size: u32) {
        if size > INLINE_LIMIT {
            self.f
                .call_void(Helper::ReadKernel, &[Arg::Addr(to), Arg::Imm(i64::from(size)), Arg::Addr(from)]);
            return;
        }
        for (at, width) in chunks(to, from, size) {
            let word = self.f.load(width, from.at(at));
            self.f.store(width, to.at(at), Operand::Val(word));
        }
    }

    /// Memory with a copy of an element, zeros when the array has fewer. The kernel copies it: plain loads at an offset that is not
    /// constant are refused for the stack by older kernels.
    pub(super) fn element(&mut self, of: &Expr, index: &Expr, size: u32) -> Place {
        let (array, index) = (self.place(of), self.scalar(index));
        let to = self.memory(size);
        self.clear(to, size);
        let count = of.ty.size().checked_div(size).unwrap_or(0);
        if count == 0 {
            return to;
        }
        let index = self.val(index);
        let end = self.f.label();
        self.f.branch(Cond::Ge, index, Operand::Imm(count as i32), end);
        let index = self.clamp(index, count - 1);
        let offset = self.f.alu(AluOp::Mul, index, Operand::Imm(size as i32));
        let start = self.address(array);
        let from = self.f.alu(AluOp::Add, start, Operand::Val(offset));
        self.f.call_void(Helper::ReadKernel, &[Arg::Addr(to), Arg::Imm(i64::from(size)), Arg::Val(from)]);
        self.f.push(Op::Label(end));
        to
    }

    /// Writes constant bytes.
    pub(super) fn write_bytes(&mut self, to: Place, bytes: &[u8]) {
        for (at, width) in chunks(to, to, bytes.len() as u32) {
            let at_usize = at as usize;
            let chunk = &bytes[at_usize..at_usize + width.bytes() as usize];
            let word = chunk.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
            match width {
                Width::D if i32::try_from(word as i64).is_err() => {
                    // Two 4-byte stores of immediates are as short as loading the constant, and need no register.
                    self.f.store(Width::W, to.at(at), Operand::Imm(word as i32));
                    self.f.store(Width::W, to.at(at + 4), Operand::Imm((word >> 32) as i32));
                }
                _ => self.f.store(width, to.at(at), Operand::Imm(word as i32)),
            }
        }
    }

    /// Emits the claim of scratch memory at op index `at` and its release here; nothing if none is used.
    pub(super) fn finish_scratch(&mut self, at: usize) {
        let Some(Scratch { base, .. }) = self.f.scratch else { return };
        let map = MapRef(self.unit.scratch() as u32);
        self.f.store(Width::D, base.into(), Operand::Imm(0));

        let body = self.f.ops.split_off(at);
        let (none, got) = (self.f.label(), self.f.label());
        let cpu = self.f.call(Helper::CpuId, &[]);
        let index = self.f.var();
        let shift = Operand::Imm(BLOCKS.trailing_zeros() as i32);
        self.f.push(Op::Alu { op: AluOp::Lsh, dst: index, a: cpu, b: shift });
        let key: Place = self.f.slot(4).into();
        let next = self.f.loop_label();
        self.f.push(Op::Label(next));
        self.f.store(Width::W, key, Operand::Val(index));
        let args = vec![Arg::Map(map), Arg::Addr(key)];
        self.f.push(Op::Call { callee: Helper::MapLookup.into(), args, ret: Some(base) });
        self.f.branch(Cond::Eq, base, Operand::Imm(0), none);
        let atomic = self.unit.target.atomic_fetch;
        let old = if atomic {
            let (one, old) = (self.f.constant(1), self.f.temp());
            self.f.push(Op::Atomic { op: AtomicOp::Xchg, on: base.into(), src: one, old: Some(old) });
            old
        } else {
            self.f.load(Width::D, base.into())
        };
        self.f.branch(Cond::Eq, old, Operand::Imm(0), got);
        self.f.push(Op::Alu { op: AluOp::Add, dst: index, a: index, b: Operand::Imm(1) });
        // The blocks of a CPU start at a multiple of their number, so the low bits are 0 again behind the last one. The verifier
        // knows these bits, and so the number of rounds.
        self.f.branch(Cond::Set, index, Operand::Imm(BLOCKS as i32 - 1), next);
        self.f.push(Op::Label(none));
        self.count_error(CounterKind::NoScratch);
        self.f.push(Op::Jump(self.quit));
        self.f.push(Op::Label(got));
        if !atomic {
            self.f.store(Width::D, base.into(), Operand::Imm(1));
        }
        self.f.ops.extend(body);
    }
}

/// Cuts `size` bytes at two places (or one that is given twice) into the widest accesses that are aligned at both.
pub(super) fn chunks(a: Place, b: Place, size: u32) -> impl Iterator<Item = (u32, Width)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let aligned = |place: Place, w: Width| place.at(at).off.rem_euclid(w.bytes() as i32) == 0;
        let width = [Width::D, Width::W, Width::H, Width::B]
            .into_iter()
            .find(|w| size - at >= w.bytes() && aligned(a, *w) && aligned(b, *w))?;
        let start = at;
        at += width.bytes();
        Some((start, width))
    })
}
