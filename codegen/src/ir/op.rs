//! Operations: what each computes, which values and places it names, and what may be done with it. What they mean together is said at
//! the head of [`super`].

use super::{Base, Label, MapRef, Operand, Place, Val};
use crate::helper::Callee;
use crate::insn::{AluOp, AtomicOp, Cond, Width};
use lang::span::Span;

/// Argument of a helper call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Arg {
    /// A value.
    Val(Val),
    /// A constant.
    Imm(i64),
    /// The address of a place.
    Addr(Place),
    /// A map.
    Map(MapRef),
    /// The address of a function in [`super::Func::subs`], for helpers that call it.
    Func(usize),
}

/// Who asks a condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asker {
    /// The script: nothing that is generated depends on what the verifier learns of it.
    Script,
    /// What is generated, which may need what the verifier learns: that an address is not null.
    Compiler,
}

/// An operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// `dst = value`
    Const {
        /// Result.
        dst: Val,
        /// 64 bits.
        value: u64,
    },
    /// `dst =` address of byte `offset` of the only value of a global-data map.
    MapAddr {
        /// Result.
        dst: Val,
        /// The map.
        map: MapRef,
        /// Byte offset.
        offset: u32,
    },
    /// `dst =` the address of a place.
    Addr {
        /// Result.
        dst: Val,
        /// Whose address.
        of: Place,
    },
    /// `dst = src`
    Copy {
        /// Result.
        dst: Val,
        /// Source.
        src: Val,
    },
    /// `dst = a op b`
    Alu {
        /// Operation.
        op: AluOp,
        /// Result.
        dst: Val,
        /// Left side.
        a: Val,
        /// Right side.
        b: Operand,
    },
    /// `dst = -src`
    Neg {
        /// Result.
        dst: Val,
        /// Source.
        src: Val,
    },
    /// `dst =` the low `bits` of `src`, extended to 64.
    Extend {
        /// Result.
        dst: Val,
        /// Source.
        src: Val,
        /// 8, 16 or 32.
        bits: u8,
        /// By sign rather than zeros.
        signed: bool,
    },
    /// `dst =` the low `bits` of `src`, their bytes in reverse order, zero-extended.
    Swap {
        /// Result.
        dst: Val,
        /// Source.
        src: Val,
        /// 16, 32 or 64.
        bits: u8,
    },
    /// `dst = min(src, limit)`, unsigned. One op, because the verifier must see the bound on the very register that the
    /// result is in.
    Clamp {
        /// Result.
        dst: Val,
        /// Source.
        src: Val,
        /// Greatest result, at most `i32::MAX`.
        limit: u32,
    },
    /// `dst = *(width *)place`, zero-extended.
    Load {
        /// Width.
        width: Width,
        /// Result.
        dst: Val,
        /// From where.
        from: Place,
    },
    /// `*(width *)place = src`
    Store {
        /// Width.
        width: Width,
        /// Where to.
        to: Place,
        /// What.
        src: Operand,
    },
    /// An atomic operation on 8 bytes; `old` (for fetching operations) is what stood there.
    Atomic {
        /// Add, fetch-add or exchange.
        op: AtomicOp,
        /// On what.
        on: Place,
        /// Operand.
        src: Val,
        /// Previous value.
        old: Option<Val>,
    },
    /// Compare and exchange of 8 bytes.
    CmpXchg {
        /// On what.
        on: Place,
        /// Stored only if this stands there.
        expected: Val,
        /// New value.
        new: Val,
        /// What stood there.
        old: Val,
    },
    /// A call of the kernel.
    Call {
        /// What is called.
        callee: Callee,
        /// At most 5.
        args: Vec<Arg>,
        /// Result, if used.
        ret: Option<Val>,
    },
    /// Goes on at a label.
    Jump(Label),
    /// Goes on at a label if `a cond b`.
    Branch {
        /// Condition.
        cond: Cond,
        /// Left side.
        a: Val,
        /// Right side.
        b: Operand,
        /// Target.
        to: Label,
        /// Who asks.
        asker: Asker,
    },
    /// At the head of a loop whose end the verifier need not see: goes on at a label when the program has gone round too often
    /// (8 million times, or for a quarter of a second on newer kernels). The kernel keeps count (`BPF_JCOND`, Linux 6.9).
    MayGoto(Label),
    /// A jump target.
    Label(Label),
    /// Ends the program with this value.
    Exit(i32),
    /// Returns from a function with a value.
    Return(Val),
    /// The following ops come from this place of the script.
    Line(Span),
}

