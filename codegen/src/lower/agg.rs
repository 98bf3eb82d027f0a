//! Aggregations: updates of per-CPU values, and reading them inside a script. Layouts: [`crate::layout`].

use super::{Lower, Value};
use crate::Error;
use crate::helper::Helper;
use crate::insn::{AluOp, AtomicOp, Cond, Width};
use crate::ir::{Arg, Label, Op, Operand, Place, Val};
use crate::layout;
use lang::hir::{Agg, Expr, MapId, Series};

/// Tries of a compare-and-exchange. It fails only when another program interrupts this one in between on the same CPU.
const TRIES: u32 = 2;

/// A period of a time series.
struct Period {
    /// The time, in nanoseconds since 1970.
    now: Val,
    /// Its number.
    number: Val,
    /// Its place in the value, and the last one.
    place: Val,
    last: u32,
}

impl Lower<'_, '_> {
    /// `@m[k] = count()` and its like. Updates are atomic although the value is the CPU's own: a program may be interrupted
    /// by another one on the same CPU.
    pub(super) fn update(&mut self, map: MapId, key: Option<&Expr>, agg: Agg, value: Option<&Expr>) {
        let value = match value {
            Some(value) => self.scalar(value),
            None => Value::Imm(1),
        };
        let value = self.val(value);
        let end = self.f.label();
        // The bucket before the entry: its branches then hold no address alive.
        let bucket = match agg {
            Agg::Hist { bits } => Some(self.hist_bucket(value, bits)),
            Agg::Lhist { min, max, step } => Some(self.lhist_bucket(value, min, max, step)),
            _ => None,
        };
        let period = match agg {
            Agg::Tseries { interval, count, .. } => Some(self.period(interval, count)),
            _ => None,
        };
        let entry = self.entry_or_insert(map, key, end);
        match agg {
            Agg::Count => self.atomic_add(entry, value),
            Agg::Sum { .. } => {
                self.atomic_add(entry, value);
                self.f.store(Width::D, entry.at(8), Operand::Imm(1));
            }
            Agg::Avg { .. } | Agg::Stats { .. } => {
                let one = self.f.constant(1);
                self.atomic_add(entry, one);
                self.atomic_add(entry.at(8), value);
            }
            Agg::Max { signed } => {
                let value = self.bias(value, signed);
                self.atomic_max(entry, value);
                self.f.store(Width::D, entry.at(8), Operand::Imm(1));
            }
            Agg::Min { signed } => {
                let value = self.bias(value, signed);
                let value = self.f.alu(AluOp::Xor, value, Operand::Imm(-1));
                self.atomic_max(entry, value);
                self.f.store(Width::D, entry.at(8), Operand::Imm(1));
            }
            Agg::Tseries { .. } => {}
            Agg::Hist { .. } | Agg::Lhist { .. } => {
                if let Some(bucket) = bucket {
                    let last = layout::words(agg) - 1;
                    self.count_bucket(entry, bucket, last);
                }
            }
        }
        if let (Agg::Tseries { of, signed, .. }, Some(period)) = (agg, period) {
            self.account(entry, &period, value, of, signed, end);
        }
        self.f.push(Op::Label(end));
    }

    /// The period of a time series that it is now.
    fn period(&mut self, interval: u64, count: u32) -> Period {
        let boot = self.f.call(Helper::KtimeBootNs, &[]);
        let offset = self.f.operand(self.unit.target.unix_offset);
        let now = self.f.alu(AluOp::Add, boot, offset);
        let interval = self.f.operand(interval);
        let number = self.f.alu(AluOp::Div, now, interval);
        let place = self.f.alu(AluOp::Mod, number, Operand::Imm(count as i32));
        Period { now, number, place, last: count - 1 }
    }

