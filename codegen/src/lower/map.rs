//! Maps: keys, reading, writing, deleting.

use super::string::Pad;
use super::{Lower, Value};
use crate::helper::{Callee, Helper};
use crate::insn::{AluOp, AtomicOp, Cond, Width};
use crate::ir::{Arg, Label, MapRef, Op, Operand, Place, Val};
use crate::layout;
use crate::object::CounterKind;
use lang::hir::{Expr, ExprKind, MapId, MapValue};
use lang::types::Type;

/// `BPF_NOEXIST`: only if there is no such key yet.
const NO_EXIST: i64 = 1;

impl Lower<'_, '_> {
    pub(super) fn map_ref(&self, map: MapId) -> MapRef {
        MapRef(self.unit.user_maps[map.0 as usize].map as u32)
    }

    fn map_value(&self, map: MapId) -> &MapValue {
        &self.unit.user_maps[map.0 as usize].value
    }

    /// Whether the map is one plain value in global data, which needs no look-up.
    fn is_global(&self, map: MapId) -> bool {
        let map = &self.unit.user_maps[map.0 as usize];
        map.key.is_none() && matches!(map.value, MapValue::Plain(_))
    }

    /// Address of the value of a global.
    fn global_value(&mut self, map: MapId) -> Val {
        let map = self.map_ref(map);
        let dst = self.f.temp();
        self.f.push(Op::MapAddr { dst, map, offset: 0 });
        dst
    }

    /// Marks a global as set: until then it is not printed at the end of the run.
    fn mark_set(&mut self, map: MapId, value: Place) {
        let size = layout::value_size(self.map_value(map));
        self.f.store(Width::D, value.at(size), Operand::Imm(1));
    }

    /// The key in memory, all bytes defined.
    pub(super) fn key(&mut self, map: MapId, key: Option<&Expr>) -> Place {
        let Some(key) = key else {
            let place: Place = self.f.slot(4).into();
            self.f.store(Width::W, place, Operand::Imm(0));
            return place;
        };
        let ty = self.unit.user_maps[map.0 as usize].key.clone().unwrap_or_else(|| key.ty.clone());
        let size = layout::key_size(Some(&ty));
        if let ExprKind::Var(_) = key.kind
            && key.ty == ty
            && !ty.is_scalar()
            && ty.size() == size
        {
            return self.place(key);
        }
        if ty.is_scalar() {
            // A whole word: the bytes above a narrow key are part of the key and must not depend on its sign.
            let value = self.scalar(key);
            let value = match ty.integer() {
                Some((bits, true)) if bits < 64 => {
                    let unsigned = Type::Int { bits, signed: false };
                    self.convert(value, &ty, &unsigned)
                }
                _ => value,
            };
            let place: Place = self.f.slot(8).into();
            let value = self.operand(value);
            self.f.store(Width::D, place, value);
            return place;
        }
        let place = self.memory(size);
        self.store_as(key, &ty, place, Pad::Zero);
        let used = ty.size();
        self.clear(place.at(used), size - used);
        place
    }

    /// Address of the value under a key in memory; may be null.
    pub(super) fn lookup(&mut self, map: MapId, key: Place) -> Val {
        let map = self.map_ref(map);
        self.f.call(Helper::MapLookup, &[Arg::Map(map), Arg::Addr(key)])
    }

    /// Address of an entry, jumping to `missing` if there is none.
    fn entry(&mut self, map: MapId, key: Option<&Expr>, missing: Label) -> Place {
        if self.is_global(map) {
            return self.global_value(map).into();
        }
        let key = self.key(map, key);
        let entry = self.lookup(map, key);
        self.f.branch(Cond::Eq, entry, Operand::Imm(0), missing);
        entry.into()
    }

    /// Address of the value of an entry of plain values; 0 when there is none.
    pub(super) fn entry_address(&mut self, map: MapId, key: Option<&Expr>) -> Val {
        if self.is_global(map) {
            return self.global_value(map);
        }
        let key = self.key(map, key);
        self.lookup(map, key)
    }

    /// The value of an entry that fits a register; 0 when there is none.
    pub(super) fn get(&mut self, map: MapId, key: Option<&Expr>, ty: &Type) -> Value {
        let stored = match self.map_value(map) {
            MapValue::Plain(stored) => stored.clone(),
            MapValue::Agg(agg) => {
                let agg = *agg;
                return self.read_aggregate(map, key, agg);
            }
        };
        if self.is_global(map) {
            let from = self.global_value(map);
            return self.load_scalar(&stored, from.into()).into();
        }
        if let Some(value) = key.and_then(|key| self.read_before(map, key, ty)) {
            return value.into();
        }
        let result = self.f.var();
        self.f.push(Op::Const { dst: result, value: 0 });
        let end = self.f.label();
        let from = self.entry(map, key, end);
        let value = self.load_scalar(ty, from);
        self.f.push(Op::Copy { dst: result, src: value });
        self.f.push(Op::Label(end));
        let value = self.copy_of(result);
        if let Some(key) = key {
            self.note_read(map, key, ty, value);
        }
        value.into()
    }

