//! Messages to user space: records built in place in ring-buffer memory.

use super::string::Pad;
use super::{Lower, Value};
use crate::helper::Helper;
use crate::insn::{Cond, Width};
use crate::ir::{Arg, MapRef, Op, Operand, Place, Val};
use crate::object::{CounterKind, Record, RecordField};
use lang::hir::{Action, Expr};

/// `BPF_RB_AVAIL_DATA`: unread bytes.
const AVAIL_DATA: i64 = 0;
/// `BPF_RB_NO_WAKEUP`
const NO_WAKEUP: i64 = 1;
/// `BPF_RB_FORCE_WAKEUP`
const FORCE_WAKEUP: i64 = 2;
/// Bytes before the first field: the index of the record's layout.
const HEADER: u32 = 8;
/// The reader looks by itself every few milliseconds and is woken only when this part of the ring buffer is unread: waking it for each
/// record is what makes a record expensive (3.5 microseconds instead of 0.3).
const WAKE_FRACTION: u32 = 8;

/// An argument before its record exists.
enum Early {
    /// Evaluated into the record.
    No,
    Scalar(Value),
    Memory(Place),
}

impl Lower<'_, '_> {
    /// Sends a record.
    pub(super) fn emit(&mut self, action: &Action, args: &[Expr]) {
        let record = self.record(action, args);
        // Effects of arguments must happen even when there is no room for the record.
        let early: Vec<Early> = args
            .iter()
            .map(|arg| match arg.has_effects() {
                false => Early::No,
                true if arg.ty.is_scalar() => Early::Scalar(self.scalar(arg)),
                true => Early::Memory(self.place(arg)),
            })
            .collect();

        let (size, id) = (record.size, self.unit.records.len() as u32);
        let ring = MapRef(self.unit.events() as u32);
        let (lost, end) = (self.f.label(), self.f.label());
        let reserve = [Arg::Map(ring), Arg::Imm(i64::from(size)), Arg::Imm(0)];
        let memory = self.f.call(Helper::RingReserve, &reserve);
        self.f.branch(Cond::Eq, memory, Operand::Imm(0), lost);
        let at = Place::from(memory);
        self.f.store(Width::D, at, Operand::Imm(id as i32));
        for ((arg, field), early) in args.iter().zip(&record.fields).zip(early) {
            let to = at.at(field.offset);
            match early {
                Early::No => self.store(arg, to, Pad::No),
                Early::Scalar(value) => {
                    let value = self.operand(value);
                    self.f.store(super::scalar_width(&field.ty), to, value);
                }
                Early::Memory(from) => self.copy(from, to, field.ty.size()),
            }
        }
        self.unit.records.push(record);
        self.submit(memory, ring, *action == Action::Exit);
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(lost));
        self.count_error(CounterKind::LostEvents);
        self.f.push(Op::Label(end));
    }

    fn record(&self, action: &Action, args: &[Expr]) -> Record {
        let mut size = HEADER;
        let fields = args
            .iter()
            .map(|arg| {
                let offset = size.next_multiple_of(arg.ty.align());
                size = offset + arg.ty.size();
                RecordField { offset, ty: arg.ty.clone() }
            })
            .collect();
        Record { action: action.clone(), fields, size: size.next_multiple_of(8), span: self.span }
    }

    fn submit(&mut self, memory: Val, ring: MapRef, urgent: bool) {
        if urgent {
            return self.f.call_void(Helper::RingSubmit, &[Arg::Val(memory), Arg::Imm(FORCE_WAKEUP)]);
        }
        let flags = self.f.var();
        self.f.push(Op::Const { dst: flags, value: NO_WAKEUP as u64 });
        let unread = self.f.call(Helper::RingQuery, &[Arg::Map(ring), Arg::Imm(AVAIL_DATA)]);
        let limit = self.unit.ring_size / WAKE_FRACTION;
        let quiet = self.f.label();
        self.f.branch(Cond::Lt, unread, Operand::Imm(limit as i32), quiet);
        self.f.push(Op::Const { dst: flags, value: FORCE_WAKEUP as u64 });
        self.f.push(Op::Label(quiet));
        self.f.call_void(Helper::RingSubmit, &[Arg::Val(memory), Arg::Val(flags)]);
    }
}
