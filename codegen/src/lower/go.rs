//! Values of Go programs: copies of values with all that they refer to, and times.
//!
//! A copy ([`lang::gocopy::GoCopy`]) is filled in depth first: the bytes of the value, then what each part refers to. Behind a nil
//! pointer or the end of a slice nothing is read, so the way round is one jump. What cannot be read becomes zeros, and so leads nowhere.

use super::string::Pad;
use super::{Lower, Value};
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Op, Operand, Place};
use lang::gocopy::{GoCopy, ITAB_TYPE, Kind, NodeId, TYPE_KIND_WORD, time};
use lang::hir::{CopyPart, CopySource, Expr};
use lang::types::{AddrSpace, Type};

/// The kind of a string (`reflect.String`, internal/abi/type.go of the Go source) and the bits of the kind byte that are the kind.
const STRING_KIND: i32 = 24;
const KIND_MASK: i32 = 31;

impl Lower<'_, '_> {
    /// Writes a Go value and what it refers to.
    pub(super) fn store_go(&mut self, parts: &[CopyPart], ty: &Type, to: Place, pad: Pad) {
        let Type::GoCopy(copy) = ty else { return };
        if pad == Pad::Zero {
            self.clear(to, copy.size);
        }
        for part in parts {
            let to = to.at(part.at);
            match &part.from {
                CopySource::Memory(address) => {
                    let address = self.scalar(address);
                    self.read(to, part.size, address, AddrSpace::User);
                }
                CopySource::Value(value) => {
                    let value = self.scalar(value);
                    let value = self.operand(value);
                    if let Some(width) = Width::of(part.size) {
                        self.f.store(width, to, value);
                    }
                }
            }
        }
        if copy.has_names() {
            // Needed on some of the ways, so known on all of them.
            self.tgid();
        }
        self.perhaps(|lower| lower.follow_part(copy, 0, to));
    }

    /// Copies what a part of a value refers to.
    fn follow_part(&mut self, copy: &GoCopy, node: NodeId, base: Place) {
        let Some(node) = copy.nodes.get(node) else { return };
        let at = base.at(node.at);
        let end = self.f.label();
        match &node.kind {
            Kind::Plain(_)
            | Kind::Bits(..)
            | Kind::Complex(_)
            | Kind::Time
            | Kind::Unreadable
            | Kind::Cut => return,
            Kind::Struct(fields) => {
                return fields.iter().for_each(|(_, field)| self.follow_part(copy, *field, base));
            }
            Kind::Array { elements, .. } => {
                return elements.iter().for_each(|element| self.follow_part(copy, *element, base));
            }
            Kind::Text { to, room } | Kind::Bytes { to, room } => {
                if *room == 0 {
                    return;
                }
                let len = self.f.load(Width::D, at.at(8));
                self.f.branch(Cond::Eq, len, Operand::Imm(0), end);
                let address = self.f.load(Width::D, at);
                let len = self.clamp(len, *room);
                self.read_sized(base.at(*to), Arg::Val(len), address.into(), AddrSpace::User);
            }
            Kind::Slice { to, stride, elements } => {
                if elements.is_empty() {
                    return;
                }
                let len = self.f.load(Width::D, at.at(8));
                self.f.branch(Cond::Eq, len, Operand::Imm(0), end);
                let address = self.f.load(Width::D, at);
                let shown = self.clamp(len, elements.len() as u32);
                let bytes = self.f.alu(AluOp::Mul, shown, Operand::Imm(*stride as i32));
                let bytes = self.clamp(bytes, *stride * elements.len() as u32);
                self.read_sized(base.at(*to), Arg::Val(bytes), address.into(), AddrSpace::User);
                for (n, element) in elements.iter().enumerate() {
                    if self.refers(copy, *element) {
                        // The length again, from where it lies: a register kept for so long is one that others lack.
                        let len = self.f.load(Width::D, at.at(8));
                        self.f.branch(Cond::Le, len, Operand::Imm(n as i32), end);
                        self.follow_part(copy, *element, base);
                    }
                }
            }
            Kind::Pointer { target, size } => {
                let address = self.f.load(Width::D, at);
                self.f.branch(Cond::Eq, address, Operand::Imm(0), end);
                if let Some(there) = copy.nodes.get(*target) {
                    self.read(base.at(there.at), *size, address.into(), AddrSpace::User);
                    self.follow_part(copy, *target, base);
                }
            }
            Kind::Container { to, channel } => {
                let address = self.f.load(Width::D, at);
                self.f.branch(Cond::Eq, address, Operand::Imm(0), end);
                let size = if *channel { 16 } else { 8 };
                self.read(base.at(*to), size, address.into(), AddrSpace::User);
            }
            Kind::Map(map) => {
                let address = self.f.load(Width::D, at);
                self.f.branch(Cond::Eq, address, Operand::Imm(0), end);
                self.copy_go_map(map, at, base);
                for (n, (key, element)) in map.entries.iter().enumerate() {
                    if self.refers(copy, *key) || self.refers(copy, *element) {
                        let copied = self.f.load(Width::D, base.at(map.to + 8));
                        self.f.branch(Cond::Le, copied, Operand::Imm(n as i32), end);
                        self.follow_part(copy, *key, base);
                        self.follow_part(copy, *element, base);
                    }
                }
            }
            Kind::Func { to } => {
                let address = self.f.load(Width::D, at);
                self.f.branch(Cond::Eq, address, Operand::Imm(0), end);
                self.read(base.at(*to), 8, address.into(), AddrSpace::User);
                let pid = self.tgid();
                self.f.store(Width::D, base.at(*to + 8), Operand::Val(pid));
            }
            Kind::Interface { to, methods, room } => {
                let word = self.f.load(Width::D, at);
                self.f.branch(Cond::Eq, word, Operand::Imm(0), end);
                self.follow_interface(at, base.at(*to), *methods, *room);
            }
        }
        self.f.push(Op::Label(end));
    }