    /// The value of an entry that does not fit a register; zeros when there is none.
    pub(super) fn copy_entry(&mut self, map: MapId, key: Option<&Expr>, to: Place, size: u32) {
        let (missing, end) = (self.f.label(), self.f.label());
        let from = self.entry(map, key, missing);
        self.copy(from, to, size);
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(missing));
        self.clear(to, size);
        self.f.push(Op::Label(end));
    }

    pub(super) fn has_key(&mut self, map: MapId, key: &Expr) -> Value {
        let result = self.f.var();
        self.f.push(Op::Const { dst: result, value: 0 });
        let end = self.f.label();
        self.entry(map, Some(key), end);
        self.f.push(Op::Const { dst: result, value: 1 });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }

    pub(super) fn delete(&mut self, map: MapId, key: Option<&Expr>) -> Value {
        let Some(key) = key else {
            self.delete_scalar(map);
            return Value::Imm(1);
        };
        let key = self.key(map, Some(key));
        self.forget_reads_of(map);
        let map = self.map_ref(map);
        let status = self.f.call(Helper::MapDelete, &[Arg::Map(map), Arg::Addr(key)]);
        let result = self.f.var();
        self.f.push(Op::Const { dst: result, value: 0 });
        let end = self.f.label();
        self.f.branch(Cond::Ne, status, Operand::Imm(0), end);
        self.f.push(Op::Const { dst: result, value: 1 });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }

    /// The one entry of an array cannot be removed: it becomes zero, and a global counts as not set.
    fn delete_scalar(&mut self, map: MapId) {
        let size = layout::value_size(self.map_value(map));
        if self.is_global(map) {
            let value = self.global_value(map).into();
            return self.clear(value, size + 8);
        }
        let key = self.key(map, None);
        self.each_cpu(map, key, |lower, part| lower.clear(part, size));
    }

    pub(super) fn map_len(&mut self, map: MapId) -> Value {
        if self.unit.user_maps[map.0 as usize].key.is_none() {
            return Value::Imm(1);
        }
        let Some(id) = self.unit.target.map_count else { return self.count_entries(map).into() };
        let map = self.map_ref(map);
        let callee = Callee::Kfunc { name: "map_sum_elem_count", id };
        self.f.call(callee, &[Arg::Map(map)]).into()
    }

    /// `@m[k] = value`
    pub(super) fn set(&mut self, map: MapId, key: Option<&Expr>, value: &Expr) {
        let MapValue::Plain(ty) = self.map_value(map).clone() else { return };
        if self.is_global(map) {
            return self.set_global(map, value, &ty);
        }
        // The value first: it may read the map under another key.
        let from = self.value_in_memory(value, &ty);
        let key = self.key(map, key);
        let map_ref = self.map_ref(map);
        let status = self
            .f
            .call(Helper::MapUpdate, &[Arg::Map(map_ref), Arg::Addr(key), Arg::Addr(from), Arg::Imm(0)]);
        self.check_update(map, status);
        self.forget_reads_of(map);
    }

    fn set_global(&mut self, map: MapId, value: &Expr, ty: &Type) {
        let to: Place = if ty.is_scalar() {
            let scalar = self.scalar(value);
            let scalar = self.operand(scalar);
            let to = self.global_value(map).into();
            self.f.store(super::scalar_width(ty), to, scalar);
            to
        } else if touches_map(value, map) {
            // `@s = @c ? @s : "x"` reads what it writes.
            let from = self.value_in_memory(value, ty);
            let to = self.global_value(map).into();
            self.copy(from, to, ty.size());
            to
        } else {
            let to = self.global_value(map).into();
            self.store_as(value, ty, to, Pad::Zero);
            to
        };
        self.mark_set(map, to);
    }

    /// Counts an entry that there was no room for.
    fn count_full(&mut self, map: MapId) {
        let declared = self.unit.user_maps[map.0 as usize].declared;
        self.count_error(if declared { CounterKind::DeclaredMapFull } else { CounterKind::MapFull });
    }

    fn check_update(&mut self, map: MapId, status: Val) {
        let ok = self.f.label();
        self.f.branch(Cond::Eq, status, Operand::Imm(0), ok);
        self.count_full(map);
        self.f.push(Op::Label(ok));
    }

    fn value_in_memory(&mut self, value: &Expr, ty: &Type) -> Place {
        let size = layout::value_size(&MapValue::Plain(ty.clone()));
        if ty.is_scalar() {
            let scalar = self.scalar(value);
            let scalar = self.operand(scalar);
            let place: Place = self.f.slot(8).into();
            self.f.store(Width::D, place, scalar);
            return place;
        }
        if let ExprKind::Var(_) = value.kind
            && value.ty == *ty
            && ty.size() == size
        {
            return self.place(value);
        }
        let place = self.memory(size);
        self.store_as(value, ty, place, Pad::Zero);
        self.clear(place.at(ty.size()), size - ty.size());
        place
    }

    /// Address of an entry of a map, which is made with zeros if it is missing; jumps to `failed` when the map is full.
    pub(super) fn entry_or_insert(&mut self, map: MapId, key: Option<&Expr>, failed: Label) -> Place {
        if self.is_global(map) {
            let value = self.global_value(map).into();
            self.mark_set(map, value);
            return value;
        }
        let keyed = key.is_some();
        let key = self.key(map, key);
        // Who asks for the entry changes it.
        self.forget_reads_of(map);
        if !keyed {
            let entry = self.lookup(map, key);
            self.f.branch(Cond::Eq, entry, Operand::Imm(0), failed);
            return entry.into();
        }
        let entry = self.f.var();
        let (have, full) = (self.f.label(), self.f.label());
        let found = self.lookup(map, key);
        self.f.push(Op::Copy { dst: entry, src: found });
        self.f.branch(Cond::Ne, entry, Operand::Imm(0), have);
        let size = layout::value_size(self.map_value(map));
        let zeros = self.zeros(size, full);
        let reference = self.map_ref(map);
        // Another CPU may have inserted the key meanwhile: then this fails, and the second look-up finds its entry.
        let args = [Arg::Map(reference), Arg::Addr(key), Arg::Addr(zeros), Arg::Imm(NO_EXIST)];
        self.f.call_void(Helper::MapUpdate, &args);
        let found = self.lookup(map, key);
        self.f.push(Op::Copy { dst: entry, src: found });
        self.f.branch(Cond::Ne, entry, Operand::Imm(0), have);
        self.f.push(Op::Label(full));
        self.count_full(map);
        self.f.push(Op::Jump(failed));
        self.f.push(Op::Label(have));
        entry.into()
    }

    /// Memory with `size` zero bytes.
    fn zeros(&mut self, size: u32, failed: Label) -> Place {
        if size <= 64 {
            let place: Place = self.f.slot(size).into();
            self.clear(place, size);
            return place;
        }
        let map = MapRef(self.unit.zeros(size) as u32);
        let key: Place = self.f.slot(4).into();
        self.f.store(Width::W, key, Operand::Imm(0));
        let zeros = self.f.call(Helper::MapLookup, &[Arg::Map(map), Arg::Addr(key)]);
        self.f.branch(Cond::Eq, zeros, Operand::Imm(0), failed);
        zeros.into()
    }

    /// `@m[k] += delta` of a 64-bit integer.
    pub(super) fn add(&mut self, map: MapId, key: Option<&Expr>, delta: &Expr) {
        let delta = self.scalar(delta);
        let delta = self.val(delta);
        let end = self.f.label();
        let entry = self.entry_or_insert(map, key, end);
        self.f.push(Op::Atomic { op: AtomicOp::Add, on: entry, src: delta, old: None });
        self.f.push(Op::Label(end));
    }

    /// `@m[k]++` as an expression.
    pub(super) fn inc_map(&mut self, map: MapId, key: Option<&Expr>, delta: i64, prefix: bool) -> Value {
        let result = self.f.var();
        self.f.push(Op::Const { dst: result, value: 0 });
        let delta = self.f.constant(delta as u64);
        let end = self.f.label();
        let entry = self.entry_or_insert(map, key, end);
        let old = if self.unit.target.atomic_fetch {
            let old = self.f.temp();
            self.f.push(Op::Atomic { op: AtomicOp::FetchAdd, on: entry, src: delta, old: Some(old) });
            old
        } else {
            // Nothing is lost in the map, but two CPUs can be told the same value.
            let old = self.f.load(Width::D, entry);
            self.f.push(Op::Atomic { op: AtomicOp::Add, on: entry, src: delta, old: None });
            old
        };
        let value = if prefix { self.f.alu(AluOp::Add, old, Operand::Val(delta)) } else { old };
        self.f.push(Op::Copy { dst: result, src: value });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }
}

/// Whether an expression reads or changes a map.
fn touches_map(e: &Expr, map: MapId) -> bool {
    let mut found = false;
    e.visit(&mut |e| {
        found |= match e.kind {
            ExprKind::MapGet { map: m, .. } | ExprKind::Delete { map: m, .. } => m == map,
            _ => false,
        };
    });
    found
}
