//! Messages to user space: records built in place in ring-buffer memory.

use super::string::Pad;
use super::{Lower, Value};
use crate::Error;
use crate::helper::Helper;
use crate::insn::{Cond, Width};
use crate::ir::{Arg, MapRef, Op, Operand, Place, Val};
use crate::object::{CounterKind, Record, RecordField};
use lang::hir::{Action, Expr, Stmt, StmtKind};
use lang::types::{StackKind, Type};

/// `BPF_RB_AVAIL_DATA`: unread bytes.
const AVAIL_DATA: i64 = 0;
/// Wakes the reader if it waits: it has read all that came before (`bpf_ringbuf_commit`, kernel/bpf/ringbuf.c).
const WAKE_WAITING: i64 = 0;
/// `BPF_RB_NO_WAKEUP`
const NO_WAKEUP: i64 = 1;
/// `BPF_RB_FORCE_WAKEUP`
const FORCE_WAKEUP: i64 = 2;
/// Bytes before the first field: the index of the record's layout.
const HEADER: u32 = 8;
/// The reader looks by itself every few milliseconds and is woken only when this part of the ring buffer is unread: waking it for each
/// record is what makes a record expensive (3.5 microseconds instead of 0.3).
const WAKE_FRACTION: u32 = 8;

/// When the reader is woken for a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// At once.
    Always,
    /// At once if it waits: a process may be gone soon, and with it what the record's addresses mean.
    Waiting,
    /// When much is unread.
    Full,
}

impl Wake {
    fn of(action: &Action, args: &[Expr]) -> Wake {
        if *action == Action::Exit {
            Wake::Always
        } else if args.iter().any(|arg| names_code(&arg.ty)) {
            Wake::Waiting
        } else {
            Wake::Full
        }
    }
}

/// Whether a value is shown by the names of a process's functions.
fn names_code(ty: &Type) -> bool {
    match ty {
        Type::USym | Type::Stack { kind: StackKind::User, .. } => true,
        Type::Tuple(members) => members.iter().any(names_code),
        Type::Record(members) => members.iter().any(|(_, ty)| names_code(ty)),
        _ => false,
    }
}

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
        if self.shows_in_file(action, args) {
            return;
        }
        let record = self.record(action, args);
        // Effects of arguments must happen even when there is no room for the record, and in order: what stands before the
        // last of them must not see it.
        let last = args.iter().rposition(Expr::has_effects).map_or(0, |n| n + 1);
        let early: Vec<Early> = args
            .iter()
            .enumerate()
            .map(|(n, arg)| match n < last {
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
        self.perhaps(|lower| {
            for ((arg, field), early) in args.iter().zip(&record.fields).zip(early) {
                let to = at.at(field.offset);
                match early {
                    Early::No => lower.store(arg, to, Pad::No),
                    Early::Scalar(value) => {
                        let value = lower.operand(value);
                        lower.f.store(super::scalar_width(&field.ty), to, value);
                    }
                    Early::Memory(from) => lower.copy(from, to, field.ty.size()),
                }
            }
        });
        self.unit.records.push(record);
        self.submit(memory, ring, Wake::of(action, args));
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(lost));
        self.count_error(CounterKind::LostEvents);
        self.f.push(Op::Label(end));
    }

    fn record(&mut self, action: &Action, args: &[Expr]) -> Record {
        let (fields, size) = fields(args);
        if size > largest_record(self.unit.ring_size) {
            let error = Error::new(
                self.span,
                format!("this sends {size} bytes at once, more than the ring buffer takes"),
            )
            .help("enlarge `perf_rb_pages`, or shorten strings with `max_strlen`");
            self.fail(error);
        }
        Record { action: action.clone(), fields, size, span: self.span }
    }

    fn submit(&mut self, memory: Val, ring: MapRef, wake: Wake) {
        let flags = match wake {
            Wake::Always => Some(FORCE_WAKEUP),
            Wake::Waiting => Some(WAKE_WAITING),
            Wake::Full => None,
        };
        if let Some(flags) = flags {
            return self.f.call_void(Helper::RingSubmit, &[Arg::Val(memory), Arg::Imm(flags)]);
        }
        let unread = self.f.call(Helper::RingQuery, &[Arg::Map(ring), Arg::Imm(AVAIL_DATA)]);
        let flags = self.f.var();
        self.f.push(Op::Const { dst: flags, value: NO_WAKEUP as u64 });
        let limit = self.unit.ring_size / WAKE_FRACTION;
        let quiet = self.f.label();
        self.f.branch(Cond::Lt, unread, Operand::Imm(limit as i32), quiet);
        self.f.push(Op::Const { dst: flags, value: FORCE_WAKEUP as u64 });
        self.f.push(Op::Label(quiet));
        self.f.call_void(Helper::RingSubmit, &[Arg::Val(memory), Arg::Val(flags)]);
    }
}

/// Layout of a record: its fields and its size.
fn fields(args: &[Expr]) -> (Vec<RecordField>, u32) {
    let mut size = HEADER;
    let fields = args
        .iter()
        .map(|arg| {
            let offset = size.next_multiple_of(arg.ty.align());
            size = offset + arg.ty.size();
            RecordField { offset, ty: arg.ty.clone() }
        })
        .collect();
    (fields, size.next_multiple_of(8))
}

/// Bytes of the largest record of a block.
pub(super) fn largest(block: &[Stmt]) -> u32 {
    let mut largest = 0;
    lang::hir::visit_all(block, &mut |stmt| {
        if let StmtKind::Emit { args, .. } = &stmt.kind {
            largest = largest.max(fields(args).1);
        }
    });
    largest
}

/// Bytes of the largest record that a ring buffer takes (`__bpf_ringbuf_reserve`): it has a header of 8 bytes.
fn largest_record(ring_size: u32) -> u32 {
    ring_size - 8
}