    /// Whether following a part leads to a read.
    fn refers(&self, copy: &GoCopy, node: NodeId) -> bool {
        match copy.nodes.get(node).map(|node| &node.kind) {
            None
            | Some(
                Kind::Plain(_)
                | Kind::Bits(..)
                | Kind::Complex(_)
                | Kind::Time
                | Kind::Unreadable
                | Kind::Cut,
            ) => false,
            Some(Kind::Struct(fields)) => fields.iter().any(|(_, field)| self.refers(copy, *field)),
            Some(Kind::Array { elements, .. }) => elements.iter().any(|e| self.refers(copy, *e)),
            Some(_) => true,
        }
    }

    /// The type in an interface, and the value as far as it is a number or a string. See [`lang::gocopy::INTERFACE_SIZE`].
    fn follow_interface(&mut self, at: Place, to: Place, methods: bool, room: u32) {
        let word = self.f.load(Width::D, at);
        if methods {
            let there = self.f.alu(AluOp::Add, word, Operand::Imm(ITAB_TYPE as i32));
            self.read(to, 8, there.into(), AddrSpace::User);
        } else {
            self.f.store(Width::D, to, Operand::Val(word));
        }
        let ty = self.f.load(Width::D, to);
        let there = self.f.alu(AluOp::Add, ty, Operand::Imm(TYPE_KIND_WORD as i32));
        self.read(to.at(8), 8, there.into(), AddrSpace::User);
        let pid = self.tgid();
        self.f.store(Width::D, to.at(32), Operand::Val(pid));
        let end = self.f.label();
        let data = self.f.load(Width::D, at.at(8));
        self.f.branch(Cond::Eq, data, Operand::Imm(0), end);
        // Behind the smallest of values there may be nothing that could be read.
        let word = self.f.load(Width::B, to.at(15));
        let kind = self.f.alu(AluOp::And, word, Operand::Imm(KIND_MASK));
        let text = self.f.label();
        self.f.branch(Cond::Eq, kind, Operand::Imm(STRING_KIND), text);
        self.read(to.at(16), 8, data.into(), AddrSpace::User);
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(text));
        self.read(to.at(16), 16, data.into(), AddrSpace::User);
        let len = self.f.load(Width::D, to.at(24));
        self.f.branch(Cond::Eq, len, Operand::Imm(0), end);
        let address = self.f.load(Width::D, to.at(16));
        let len = self.clamp(len, room);
        self.read_sized(to.at(lang::gocopy::INTERFACE_SIZE), Arg::Val(len), address.into(), AddrSpace::User);
        self.f.push(Op::Label(end));
    }

    /// A `time.Time` in nanoseconds since 1970.
    pub(super) fn go_time(&mut self, wall: &Expr, ext: &Expr) -> Value {
        let (wall, ext) = (self.scalar(wall), self.scalar(ext));
        let (wall, ext) = (self.val(wall), self.val(ext));
        let seconds = self.f.var();
        let result = self.f.var();
        let (internal, known, end) = (self.f.label(), self.f.label(), self.f.label());
        self.f.branch(Cond::Sge, wall, Operand::Imm(0), internal);
        let shifted = self.f.alu(AluOp::Lsh, wall, Operand::Imm(1));
        let since_1885 = self.f.alu(AluOp::Rsh, shifted, Operand::Imm(31));
        let epoch = self.f.operand(time::WALL_EPOCH as u64);
        let unix = self.f.alu(AluOp::Sub, since_1885, epoch);
        self.f.push(Op::Copy { dst: seconds, src: unix });
        self.f.push(Op::Jump(known));
        self.f.push(Op::Label(internal));
        let epoch = self.f.operand(time::UNIX_EPOCH as u64);
        let unix = self.f.alu(AluOp::Sub, ext, epoch);
        self.f.push(Op::Copy { dst: seconds, src: unix });
        self.f.push(Op::Label(known));
        let seconds = self.copy_of(seconds);
        for (limit, cond, value) in
            [(time::MOST_SECONDS, Cond::Sgt, time::AFTER), (-time::MOST_SECONDS, Cond::Slt, time::BEFORE)]
        {
            self.f.push(Op::Const { dst: result, value: value as u64 });
            let limit = self.f.operand(limit as u64);
            self.f.branch(cond, seconds, limit, end);
        }
        let nanos = self.f.alu(AluOp::And, wall, Operand::Imm(time::NANOS as i32));
        let whole = self.f.alu(AluOp::Mul, seconds, Operand::Imm(1_000_000_000));
        let sum = self.f.alu(AluOp::Add, whole, Operand::Val(nanos));
        self.f.push(Op::Copy { dst: result, src: sum });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }
}