    /// Adds a value to its period, which may begin with it. Not atomic: a program that interrupts this one on its CPU in between is not
    /// accounted.
    fn account(&mut self, entry: Place, period: &Period, value: Val, of: Series, signed: bool, end: Label) {
        let place = self.clamp(period.place, period.last);
        let offset = self.f.alu(AluOp::Mul, place, Operand::Imm(8 * layout::PERIOD_WORDS as i32));
        let start = self.address(entry);
        let at: Place = self.f.alu(AluOp::Add, start, Operand::Val(offset)).into();
        let (known, replace) = (self.f.label(), self.f.label());
        let number = self.f.load(Width::D, at);
        self.f.branch(Cond::Eq, number, Operand::Val(period.number), known);
        self.f.store(Width::D, at, Operand::Val(period.number));
        let beside = if of == Series::Last { Operand::Val(period.now) } else { Operand::Imm(1) };
        self.f.store(Width::D, at.at(16), beside);
        self.f.push(Op::Jump(replace));
        self.f.push(Op::Label(known));
        match of {
            Series::Last => self.f.store(Width::D, at.at(16), Operand::Val(period.now)),
            Series::Sum | Series::Avg => {
                let one = self.f.constant(1);
                self.atomic_add(at.at(8), value);
                self.atomic_add(at.at(16), one);
                self.f.push(Op::Jump(end));
            }
            Series::Min | Series::Max => {
                let old = self.f.load(Width::D, at.at(8));
                let stays = match (of, signed) {
                    (Series::Min, true) => Cond::Sle,
                    (Series::Min, false) => Cond::Le,
                    (_, true) => Cond::Sge,
                    (_, false) => Cond::Ge,
                };
                self.f.branch(stays, old, Operand::Val(value), end);
            }
        }
        self.f.push(Op::Label(replace));
        self.f.store(Width::D, at.at(8), Operand::Val(value));
    }

    fn atomic_add(&mut self, on: Place, src: Val) {
        self.f.push(Op::Atomic { op: AtomicOp::Add, on, src, old: None });
    }

    /// [`layout::bias`]
    fn bias(&mut self, value: Val, signed: bool) -> Val {
        if !signed {
            return value;
        }
        let sign = self.f.operand(1 << 63);
        self.f.alu(AluOp::Xor, value, sign)
    }

    fn atomic_max(&mut self, on: Place, new: Val) {
        let done = self.f.label();
        if !self.unit.target.atomic_fetch {
            let old = self.f.load(Width::D, on);
            self.f.branch(Cond::Le, new, Operand::Val(old), done);
            self.f.store(Width::D, on, Operand::Val(new));
            self.f.push(Op::Label(done));
            return;
        }
        for _ in 0..TRIES {
            let expected = self.f.load(Width::D, on);
            self.f.branch(Cond::Le, new, Operand::Val(expected), done);
            let old = self.f.temp();
            self.f.push(Op::CmpXchg { on, expected, new, old });
            self.f.branch(Cond::Eq, old, Operand::Val(expected), done);
        }
        self.f.push(Op::Label(done));
    }

    fn count_bucket(&mut self, entry: Place, bucket: Val, last: u32) {
        // The verifier cannot follow the bucket's arithmetic; the bound says what holds anyway.
        let index = self.clamp(bucket, last);
        let offset = self.f.alu(AluOp::Lsh, index, Operand::Imm(3));
        let start = self.address(entry);
        let at = self.f.alu(AluOp::Add, start, Operand::Val(offset));
        let one = self.f.constant(1);
        self.atomic_add(at.into(), one);
    }

