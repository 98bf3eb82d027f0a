//! Expressions whose value fits a register, and conditions as control flow.

use super::string::arg;
use super::{Home, Lower, Value};
use crate::helper::{Callee, Helper};
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Label, Op, Operand, Place, Val};
use crate::object::CounterKind;
use crate::target::ReadOnlyCast;
use lang::hir::{BinOp, Expr, ExprKind, LogicOp, UnOp};
use lang::types::{AddrSpace, Type};

impl Lower<'_, '_> {
    /// The value of a scalar expression in canonical form.
    pub(super) fn scalar(&mut self, e: &Expr) -> Value {
        // Run-time errors are told at the innermost expression.
        let outer = std::mem::replace(&mut self.span, e.span);
        let value = self.scalar_kind(e);
        self.span = outer;
        value
    }

    fn scalar_kind(&mut self, e: &Expr) -> Value {
        match &e.kind {
            ExprKind::Int(value) => Value::Imm(*value),
            ExprKind::Var(var) => match self.vars[var.0 as usize] {
                // A copy: the variable may be assigned before the value is used.
                Home::Register(var) => self.copy_of(var).into(),
                Home::Memory(place) => self.load_scalar(&e.ty, place).into(),
            },
            ExprKind::MapGet { map, key } => self.get(*map, key.as_deref(), &e.ty),
            ExprKind::HasKey { map, key } => self.has_key(*map, key),
            ExprKind::Delete { map, key } => self.delete(*map, key.as_deref()),
            ExprKind::MapLen(map) => self.map_len(*map),
            ExprKind::StackLen(stack) => {
                let Type::Stack { limit, .. } = stack.ty else { return self.unavailable(e, "a stack") };
                let place = self.place(stack);
                self.stack_length(place, limit).into()
            }
            ExprKind::Unary(op, of) => self.unary(*op, of, e),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, e),
            ExprKind::Logical(..) => self.condition_value(e),
            ExprKind::Ternary(cond, a, b) => {
                let result = self.f.var();
                let (els, end) = (self.f.label(), self.f.label());
                self.branch(cond, false, els);
                let value = self.perhaps(|l| l.scalar(a));
                self.assign(result, value);
                self.f.push(Op::Jump(end));
                self.f.push(Op::Label(els));
                let value = self.perhaps(|l| l.scalar(b));
                self.assign(result, value);
                self.f.push(Op::Label(end));
                self.copy_of(result).into()
            }
            ExprKind::Cast(of) => self.cast(of, &e.ty),
            ExprKind::VarAddr(var) => match self.vars[var.0 as usize] {
                Home::Memory(place) => {
                    let address = self.address(place);
                    self.plain_number(address).into()
                }
                Home::Register(_) => {
                    self.fail(crate::Error::new(e.span, "a variable in a register has no address"))
                }
            },
            ExprKind::EntryAddr { map, key } => {
                let address = self.entry_address(*map, key.as_deref());
                self.plain_number(address).into()
            }
            ExprKind::IncVar { var, delta, prefix } => self.inc_var(*var, *delta, *prefix, &e.ty),
            ExprKind::IncMap { map, key, delta, prefix } => {
                self.inc_map(*map, key.as_deref(), *delta, *prefix)
            }
            ExprKind::Member(of, n) => {
                let offset = of.ty.member_offsets().get(*n as usize).copied().unwrap_or(0);
                if let ExprKind::Tuple(members) = &of.kind
                    && let Some(member) = members.get(*n as usize)
                    && !of.has_effects()
                {
                    return self.scalar(member);
                }
                let place = self.place(of);
                self.load_scalar(&e.ty, place.at(offset)).into()
            }
            ExprKind::Part { .. } | ExprKind::Element { .. } => {
                let place = self.place(e);
                self.load_scalar(&e.ty, place).into()
            }
            ExprKind::Load { addr, space } => self.read_scalar(e, addr, *space),
            ExprKind::Ctx { offset } => self.load_context(&e.ty, *offset).into(),
            ExprKind::CtxDataLoc { offset } => self.data_loc(*offset).into(),
            ExprKind::Builtin(builtin) => self.builtin(builtin, e),
            ExprKind::Symbol(addr) => self.scalar(addr),
            ExprKind::Block(stmts, value) => {
                self.block(stmts);
                self.scalar(value)
            }
            ExprKind::Apply(fun, args) => self.apply(fun, args, e),
            ExprKind::Call(sub, args) => self.call_for_scalar(*sub, args, &e.ty),
            ExprKind::GoTime { wall, ext } => self.go_time(wall, ext),
            ExprKind::Zero
            | ExprKind::Str(_)
            | ExprKind::Tuple(_)
            | ExprKind::ReadStr { .. }
            | ExprKind::GoStr { .. }
            | ExprKind::ReadBuf { .. }
            | ExprKind::GoError(_)
            | ExprKind::GoCopy(_) => {
                let error = crate::Error::new(e.span, format!("a {} does not fit a register", e.ty));
                self.fail(error)
            }
        }
    }

    /// An address that the verifier does not know as a pointer any more: what is computed with it may be anything.
    fn plain_number(&mut self, address: Val) -> Val {
        let (kept, read): (Place, Place) = (self.f.slot(8).into(), self.f.slot(8).into());
        self.f.store(Width::D, kept, Operand::Val(address));
        self.f.call_void(Helper::ReadKernel, &[Arg::Addr(read), Arg::Imm(8), Arg::Addr(kept)]);
        self.f.load(Width::D, read)
    }

    /// A temporary with the present value of a variable.
    pub(super) fn copy_of(&mut self, var: Val) -> Val {
        let dst = self.f.temp();
        self.f.push(Op::Copy { dst, src: var });
        dst
    }

    /// Reads a scalar from traced memory.
    pub(super) fn load_traced(&mut self, ty: &Type, addr: Value, space: AddrSpace) -> Val {
        if let (AddrSpace::Kernel, Some(cast)) = (space, self.unit.target.kernel_reads.cast()) {
            let place = self.cast_for_reading(cast, arg(addr));
            return self.load_scalar(ty, place);
        }
        let slot: Place = self.f.slot(8).into();
        self.read(slot, ty.size(), addr, space);
        self.load_scalar(ty, slot)
    }

    /// What lies at an address of the kernel's memory, as up to 8 bytes that the verifier lets the program load.
    pub(super) fn cast_for_reading(&mut self, cast: ReadOnlyCast, address: Arg) -> Place {
        let callee = Callee::Kfunc { name: "rdonly_cast", id: cast.function };
        self.f.call(callee, &[address, Arg::Imm(i64::from(cast.structure))]).into()
    }

    fn unary(&mut self, op: UnOp, of: &Expr, e: &Expr) -> Value {
        match op {
            UnOp::Not => self.condition_value(e),
            UnOp::Neg => match self.scalar(of) {
                Value::Imm(v) => Value::Imm(v.wrapping_neg()),
                Value::Val(src) => {
                    let dst = self.f.temp();
                    self.f.push(Op::Neg { dst, src });
                    dst.into()
                }
            },
            UnOp::BitNot => match self.scalar(of) {
                Value::Imm(v) => Value::Imm(!v),
                Value::Val(a) => self.f.alu(AluOp::Xor, a, Operand::Imm(-1)).into(),
            },
        }
    }

    fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr, e: &Expr) -> Value {
        let signed = e.ty.is_signed();
        let alu = match op {
            BinOp::Add => AluOp::Add,
            BinOp::Sub => AluOp::Sub,
            BinOp::Mul => AluOp::Mul,
            BinOp::And => AluOp::And,
            BinOp::Or => AluOp::Or,
            BinOp::Xor => AluOp::Xor,
            BinOp::Shl => AluOp::Lsh,
            BinOp::Shr if signed => AluOp::Arsh,
            BinOp::Shr => AluOp::Rsh,
            BinOp::Div | BinOp::Mod => {
                let (a, b) = (self.scalar(a), self.scalar(b));
                return self.divide(op, a, b, signed);
            }
            BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge => {
                return self.condition_value(e);
            }
        };
        let (a, mut b) = (self.scalar(a), self.scalar(b));
        if matches!(op, BinOp::Shl | BinOp::Shr) {
            // The count is taken modulo 64, as the machine does; the verifier refuses larger immediates.
            if let Value::Imm(count) = &mut b {
                *count &= 63;
            }
        }
        let (a, b) = match (a, b) {
            (Value::Imm(_), Value::Val(_)) if is_commutative(op) => (b, a),
            _ => (a, b),
        };
        if let (
            Value::Val(_),
            Value::Imm(0),
            BinOp::Add | BinOp::Sub | BinOp::Or | BinOp::Xor | BinOp::Shl | BinOp::Shr,
        ) = (a, b, op)
        {
            return a;
        }
        let a = self.val(a);
        let b = self.operand(b);
        self.f.alu(alu, a, b).into()
    }

    /// Division and remainder; by zero the result is 1, as in bpftrace, and a run-time error is counted.
    fn divide(&mut self, op: BinOp, a: Value, b: Value, signed: bool) -> Value {
        let a = self.val(a);
        if let Value::Imm(divisor @ 1..) = b
            && (!signed || divisor as i64 > 0)
        {
            return self.divide_by_constant(op, a, divisor, signed).into();
        }
        let b = self.val(b);
        let result = self.f.var();
        self.f.push(Op::Const { dst: result, value: 1 });
        let (zero, end) = (self.f.label(), self.f.label());
        self.f.branch(Cond::Eq, b, Operand::Imm(0), zero);
        let value =
            if signed { self.divide_signed(op, a, b) } else { self.f.alu(div_op(op), a, Operand::Val(b)) };
        self.f.push(Op::Copy { dst: result, src: value });
        self.f.push(Op::Jump(end));
        self.f.push(Op::Label(zero));
        self.count_error(CounterKind::DivideByZero);
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }

    /// `a / b` of a `b` that is not zero.
    pub(super) fn quotient(&mut self, a: Val, b: Val, signed: bool) -> Val {
        if signed { self.divide_signed(BinOp::Div, a, b) } else { self.f.alu(AluOp::Div, a, Operand::Val(b)) }
    }

    fn divide_by_constant(&mut self, op: BinOp, a: Val, divisor: u64, signed: bool) -> Val {
        let b = self.f.operand(divisor);
        if !signed {
            return self.f.alu(div_op(op), a, b);
        }
        let magnitude = self.magnitude(a);
        let value = self.f.alu(div_op(op), magnitude, b);
        self.with_sign_of(value, a)
    }

    /// BPF before cpu version 4 divides unsigned only: divide the magnitudes and put the sign back. The quotient is negative when
    /// the signs differ, the remainder takes the sign of the dividend.
    fn divide_signed(&mut self, op: BinOp, a: Val, b: Val) -> Val {
        let (ua, ub) = (self.magnitude(a), self.magnitude(b));
        let value = self.f.alu(div_op(op), ua, Operand::Val(ub));
        let sign = if op == BinOp::Div { self.f.alu(AluOp::Xor, a, Operand::Val(b)) } else { a };
        self.with_sign_of(value, sign)
    }

    fn magnitude(&mut self, a: Val) -> Val {
        self.with_sign_of(a, a)
    }

    /// `value`, negated if `sign` is negative. Without a branch, which the verifier would follow both ways: of all ones `s`,
    /// `(value ^ s) - s` is the negative.
    fn with_sign_of(&mut self, value: Val, sign: Val) -> Val {
        let sign = self.f.alu(AluOp::Arsh, sign, Operand::Imm(63));
        let flipped = self.f.alu(AluOp::Xor, value, Operand::Val(sign));
        self.f.alu(AluOp::Sub, flipped, Operand::Val(sign))
    }

    fn cast(&mut self, of: &Expr, to: &Type) -> Value {
        let value = match &of.ty {
            // An integer array of at most 8 bytes as an integer.
            ty if !ty.is_scalar() => {
                let place = self.place(of);
                return self.load_scalar(to, place).into();
            }
            _ => self.scalar(of),
        };
        self.convert(value, &of.ty, to)
    }

    /// A canonical value of type `from` as one of type `to`.
    pub(super) fn convert(&mut self, value: Value, from: &Type, to: &Type) -> Value {
        let Some((bits, signed)) = to.integer() else {
            if *to == Type::Bool && *from != Type::Bool {
                return self.nonzero(value);
            }
            return value;
        };
        let unchanged = bits == 64
            || match from {
                Type::Bool => true,
                ty => ty.integer().is_some_and(|(b, s)| (b == bits && s == signed) || (b < bits && !s)),
            };
        match value {
            Value::Imm(v) => Value::Imm(extend(v, bits, signed)),
            value if unchanged => value,
            Value::Val(src) => {
                let dst = self.f.temp();
                self.f.push(Op::Extend { dst, src, bits, signed });
                dst.into()
            }
        }
    }

    fn nonzero(&mut self, value: Value) -> Value {
        match value {
            Value::Imm(v) => Value::Imm(u64::from(v != 0)),
            Value::Val(val) => {
                let result = self.f.var();
                self.f.push(Op::Const { dst: result, value: 0 });
                let zero = self.f.label();
                self.f.branch(Cond::Eq, val, Operand::Imm(0), zero);
                self.f.push(Op::Const { dst: result, value: 1 });
                self.f.push(Op::Label(zero));
                self.copy_of(result).into()
            }
        }
    }

    fn inc_var(&mut self, var: lang::hir::VarId, delta: i64, prefix: bool, ty: &Type) -> Value {
        let home = self.vars[var.0 as usize];
        let old = match home {
            Home::Register(home) => self.copy_of(home),
            Home::Memory(place) => self.load_scalar(ty, place),
        };
        let delta = self.f.operand(delta as u64);
        let sum = self.f.alu(AluOp::Add, old, delta);
        let new = self.convert(sum.into(), &Type::I64, ty);
        match home {
            Home::Register(home) => self.assign(home, new),
            Home::Memory(place) => {
                let new = self.operand(new);
                self.f.store(super::scalar_width(ty), place, new);
            }
        }
        if prefix { new } else { old.into() }
    }

    /// A condition as 1 or 0.
    fn condition_value(&mut self, e: &Expr) -> Value {
        let result = self.f.var();
        let end = self.f.label();
        self.f.push(Op::Const { dst: result, value: 0 });
        self.branch(e, false, end);
        self.f.push(Op::Const { dst: result, value: 1 });
        self.f.push(Op::Label(end));
        self.copy_of(result).into()
    }

    /// Goes on only if the condition holds, else jumps to `to`, where nothing may be used that the condition computes: behind
    /// `/a && b/`, what `b` computed is known.
    pub(super) fn require(&mut self, e: &Expr, to: Label) {
        if let ExprKind::Logical(LogicOp::And, a, b) = &e.kind {
            self.require(a, to);
            self.require(b, to);
        } else {
            self.branch(e, false, to);
        }
    }

    /// Jumps to `to` if the condition is `when`, else falls through. What is known afterwards is known in both places.
    pub(super) fn branch(&mut self, e: &Expr, when: bool, to: Label) {
        match &e.kind {
            ExprKind::Unary(UnOp::Not, of) => self.branch(of, !when, to),
            ExprKind::Logical(op, a, b) => {
                // `a && b` is false as soon as `a` is; `a || b` true.
                let short = matches!(op, LogicOp::Or);
                if when == short {
                    self.branch(a, when, to);
                    // What `b` computes is not known where `a` jumps to.
                    self.perhaps(|l| l.branch(b, when, to));
                } else {
                    let end = self.f.label();
                    self.branch(a, short, end);
                    self.perhaps(|l| l.branch(b, when, to));
                    self.f.push(Op::Label(end));
                }
            }
            ExprKind::Binary(op, a, b) if condition(*op, true).is_some() => {
                self.branch_compare(*op, a, b, when, to);
            }
            _ => match self.scalar(e) {
                Value::Imm(v) => {
                    if (v != 0) == when {
                        self.f.push(Op::Jump(to));
                    }
                }
                Value::Val(val) => {
                    self.f.condition(if when { Cond::Ne } else { Cond::Eq }, val, Operand::Imm(0), to);
                }
            },
        }
    }

    fn branch_compare(&mut self, op: BinOp, a: &Expr, b: &Expr, when: bool, to: Label) {
        if !a.ty.is_scalar() {
            return self.branch_memory(a, b, (op == BinOp::Eq) == when, to);
        }
        let Some(mut cond) = condition(op, a.ty.is_signed()) else { return };
        let (mut a, mut b) = (self.scalar(a), self.scalar(b));
        if let (Value::Imm(x), Value::Imm(y)) = (a, b) {
            if cond.holds(x, y) == when {
                self.f.push(Op::Jump(to));
            }
            return;
        }
        if matches!(a, Value::Imm(_)) {
            std::mem::swap(&mut a, &mut b);
            cond = swap(cond);
        }
        if !when {
            cond = cond.negate().unwrap_or(cond);
        }
        let a = self.val(a);
        let b = self.operand(b);
        self.f.condition(cond, a, b, to);
    }
}

