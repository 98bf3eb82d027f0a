//! The intermediate representation between typed programs and instructions.
//!
//! # Meaning
//!
//! A [`Func`] is one BPF program, a function of the script that it calls, or one that a helper calls back ([`Role`]): a flat list of
//! [`Op`]s over 64-bit **values** ([`Val`]). Control flow is by [`Op::Label`], [`Op::Jump`] and [`Op::Branch`]; it falls through otherwise
//! and ends at [`Op::Exit`]. Jumps go forward, except to labels that were made with [`Func::loop_label`]: those are the heads of loops,
//! which are entered from above only. What is defined before a loop holds in all of its rounds; what is defined inside holds from there to
//! the end of the round.
//!
//! There are two kinds of value. A **temporary** is defined by exactly one op, which dominates every use. A **variable** may be
//! assigned many times ([`Op::Copy`], [`Op::Const`] and every other defining op may do it). Only temporaries take part in common
//! subexpression elimination and copy propagation: that rule is what keeps a re-assigned variable from being
//! mistaken for its old value.
//!
//! Memory is reached through a [`Place`]: a base and a constant offset. A base is a value that holds an address the verifier
//! knows (map value, ring-buffer record, the program's context [`Func::CTX`]) or a named object ([`Slot`]), on the stack or in
//! scratch memory ([`Storage`]). A slot's bytes exist from the first to the last op that names it or uses its address; slots
//! whose ranges do not meet share memory. Scratch slots become offsets from [`Scratch::base`] at the end of optimization.
//!
//! Helper arguments are structured ([`Arg`]): addresses, maps and immediates are put straight into argument registers
//! and never occupy a value.

mod dump;
mod op;

pub use op::{Arg, Asker, Op};

use crate::helper::Callee;
use crate::insn::{AluOp, Cond, Width};

/// A 64-bit value; index into [`Func::vals`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Val(pub u32);
/// An object in memory; index into [`Func::slots`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Slot(pub u32);
/// A jump target; index into [`Func::labels`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Label(pub u32);
/// A BPF map; index into [`crate::object::Object::maps`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct MapRef(pub u32);

/// Whether a value has one definition or many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValKind {
    /// One definition that dominates all uses.
    Temp,
    /// Any number of definitions.
    Var,
}

/// What a [`Slot`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotDef {
    /// Size in bytes, a multiple of 8.
    pub size: u32,
    /// Where it is.
    pub storage: Storage,
    /// Its address leaves the program's view (a script took it): nothing may share its memory from its first use on.
    pub pinned: bool,
}

/// Where the bytes of a [`Slot`] are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Storage {
    /// On the stack of the program, which has 512 bytes.
    Stack,
    /// In the block of scratch memory that the program claims.
    Scratch,
}

/// The block of scratch memory of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scratch {
    /// Its address: a temporary that the claim defines.
    pub base: Val,
    /// Bytes used of it, [`Scratch::HEADER`] included; known after optimization.
    pub size: u32,
}

impl Scratch {
    /// Bytes at the start of a block that are not for slots: the word by which it is claimed.
    pub const HEADER: u32 = 8;
}

/// Right-hand operand: a value or an immediate. Immediates that do not fit a sign-extended 32-bit field are not allowed
/// (see [`Func::operand`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operand {
    /// A value.
    Val(Val),
    /// A sign-extended immediate.
    Imm(i32),
}

/// What an address is relative to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Base {
    /// An address in a value.
    Val(Val),
    /// A named object.
    Slot(Slot),
}

/// A memory place: base plus constant offset in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// Base.
    pub base: Base,
    /// Offset.
    pub off: i32,
}

impl Place {
    /// The place `by` bytes further.
    #[must_use]
    pub fn at(self, by: u32) -> Place {
        Place { base: self.base, off: self.off + by as i32 }
    }
}

impl From<Slot> for Place {
    fn from(slot: Slot) -> Place {
        Place { base: Base::Slot(slot), off: 0 }
    }
}

impl From<Val> for Place {
    fn from(address: Val) -> Place {
        Place { base: Base::Val(address), off: 0 }
    }
}

/// Who calls a [`Func`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// The kernel: it is a program.
    Program,
    /// The program; it is a function of the script, of this name.
    Function(String),
    /// A helper, which has its address ([`Arg::Func`]).
    Callback,
}

/// A program, or one of its functions.
#[derive(Clone, Debug)]
pub struct Func {
    /// The ops.
    pub ops: Vec<Op>,
    /// Kind of each value.
    pub vals: Vec<ValKind>,
    /// The objects in memory.
    pub slots: Vec<SlotDef>,
    /// For each label whether jumps may come from behind it.
    pub labels: Vec<bool>,
    /// Scratch memory, if some slot is there.
    pub scratch: Option<Scratch>,
    /// Functions that helpers call back for this one ([`Arg::Func`]).
    pub subs: Vec<Func>,
    /// The values that its arguments are in when it begins, in order: of a program its context. Where the context is not among them,
    /// what stands for [`Func::CTX`] is defined like any temporary.
    pub params: Vec<Val>,
    /// Who calls it.
    pub role: Role,
    /// Of a program, the functions of the script that it and they call ([`Callee::Function`]), each behind those that it calls.
    pub functions: Vec<Func>,
    /// The verifier looks at the function by itself, for whatever arguments (a global function, Linux 5.6): it takes and returns numbers
    /// only.
    pub separate: bool,
    /// The program may be interrupted by itself, in another thread on the same CPU: uprobe programs run preemptible.
    pub preemptible: bool,
}

