//! Strings, buffers and other values in memory: evaluation into a place.

use super::{Home, Lower, Value};
use crate::helper::Helper;
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Op, Operand, Place, Val};
use crate::object::CounterKind;
use lang::hir::{Builtin, Expr, ExprKind, Fun};
use lang::types::{AddrSpace, Type};

/// Whether the bytes after a value's end matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pad {
    /// They must be zero: keys, variables, map values, comparison.
    Zero,
    /// They are never looked at: ring-buffer records.
    No,
}

impl Lower<'_, '_> {
    /// Writes a value of any type to a place of `e.ty.size()` bytes.
    pub(super) fn store(&mut self, e: &Expr, to: Place, pad: Pad) {
        let outer = std::mem::replace(&mut self.span, e.span);
        let e = self.run_block(e);
        self.store_typed(e, to, pad);
        self.span = outer;
    }

    /// Runs the statements of a block with a value; gives the expression that is the value.
    fn run_block<'e>(&mut self, mut e: &'e Expr) -> &'e Expr {
        while let ExprKind::Block(stmts, value) = &e.kind {
            self.block(stmts);
            e = value;
        }
        e
    }

    fn store_typed(&mut self, e: &Expr, to: Place, pad: Pad) {
        match &e.ty {
            Type::Str(cap) => self.store_str(e, to, *cap, pad),
            Type::Tuple(_) | Type::Record(_) => self.store_tuple(e, to, pad),
            ty if ty.is_scalar() => {
                let value = self.scalar(e);
                let value = self.operand(value);
                self.f.store(super::scalar_width(ty), to, value);
            }
            _ => self.store_aggregate(e, to, pad),
        }
    }

    /// A place that holds the value, its unused bytes zero: where it stands already or new memory.
    pub(super) fn place(&mut self, e: &Expr) -> Place {
        let e = self.run_block(e);
        match &e.kind {
            ExprKind::Var(var) => {
                if let Home::Memory(place) = self.vars[var.0 as usize] {
                    return place;
                }
            }
            ExprKind::Apply(Fun::Concat, args) => {
                if let [a, b] = args.as_slice()
                    && Self::concatenated_size(a, b) == e.ty.size()
                {
                    return self.concatenated(a, b);
                }
            }
            ExprKind::Member(of, n) => {
                let offset = of.ty.member_offsets().get(*n as usize).copied().unwrap_or(0);
                return self.place(of).at(offset);
            }
            ExprKind::Part { of, offset } => return self.place(of).at(*offset),
            ExprKind::Element { of, index } => return self.element(of, index, e.ty.size()),
            ExprKind::Call(sub, args) => {
                if let Some(place) = self.call_subprogram(*sub, args).in_memory() {
                    return place;
                }
            }
            _ => {}
        }
        let place = self.memory(e.ty.size());
        self.store(e, place, Pad::Zero);
        place
    }

    /// Writes a value to a place of type `ty`, in which strings may have more room than in the value's own type.
    pub(super) fn store_as(&mut self, e: &Expr, ty: &Type, to: Place, pad: Pad) {
        let e = self.run_block(e);
        match (&e.kind, ty) {
            (_, Type::Str(cap)) => self.store_str(e, to, *cap, pad),
            (ExprKind::Tuple(_), Type::Tuple(_) | Type::Record(_)) if e.ty != *ty => {
                let wider = Expr { kind: e.kind.clone(), ty: ty.clone(), span: e.span };
                self.store_tuple(&wider, to, pad);
            }
            _ => self.store(e, to, pad),
        }
    }

    /// The members of a tuple or record.
    fn store_tuple(&mut self, e: &Expr, to: Place, pad: Pad) {
        let ExprKind::Tuple(members) = &e.kind else { return self.store_aggregate(e, to, pad) };
        let offsets = e.ty.member_offsets();
        let ends = offsets.iter().skip(1).copied().chain([e.ty.size()]);
        for (((member, ty), offset), end) in members.iter().zip(e.ty.members()).zip(&offsets).zip(ends) {
            let (to, room) = (to.at(*offset), end - offset);
            if let Some(width) = zero_extended(ty).then(|| Width::of(room)).flatten() {
                // One store for the member and the padding behind it.
                let value = self.scalar(member);
                let value = self.operand(value);
                self.f.store(width, to, value);
            } else {
                self.store_as(member, ty, to, pad);
                self.clear(to.at(ty.size()), room - ty.size());
            }
        }
    }

    /// Structures, arrays, buffers, stacks, symbols, and tuples that are not built here.
    fn store_aggregate(&mut self, e: &Expr, to: Place, pad: Pad) {
        let size = e.ty.size();
        match &e.kind {
            ExprKind::Builtin(Builtin::Stack) => self.store_stack(e, to),
            ExprKind::Builtin(Builtin::DwarfStack) => self.store_unwound(e, to),
            ExprKind::Symbol(addr) => {
                let addr = self.scalar(addr);
                let addr = self.operand(addr);
                self.f.store(Width::D, to, addr);
                let tgid = self.tgid();
                self.f.store(Width::D, to.at(8), Operand::Val(tgid));
            }
            ExprKind::GoError(error) => self.store_go_error(error, to),
            ExprKind::GoCopy(parts) => self.store_go(parts, &e.ty, to, pad),
            ExprKind::ReadBuf { addr, len, space } => self.store_buf(addr, len, *space, &e.ty, to, pad),
            ExprKind::Load { addr, space } => {
                let addr = self.scalar(addr);
                self.read(to, size, addr, *space);
            }
            ExprKind::Zero => self.clear(to, size),
            ExprKind::Ctx { offset } => self.copy_context(*offset, to, size),
            ExprKind::MapGet { map, key } => self.copy_entry(*map, key.as_deref(), to, size),
            ExprKind::Ternary(cond, a, b) => {
                self.store_ternary(cond, |l| l.store(a, to, pad), |l| l.store(b, to, pad));
            }
            // The bytes of an integer.
            ExprKind::Cast(of) if of.ty.is_scalar() => {
                let value = self.scalar(of);
                let value = self.operand(value);
                self.f.store(super::scalar_width(&of.ty), to, value);
            }
            ExprKind::Cast(of) => self.store_aggregate(of, to, pad),
            ExprKind::Apply(fun, args) => self.store_applied(fun, args, e, to),
            // A literal of bytes.
            ExprKind::Str(bytes) => {
                let mut bytes = bytes.to_vec();
                bytes.resize(size as usize, 0);
                self.write_bytes(to, &bytes);
            }
            _ => {
                let from = self.place(e);
                self.copy(from, to, size);
            }
        }
    }

    fn store_ternary(&mut self, cond: &Expr, a: impl FnOnce(&mut Self), b: impl FnOnce(&mut Self)) {
        let (els, end) = (self.f.label(), self.f.label());
        self.branch(cond, false, els);
        self.perhaps(a);
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(els));
        self.perhaps(b);
        self.f.push(Op::Label(end));
    }

    /// Writes a string to a place of `cap` bytes; longer text is cut.
    pub(super) fn store_str(&mut self, e: &Expr, to: Place, cap: u32, pad: Pad) {
        let e = self.run_block(e);
        match &e.kind {
            ExprKind::Str(text) => {
                let mut bytes = text.to_vec();
                bytes.truncate(cap as usize - 1);
                bytes.push(0);
                let used = bytes.len().next_multiple_of(8).min(cap as usize);
                bytes.resize(used, 0);
                self.write_bytes(to, &bytes);
                self.pad(to, used as u32, cap, pad);
            }
            ExprKind::Builtin(Builtin::Comm) => {
                let size = cap.min(16);
                // Kernels before 6.4 leave what is behind the name as it was.
                self.pad(to, 0, cap, pad);
                self.f.call_void(Helper::Comm, &[Arg::Addr(to), Arg::Imm(i64::from(size))]);
            }
            ExprKind::ReadStr { addr, len, space } => {
                let addr = self.scalar(addr);
                let size = match len {
                    None => Arg::Imm(i64::from(cap)),
                    Some(len) => {
                        // The helper counts the NUL: n bytes of text need a size of n + 1.
                        let len = self.scalar(len);
                        self.clamped(len, cap - 1, 1)
                    }
                };
                self.pad(to, 0, cap, pad);
                self.read_str(to, size, addr, *space);
            }
            ExprKind::GoStr { addr, len } => self.store_gostr(addr, len, to, cap, pad),
            ExprKind::Load { addr, space } => {
                let addr = self.scalar(addr);
                self.pad(to, 0, cap, pad);
                let size = Arg::Imm(i64::from(cap.min(e.ty.size())));
                self.read_str(to, size, addr, *space);
            }
            ExprKind::Ctx { offset } => {
                let from = Place::from(crate::ir::Func::CTX).at(*offset);
                self.pad(to, 0, cap, pad);
                let size = Arg::Imm(i64::from(cap.min(e.ty.size())));
                self.f.call_void(Helper::ReadKernelStr, &[Arg::Addr(to), size, Arg::Addr(from)]);
            }
            ExprKind::CtxDataLoc { offset } => {
                let addr = self.data_loc(*offset);
                self.pad(to, 0, cap, pad);
                self.read_str(to, Arg::Imm(i64::from(cap)), addr.into(), AddrSpace::Kernel);
            }
            ExprKind::Ternary(cond, a, b) => {
                self.store_ternary(cond, |l| l.store_str(a, to, cap, pad), |l| l.store_str(b, to, cap, pad));
            }
            // The characters of an array, up to the first NUL.
            ExprKind::Cast(of) if matches!(of.ty, Type::Array(..)) => {
                let from = self.place(of);
                let from = self.address(from);
                self.pad(to, 0, cap, pad);
                let size = Arg::Imm(i64::from(cap.min(of.ty.size() + 1)));
                self.f.call_void(Helper::ReadKernelStr, &[Arg::Addr(to), size, Arg::Val(from)]);
            }
            ExprKind::Cast(of) => self.store_str(of, to, cap, pad),
            ExprKind::Apply(fun, args) => self.store_text_of(fun, args, to, cap, pad),
            ExprKind::MapGet { map, key } => {
                let size = cap.min(e.ty.size());
                self.copy_entry(*map, key.as_deref(), to, size);
                self.terminate(to, size, e.ty.size());
                self.pad(to, size, cap, pad);
            }
            _ => {
                let from = self.place(e);
                let size = cap.min(e.ty.size());
                self.copy(from, to, size);
                self.terminate(to, size, e.ty.size());
                self.pad(to, size, cap, pad);
            }
        }
    }

    /// Puts a NUL at the end of text that was copied from a longer string.
    fn terminate(&mut self, to: Place, size: u32, source: u32) {
        if size < source {
            self.f.store(Width::B, to.at(size - 1), Operand::Imm(0));
        }
    }

    /// Clears the bytes from `used` on if they matter.
    pub(super) fn pad(&mut self, to: Place, used: u32, cap: u32, pad: Pad) {
        if pad == Pad::Zero && used < cap {
            self.clear(to.at(used), cap - used);
        }
    }

    /// `min(len, limit) + plus` as a helper argument that the verifier can bound.
    fn clamped(&mut self, len: Value, limit: u32, plus: u32) -> Arg {
        match len {
            Value::Imm(n) => Arg::Imm((n.min(u64::from(limit)) + u64::from(plus)) as i64),
            Value::Val(len) => {
                let len = self.clamp(len, limit);
                Arg::Val(if plus == 0 { len } else { self.f.alu(AluOp::Add, len, Operand::Imm(plus as i32)) })
            }
        }
    }

    /// `min(len, limit)`, unsigned.
    pub(super) fn clamp(&mut self, src: Val, limit: u32) -> Val {
        let dst = self.f.temp();
        self.f.push(Op::Clamp { dst, src, limit });
        dst
    }

    /// Exactly `len` bytes, then a NUL.
    fn store_gostr(&mut self, addr: &Expr, len: &Expr, to: Place, cap: u32, pad: Pad) {
        let (addr, len) = self.header(addr, len);
        self.pad(to, 0, cap, pad);
        match len {
            Value::Imm(n) => {
                let n = n.min(u64::from(cap) - 1) as u32;
                if n > 0 {
                    self.read(to, n, addr, AddrSpace::User);
                }
                self.f.store(Width::B, to.at(n), Operand::Imm(0));
            }
            Value::Val(len) => {
                let len = self.clamp(len, cap - 1);
                self.read_sized(to, Arg::Val(len), addr, AddrSpace::User);
                if pad == Pad::No {
                    let start = self.address(to);
                    let end = self.f.alu(AluOp::Add, start, Operand::Val(len));
                    self.f.store(Width::B, end.into(), Operand::Imm(0));
                }
            }
        }
    }

    fn store_buf(&mut self, addr: &Expr, len: &Expr, space: AddrSpace, ty: &Type, to: Place, pad: Pad) {
        let room = ty.size() - 4;
        let (addr, len) = self.header(addr, len);
        if pad == Pad::Zero {
            self.clear(to, ty.size());
        }
        match len {
            Value::Imm(n) => {
                let n = n.min(u64::from(room)) as u32;
                self.f.store(Width::W, to, Operand::Imm(n as i32));
                if n > 0 {
                    self.read(to.at(4), n, addr, space);
                }
            }
            Value::Val(len) => {
                let len = self.clamp(len, room);
                self.f.store(Width::W, to, Operand::Val(len));
                self.read_sized(to.at(4), Arg::Val(len), addr, space);
            }
        }
    }

    /// Reads `size` bytes of traced memory; zeros when it cannot be read.
    pub(super) fn read(&mut self, to: Place, size: u32, addr: Value, space: AddrSpace) {
        self.read_sized(to, Arg::Imm(i64::from(size)), addr, space);
    }

    pub(super) fn read_sized(&mut self, to: Place, size: Arg, addr: Value, space: AddrSpace) {
        let helper = read_helper(space);
        let addr = arg(addr);
        let status = self.f.call(helper, &[Arg::Addr(to), size, addr]);
        self.check_read(status);
    }

    pub(super) fn read_str(&mut self, to: Place, size: Arg, addr: Value, space: AddrSpace) {
        let helper = match space {
            AddrSpace::User => Helper::ReadUserStr,
            AddrSpace::Kernel => Helper::ReadKernelStr,
        };
        let status = self.f.call(helper, &[Arg::Addr(to), size, arg(addr)]);
        self.check_read(status);
    }

    /// Counts a read that failed.
    fn check_read(&mut self, status: Val) {
        if !self.unit.target.count_read_errors {
            return;
        }
        let ok = self.f.label();
        self.f.branch(Cond::Sge, status, Operand::Imm(0), ok);
        self.count_error(CounterKind::ReadFailed);
        self.f.push(Op::Label(ok));
    }

    /// The address of a place as a value.
    pub(super) fn address(&mut self, place: Place) -> Val {
        let dst = self.f.temp();
        self.f.push(Op::Addr { dst, of: place });
        dst
    }
}

/// The helper that copies bytes from that memory; it clears what it cannot read.
pub(super) fn read_helper(space: AddrSpace) -> Helper {
    match space {
        AddrSpace::User => Helper::ReadUser,
        AddrSpace::Kernel => Helper::ReadKernel,
    }
}

/// A scalar as a helper argument.
pub(super) fn arg(value: Value) -> Arg {
    match value {
        Value::Imm(imm) => Arg::Imm(imm as i64),
        Value::Val(val) => Arg::Val(val),
    }
}

/// Whether the bits above a scalar's width are zeros in its canonical form.
fn zero_extended(ty: &Type) -> bool {
    ty.is_scalar() && !ty.is_signed()
}