fn is_commutative(op: BinOp) -> bool {
    matches!(op, BinOp::Add | BinOp::Mul | BinOp::And | BinOp::Or | BinOp::Xor)
}

fn div_op(op: BinOp) -> AluOp {
    if op == BinOp::Div { AluOp::Div } else { AluOp::Mod }
}

/// The low `bits` of a value, extended to 64.
fn extend(value: u64, bits: u8, signed: bool) -> u64 {
    if bits >= 64 {
        return value;
    }
    let up = 64 - u32::from(bits);
    if signed { ((value << up) as i64 >> up) as u64 } else { value << up >> up }
}

/// The jump condition of a comparison.
fn condition(op: BinOp, signed: bool) -> Option<Cond> {
    Some(match (op, signed) {
        (BinOp::Eq, _) => Cond::Eq,
        (BinOp::Ne, _) => Cond::Ne,
        (BinOp::Lt, true) => Cond::Slt,
        (BinOp::Le, true) => Cond::Sle,
        (BinOp::Gt, true) => Cond::Sgt,
        (BinOp::Ge, true) => Cond::Sge,
        (BinOp::Lt, false) => Cond::Lt,
        (BinOp::Le, false) => Cond::Le,
        (BinOp::Gt, false) => Cond::Gt,
        (BinOp::Ge, false) => Cond::Ge,
        _ => return None,
    })
}

/// The condition with its sides exchanged.
fn swap(cond: Cond) -> Cond {
    match cond {
        Cond::Lt => Cond::Gt,
        Cond::Le => Cond::Ge,
        Cond::Gt => Cond::Lt,
        Cond::Ge => Cond::Le,
        Cond::Slt => Cond::Sgt,
        Cond::Sle => Cond::Sge,
        Cond::Sgt => Cond::Slt,
        Cond::Sge => Cond::Sle,
        Cond::Eq | Cond::Ne | Cond::Set => cond,
    }
}