    /// [`layout::hist_bucket`]
    fn hist_bucket(&mut self, value: Val, bits: u8) -> Val {
        let bucket = self.f.var();
        let (end, small) = (self.f.label(), self.f.label());
        self.f.push(Op::Const { dst: bucket, value: 0 });
        self.f.branch(Cond::Slt, value, Operand::Imm(0), end);
        self.f.branch(Cond::Lt, value, Operand::Imm(1 << bits), small);

        // Binary search for the highest bit, on the value shifted so that the bucket's own bits stay below it.
        let rest = self.f.var();
        let shift = self.f.var();
        self.f.push(Op::Copy { dst: rest, src: value });
        self.f.push(Op::Const { dst: shift, value: 0 });
        for step in [32u8, 16, 8, 4, 2, 1] {
            let below = self.f.label();
            let limit = 1u64 << (step + bits);
            let limit = self.f.operand(limit);
            self.f.branch(Cond::Lt, rest, limit, below);
            self.f.push(Op::Alu { op: AluOp::Rsh, dst: rest, a: rest, b: Operand::Imm(i32::from(step)) });
            self.f.push(Op::Alu { op: AluOp::Add, dst: shift, a: shift, b: Operand::Imm(i32::from(step)) });
            self.f.push(Op::Label(below));
        }
        // rest is value >> shift with its highest bit at `bits`: 1 + ((shift + 1) << bits) + (rest - (1 << bits)).
        let row = self.f.alu(AluOp::Lsh, shift, Operand::Imm(i32::from(bits)));
        let sum = self.f.alu(AluOp::Add, row, Operand::Val(rest));
        self.f.push(Op::Alu { op: AluOp::Add, dst: bucket, a: sum, b: Operand::Imm(1) });
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(small));
        self.f.push(Op::Alu { op: AluOp::Add, dst: bucket, a: value, b: Operand::Imm(1) });
        self.f.push(Op::Label(end));
        bucket
    }

    /// [`layout::lhist_bucket`]
    fn lhist_bucket(&mut self, value: Val, min: i64, max: i64, step: i64) -> Val {
        let bucket = self.f.var();
        let (end, over) = (self.f.label(), self.f.label());
        self.f.push(Op::Const { dst: bucket, value: 0 });
        let low = self.f.operand(min as u64);
        self.f.branch(Cond::Slt, value, low, end);
        let high = self.f.operand(max as u64);
        self.f.branch(Cond::Sge, value, high, over);
        let from = self.f.alu(AluOp::Sub, value, low);
        let width = self.f.operand(step as u64);
        let steps = self.f.alu(AluOp::Div, from, width);
        self.f.push(Op::Alu { op: AluOp::Add, dst: bucket, a: steps, b: Operand::Imm(1) });
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(over));
        let last = layout::lhist_buckets(min, max, step) - 1;
        self.f.push(Op::Const { dst: bucket, value: u64::from(last) });
        self.f.push(Op::Label(end));
        bucket
    }

    /// The merged value of an aggregation over all CPUs, at this moment.
    pub(super) fn read_aggregate(&mut self, map: MapId, key: Option<&Expr>, agg: Agg) -> Value {
        let key = self.key(map, key);
        self.read_parts(map, key, agg)
    }

    /// The merged value of the entry whose key is in memory.
    pub(super) fn read_parts(&mut self, map: MapId, key: Place, agg: Agg) -> Value {
        let (first, second) = (self.f.var(), self.f.var());
        for dst in [first, second] {
            self.f.push(Op::Const { dst, value: 0 });
        }
        self.each_cpu(map, key, |lower, part| {
            let word = lower.f.load(Width::D, part);
            if let Agg::Min { .. } | Agg::Max { .. } = agg {
                let known = lower.f.load(Width::D, part.at(8));
                lower.f.push(Op::Alu { op: AluOp::Or, dst: second, a: second, b: Operand::Val(known) });
                let next = lower.f.label();
                lower.f.branch(Cond::Le, word, Operand::Val(first), next);
                lower.f.push(Op::Copy { dst: first, src: word });
                return lower.f.push(Op::Label(next));
            }
            lower.f.push(Op::Alu { op: AluOp::Add, dst: first, a: first, b: Operand::Val(word) });
            if let Agg::Avg { .. } | Agg::Stats { .. } = agg {
                let sum = lower.f.load(Width::D, part.at(8));
                lower.f.push(Op::Alu { op: AluOp::Add, dst: second, a: second, b: Operand::Val(sum) });
            }
        });
        self.merged(agg, first, second)
    }

    /// A loop over the parts that the CPUs have of a per-CPU value; none if there is no such key.
    pub(super) fn each_cpu(&mut self, map: MapId, key: Place, body: impl FnOnce(&mut Self, Place)) {
        if !self.unit.target.percpu_lookup {
            let error = Error::new(self.span, "this kernel cannot read an aggregation inside a script")
                .help("Linux 5.19 or newer can; a plain `@x++` or `@x += n` can be read everywhere");
            self.fail(error);
        }
        let cpu = self.f.var();
        self.f.push(Op::Const { dst: cpu, value: 0 });
        let done = self.f.label();
        let head = self.f.loop_label();
        self.f.push(Op::Label(head));
        let args = [Arg::Map(self.map_ref(map)), Arg::Addr(key), Arg::Val(cpu)];
        let part = self.f.call(Helper::MapLookupPercpu, &args);
        self.f.branch(Cond::Eq, part, Operand::Imm(0), done);
        body(self, part.into());
        self.f.push(Op::Alu { op: AluOp::Add, dst: cpu, a: cpu, b: Operand::Imm(1) });
        self.f.branch(Cond::Lt, cpu, Operand::Imm(self.unit.target.cpus as i32), head);
        self.f.push(Op::Label(done));
    }

    fn merged(&mut self, agg: Agg, first: Val, second: Val) -> Value {
        let result = self.f.var();
        let end = self.f.label();
        self.f.push(Op::Const { dst: result, value: 0 });
        // Nothing was ever accounted: 0.
        let known = if let Agg::Min { .. } | Agg::Max { .. } = agg { second } else { first };
        self.f.branch(Cond::Eq, known, Operand::Imm(0), end);
        let value = match agg {
            Agg::Min { signed } => {
                let biased = self.f.alu(AluOp::Xor, first, Operand::Imm(-1));
                self.bias(biased, signed)
            }
            Agg::Max { signed } => self.bias(first, signed),
            Agg::Avg { signed } | Agg::Stats { signed } => self.quotient(second, first, signed),
            _ => self.copy_of(first),
        };
        self.f.push(Op::Copy { dst: result, src: value });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }
}