impl Op {
    /// The value this op defines.
    #[must_use]
    pub fn def(&self) -> Option<Val> {
        match *self {
            Op::Const { dst, .. }
            | Op::MapAddr { dst, .. }
            | Op::Addr { dst, .. }
            | Op::Copy { dst, .. }
            | Op::Alu { dst, .. }
            | Op::Neg { dst, .. }
            | Op::Extend { dst, .. }
            | Op::Swap { dst, .. }
            | Op::Clamp { dst, .. }
            | Op::Load { dst, .. } => Some(dst),
            Op::CmpXchg { old, .. } => Some(old),
            Op::Atomic { old, .. } => old,
            Op::Call { ret, .. } => ret,
            Op::Store { .. }
            | Op::Jump(_)
            | Op::Branch { .. }
            | Op::MayGoto(_)
            | Op::Label(_)
            | Op::Exit(_)
            | Op::Return(_)
            | Op::Line(_) => None,
        }
    }

    /// Calls `f` with every value this op reads; `f` may replace it.
    pub fn map_uses(&mut self, f: &mut impl FnMut(&mut Val)) {
        fn operand(o: &mut Operand, f: &mut impl FnMut(&mut Val)) {
            if let Operand::Val(v) = o {
                f(v);
            }
        }
        fn place(p: &mut Place, f: &mut impl FnMut(&mut Val)) {
            if let Base::Val(v) = &mut p.base {
                f(v);
            }
        }
        match self {
            Op::Copy { src, .. }
            | Op::Neg { src, .. }
            | Op::Extend { src, .. }
            | Op::Swap { src, .. }
            | Op::Clamp { src, .. }
            | Op::Return(src) => {
                f(src);
            }
            Op::Alu { a, b, .. } | Op::Branch { a, b, .. } => {
                f(a);
                operand(b, f);
            }
            Op::Load { from: p, .. } | Op::Addr { of: p, .. } => place(p, f),
            Op::Store { to, src, .. } => {
                place(to, f);
                operand(src, f);
            }
            Op::Atomic { on, src, .. } => {
                place(on, f);
                f(src);
            }
            Op::CmpXchg { on, expected, new, .. } => {
                place(on, f);
                f(expected);
                f(new);
            }
            Op::Call { args, .. } => {
                for arg in args {
                    match arg {
                        Arg::Val(v) => f(v),
                        Arg::Addr(p) => place(p, f),
                        Arg::Imm(_) | Arg::Map(_) | Arg::Func(_) => {}
                    }
                }
            }
            Op::Const { .. }
            | Op::MapAddr { .. }
            | Op::Jump(_)
            | Op::MayGoto(_)
            | Op::Label(_)
            | Op::Exit(_)
            | Op::Line(_) => {}
        }
    }

    /// The label that this op may go on at.
    #[must_use]
    pub fn target(&self) -> Option<Label> {
        match *self {
            Op::Jump(to) | Op::Branch { to, .. } | Op::MayGoto(to) => Some(to),
            _ => None,
        }
    }

    /// Calls `f` with every value this op reads.
    pub fn uses(&self, f: &mut impl FnMut(Val)) {
        // A clone is cheap (only calls allocate) and saves a second copy of the table above.
        self.clone().map_uses(&mut |v| f(*v));
    }

    /// Calls `f` with every place this op names; `f` may replace it.
    pub fn map_places(&mut self, f: &mut impl FnMut(&mut Place)) {
        if let Some(place) = self.accessed() {
            return f(place);
        }
        match self {
            Op::Addr { of, .. } => f(of),
            Op::Call { args, .. } => {
                for arg in args {
                    if let Arg::Addr(p) = arg {
                        f(p);
                    }
                }
            }
            _ => {}
        }
    }

    /// Calls `f` with every place this op names.
    pub fn places(&self, f: &mut impl FnMut(Place)) {
        self.clone().map_places(&mut |p| f(*p));
    }

    /// The place that this op reads or writes by an instruction of its own.
    pub fn accessed(&mut self) -> Option<&mut Place> {
        match self {
            Op::Load { from: p, .. }
            | Op::Store { to: p, .. }
            | Op::Atomic { on: p, .. }
            | Op::CmpXchg { on: p, .. } => Some(p),
            _ => None,
        }
    }

    /// Whether the op may be left out when its result is unused.
    #[must_use]
    pub fn is_pure(&self) -> bool {
        match self {
            Op::Const { .. }
            | Op::MapAddr { .. }
            | Op::Addr { .. }
            | Op::Copy { .. }
            | Op::Alu { .. }
            | Op::Neg { .. }
            | Op::Extend { .. }
            | Op::Swap { .. }
            | Op::Clamp { .. }
            | Op::Load { .. } => true,
            Op::Call { callee: Callee::Helper(helper), .. } => helper.is_removable(),
            // Those that programs call only compute or search.
            Op::Call { callee: Callee::Kfunc { .. }, .. } => true,
            _ => false,
        }
    }
}