impl Default for Func {
    fn default() -> Func {
        Func {
            ops: Vec::new(),
            vals: vec![ValKind::Temp],
            slots: Vec::new(),
            labels: Vec::new(),
            scratch: None,
            subs: Vec::new(),
            params: vec![Func::CTX],
            role: Role::Program,
            functions: Vec::new(),
            separate: false,
            preemptible: false,
        }
    }
}

impl Func {
    /// The address of the program's context: a temporary that is defined at entry.
    pub const CTX: Val = Val(0);

    /// A new function, without parameters yet.
    #[must_use]
    pub fn new(role: Role) -> Func {
        let params = if role == Role::Program { vec![Func::CTX] } else { Vec::new() };
        Func { params, role, ..Func::default() }
    }

    /// The next parameter.
    pub fn param(&mut self) -> Val {
        let val = self.temp();
        self.params.push(val);
        val
    }

    /// A new temporary.
    pub fn temp(&mut self) -> Val {
        self.vals.push(ValKind::Temp);
        Val(self.vals.len() as u32 - 1)
    }

    /// A new variable.
    pub fn var(&mut self) -> Val {
        self.vals.push(ValKind::Var);
        Val(self.vals.len() as u32 - 1)
    }

    /// A new stack object of at least `size` bytes.
    pub fn slot(&mut self, size: u32) -> Slot {
        self.slot_in(Storage::Stack, size)
    }

    /// A new object of at least `size` bytes in scratch memory.
    pub fn scratch_slot(&mut self, size: u32) -> Slot {
        if self.scratch.is_none() {
            self.scratch = Some(Scratch { base: self.temp(), size: 0 });
        }
        self.slot_in(Storage::Scratch, size)
    }

    fn slot_in(&mut self, storage: Storage, size: u32) -> Slot {
        self.slots.push(SlotDef { size: size.next_multiple_of(8).max(8), storage, pinned: false });
        Slot(self.slots.len() as u32 - 1)
    }

    /// Keeps the slot of a place for itself: see [`SlotDef::pinned`].
    pub fn pin(&mut self, place: Place) {
        if let Base::Slot(Slot(slot)) = place.base {
            self.slots[slot as usize].pinned = true;
        }
    }

    /// A new label for forward jumps.
    pub fn label(&mut self) -> Label {
        self.labels.push(false);
        Label(self.labels.len() as u32 - 1)
    }

    /// A new label that jumps may go back to.
    pub fn loop_label(&mut self) -> Label {
        self.labels.push(true);
        Label(self.labels.len() as u32 - 1)
    }

    /// Appends an op.
    pub fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// A temporary with a constant.
    pub fn constant(&mut self, value: u64) -> Val {
        let dst = self.temp();
        self.push(Op::Const { dst, value });
        dst
    }

    /// A constant as a right-hand operand: immediate if it fits.
    pub fn operand(&mut self, value: u64) -> Operand {
        match i32::try_from(value as i64) {
            Ok(imm) => Operand::Imm(imm),
            Err(_) => Operand::Val(self.constant(value)),
        }
    }

    /// `a op b`; a temporary `a` itself where `b` changes nothing.
    pub fn alu(&mut self, op: AluOp, a: Val, b: Operand) -> Val {
        const ZERO: Operand = Operand::Imm(0);
        let neutral = matches!((op, b), (AluOp::Add | AluOp::Sub | AluOp::Or | AluOp::Xor, ZERO));
        if neutral && self.is_temp(a) {
            return a;
        }
        let dst = self.temp();
        self.push(Op::Alu { op, dst, a, b });
        dst
    }

    /// Loads from a place.
    pub fn load(&mut self, width: Width, from: Place) -> Val {
        let dst = self.temp();
        self.push(Op::Load { width, dst, from });
        dst
    }

    /// Stores to a place.
    pub fn store(&mut self, width: Width, to: Place, src: Operand) {
        self.push(Op::Store { width, to, src });
    }

    /// Makes a call and keeps its result.
    pub fn call(&mut self, callee: impl Into<Callee>, args: &[Arg]) -> Val {
        let dst = self.temp();
        self.push(Op::Call { callee: callee.into(), args: args.to_vec(), ret: Some(dst) });
        dst
    }

    /// Makes a call for its effect.
    pub fn call_void(&mut self, callee: impl Into<Callee>, args: &[Arg]) {
        self.push(Op::Call { callee: callee.into(), args: args.to_vec(), ret: None });
    }

    /// Jumps if `a cond b`.
    pub fn branch(&mut self, cond: Cond, a: Val, b: Operand, to: Label) {
        self.push(Op::Branch { cond, a, b, to, asker: Asker::Compiler });
    }

    /// Jumps if `a cond b`, which the script asks.
    pub fn condition(&mut self, cond: Cond, a: Val, b: Operand, to: Label) {
        self.push(Op::Branch { cond, a, b, to, asker: Asker::Script });
    }

    /// Whether a value is a temporary.
    #[must_use]
    pub fn is_temp(&self, val: Val) -> bool {
        self.vals[val.0 as usize] == ValKind::Temp
    }
}
