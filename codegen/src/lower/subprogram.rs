//! Functions of the script: real functions that the programs call (BPF-to-BPF calls, Linux 4.16).
//!
//! Each program has its own copies of the functions that it calls, lowered for it: `ustack` in a function takes the stack of the probe
//! that called. Arguments are, in this order: the program's context, if the function needs it; the address where the value goes, if
//! that is in memory; the parameters, of which those in memory are handed over by address. When these are more than
//! [`WORDS`], the parameters lie side by side in memory and their address is the only argument.
//!
//! A value that fits a register is what the function returns. One that does not is in memory, and so is any value of a function that
//! may end the program (`exit()`): such a function returns whether it did.

use super::callback::{Context, Leave, Scan, Shared};
use super::string::Pad;
use super::unwind::Walk;
use super::{Home, Lower, Value};
use crate::helper::Callee;
use crate::insn::Cond;
use crate::ir::{Arg, Func, Op, Operand, Place, Role, Val};
use lang::hir::{self, Action, Expr, ExprKind, StmtKind, SubId, Subprogram, VarId};
use lang::span::Span;
use lang::types::Type;
use std::collections::HashMap;

/// Registers for arguments beside the program's context: the kernel has five.
const WORDS: usize = 4;

/// The functions that a program calls.
#[derive(Debug, Default)]
pub(super) struct Functions {
    list: Vec<Func>,
    known: HashMap<SubId, Lowered>,
    /// Places in `list` of the functions that walk stacks.
    pub walkers: HashMap<Walk, usize>,
    /// That of the function that they find rows with.
    pub finder: Option<usize>,
}

/// What a function has of its own, unlike the code that calls it.
pub(super) struct Own<'a> {
    /// Its variables.
    pub defs: &'a [hir::Var],
    /// Those that it shares with functions that are called back for it.
    pub shared: Shared,
    /// Where it is in the script.
    pub span: Span,
}

impl Functions {
    /// Adds a function behind those that it calls; gives its place.
    pub fn add(&mut self, f: Func) -> usize {
        self.list.push(f);
        self.list.len() - 1
    }

    /// The functions, each behind those that it calls.
    pub fn take(&mut self) -> Vec<Func> {
        std::mem::take(&mut self.list)
    }
}

/// What a call of a function must know about it.
#[derive(Clone, Copy, Debug)]
struct Lowered {
    /// Place in [`Functions::list`].
    index: usize,
    /// Its first argument is the context.
    context: bool,
}

/// How a function is given its arguments and gives its value.
struct Convention {
    /// It may end the program, and returns whether it did.
    ends: bool,
    result: ResultIn,
    /// Offsets of the parameters and size of it all, when they are handed over side by side in memory.
    block: Option<(Vec<u32>, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ResultIn {
    Nothing,
    Register,
    Memory,
}

/// What a call gives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given {
    Nothing,
    Value(Val),
    Memory(Place),
}

impl Given {
    /// Where the value is, if it is in memory.
    pub fn in_memory(self) -> Option<Place> {
        match self {
            Given::Memory(place) => Some(place),
            Given::Nothing | Given::Value(_) => None,
        }
    }
}

impl Convention {
    fn of(sub: &Subprogram, ends: bool) -> Convention {
        let ty = sub.result_type();
        let result = match ty {
            Type::Void => ResultIn::Nothing,
            ty if ty.is_scalar() && !ends => ResultIn::Register,
            _ => ResultIn::Memory,
        };
        let words = sub.params + usize::from(result == ResultIn::Memory);
        let block = (words > WORDS).then(|| {
            let mut at = 0;
            let mut place = |var: &hir::Var| {
                let start = at;
                at += var.ty.size().next_multiple_of(8);
                start
            };
            let offsets: Vec<u32> = sub.vars.iter().take(sub.params).map(&mut place).collect();
            (offsets, at)
        });
        Convention { ends, result, block }
    }
}

/// Which functions may end the program, themselves or by calling another.
pub(super) fn ending(subs: &[Subprogram]) -> Vec<bool> {
    let mut ending = vec![false; subs.len()];
    // No function calls itself, so that each round settles one more at least.
    for _ in subs {
        for (n, sub) in subs.iter().enumerate() {
            let mut ends = false;
            hir::visit_all(&sub.body, &mut |stmt| {
                ends |= matches!(&stmt.kind, StmtKind::Emit { action: Action::Exit, .. });
                for e in stmt.exprs() {
                    e.visit(&mut |e| {
                        ends |= matches!(e.kind, ExprKind::Call(of, _) if ending.get(of.0 as usize) == Some(&true));
                    });
                }
            });
            ending[n] |= ends;
        }
    }
    ending
}

impl<'a> Lower<'_, 'a> {
    /// A call as a value that fits a register.
    pub(super) fn call_for_scalar(&mut self, id: SubId, args: &[Expr], ty: &Type) -> Value {
        match self.call_subprogram(id, args) {
            Given::Value(value) => value.into(),
            Given::Memory(place) => self.load_scalar(ty, place).into(),
            Given::Nothing => Value::Imm(0),
        }
    }

    /// Calls a function of the script.
    pub(super) fn call_subprogram(&mut self, id: SubId, args: &[Expr]) -> Given {
        let subs = self.unit.subprograms;
        let Some(sub) = subs.get(id.0 as usize) else { return Given::Nothing };
        let lowered = self.subprogram(id, sub);
        let convention = Convention::of(sub, self.unit.ending[id.0 as usize]);
        let mut words: Vec<Arg> = Vec::new();
        match &convention.block {
            Some((offsets, size)) => {
                let block = self.memory(*size);
                for ((arg, var), offset) in args.iter().zip(&sub.vars).zip(offsets) {
                    self.store_as(arg, &var.ty, block.at(*offset), Pad::Zero);
                }
                words.push(Arg::Addr(block));
            }
            None => {
                for (n, (arg, var)) in args.iter().zip(&sub.vars).enumerate() {
                    let changes = args.iter().skip(n + 1).any(Expr::has_effects);
                    let word = self.handed_over(arg, &var.ty, changes);
                    words.push(word);
                }
            }
        }
        let result = match convention.result {
            ResultIn::Memory => Some(self.memory(sub.result_type().size())),
            ResultIn::Nothing | ResultIn::Register => None,
        };
        let context = lowered.context.then_some(Arg::Val(Func::CTX));
        let args: Vec<Arg> = context.into_iter().chain(result.map(Arg::Addr)).chain(words).collect();
        let ret = (convention.ends || convention.result == ResultIn::Register).then(|| self.f.temp());
        self.f.push(Op::Call { callee: Callee::Function(lowered.index), args, ret });
        // It may have changed any map.
        self.forget_reads();
        if let (true, Some(ended)) = (convention.ends, ret) {
            let on = self.f.label();
            self.f.branch(Cond::Eq, ended, Operand::Imm(0), on);
            self.leave(Leave::End);
            self.f.push(Op::Label(on));
        }
        match (result, ret) {
            (Some(place), _) => Given::Memory(place),
            (None, Some(value)) if convention.result == ResultIn::Register => Given::Value(value),
            _ => Given::Nothing,
        }
    }

    /// An argument in a register: its value, or where it is. `changes`: what is evaluated before the call may change variables.
    fn handed_over(&mut self, arg: &Expr, ty: &Type, changes: bool) -> Arg {
        if ty.is_scalar() {
            return match self.scalar(arg) {
                Value::Imm(value) => Arg::Imm(value as i64),
                Value::Val(val) => Arg::Val(val),
            };
        }
        if arg.ty == *ty && !changes {
            return Arg::Addr(self.place(arg));
        }
        let place = self.memory(ty.size());
        self.store_as(arg, ty, place, Pad::Zero);
        Arg::Addr(place)
    }

    /// The function, lowered when the program calls it first.
    fn subprogram(&mut self, id: SubId, sub: &'a Subprogram) -> Lowered {
        if let Some(known) = self.functions.known.get(&id) {
            return *known;
        }
        let mut scan = Scan::new(self.unit.target.loops);
        scan.whole(None, &sub.body);
        (0..sub.params).for_each(|n| scan.outside(VarId(n as u32)));
        sub.result.into_iter().for_each(|var| scan.outside(var));
        let shared = scan.shared(&sub.vars, self.unit.on_stack_limit);
        let ends = self.unit.ending[id.0 as usize];
        let own = Own { defs: &sub.vars, shared, span: sub.span };
        let mut f = self.in_function(&sub.name, own, |inner| inner.lower_function(sub, ends));
        let mut context = false;
        f.ops.iter().for_each(|op| op.uses(&mut |v| context |= v == Func::CTX));
        if context {
            f.params.insert(0, Func::CTX);
        }
        let lowered = Lowered { index: self.functions.add(f), context };
        self.functions.known.insert(id, lowered);
        lowered
    }

    /// Lowers a function that the program calls.
    pub(super) fn in_function(
        &mut self,
        name: &str,
        own: Own<'a>,
        lower: impl FnOnce(&mut Lower<'_, 'a>),
    ) -> Func {
        let functions = std::mem::take(&mut self.functions);
        let role = Role::Function(name.to_owned());
        let mut inner = Lower {
            functions,
            context: Context::Subprogram { ended: None },
            span: own.span,
            ..Lower::new(self.unit, self.probe, self.index, role, own.defs, own.shared)
        };
        lower(&mut inner);
        let Lower { f, functions, error, .. } = inner;
        self.functions = functions;
        if let Some(error) = error {
            self.error.get_or_insert(error);
        }
        f
    }

    /// The function itself.
    fn lower_function(&mut self, sub: &Subprogram, ends: bool) {
        let convention = Convention::of(sub, ends);
        self.f.push(Op::Line(self.span));
        let ended = ends.then(|| self.f.var());
        self.context = Context::Subprogram { ended };
        if let Some(ended) = ended {
            self.f.push(Op::Const { dst: ended, value: 0 });
        }
        let result = (convention.result == ResultIn::Memory).then(|| Place::from(self.f.param()));
        let changed = super::loops::changed(&sub.body, None);
        let mut given: Vec<(VarId, Place)> = sub.result.into_iter().zip(result).collect();
        let mut copied: Vec<(VarId, Home)> = Vec::new();
        let block = convention.block.as_ref().map(|_| Place::from(self.f.param()));
        for (n, var) in sub.vars.iter().take(sub.params).enumerate() {
            let id = VarId(n as u32);
            let from = match (&convention.block, block) {
                (Some((offsets, _)), Some(block)) => {
                    // The block is the function's own.
                    given.push((id, block.at(offsets[n])));
                    Home::Memory(block.at(offsets[n]))
                }
                _ if var.ty.is_scalar() => Home::Register(self.f.param()),
                _ => {
                    let place = Place::from(self.f.param());
                    if !var.addressed && !changed.contains(&id) {
                        given.push((id, place));
                    }
                    Home::Memory(place)
                }
            };
            let kept = given.iter().any(|(given, _)| *given == id) && !self.shared.in_frame(id);
            if !kept {
                copied.push((id, from));
            }
        }
        self.homes(&given);
        let claim_at = self.f.ops.len();
        for (id, from) in copied {
            self.copy_parameter(id, from);
        }
        self.share_addresses();
        self.assigned[..sub.params].fill(true);
        self.block(&sub.body);
        self.f.push(Op::Label(self.exit));
        if let (Some(to), Some(var)) = (result, sub.result)
            && self.shared.in_frame(var)
            && let Home::Memory(from) = self.vars[var.0 as usize]
        {
            self.copy(from, to, sub.result_type().size());
        }
        let claim_at = self.zero_result(sub, result, claim_at);
        self.finish_scratch(claim_at);
        self.f.push(Op::Label(self.quit));
        self.give_back(sub, &convention, ended);
    }

    /// Makes the value zero before the ops from `at` on, where the way to the end may lead past all assignments: when there is no
    /// scratch memory, or as far as the verifier sees of loops that are called back. Gives where those ops are then.
    fn zero_result(&mut self, sub: &Subprogram, result: Option<Place>, at: usize) -> usize {
        let Some(var) = sub.result.filter(|var| self.f.scratch.is_some() || self.shared.in_frame(*var))
        else {
            return at;
        };
        let body = self.f.ops.split_off(at);
        let size = sub.result_type().size();
        match self.vars[var.0 as usize] {
            Home::Register(home) => self.f.push(Op::Const { dst: home, value: 0 }),
            Home::Memory(place) => self.clear(place, size),
        }
        if let Some(to) = result.filter(|_| self.shared.in_frame(var)) {
            self.clear(to, size);
        }
        let at = self.f.ops.len();
        self.f.ops.extend(body);
        at
    }

    /// The end of a function: what it returns.
    fn give_back(&mut self, sub: &Subprogram, convention: &Convention, ended: Option<Val>) {
        let value = match (ended, convention.result, sub.result) {
            (Some(ended), _, _) => Some(ended),
            (None, ResultIn::Register, Some(var)) => Some(match self.vars[var.0 as usize] {
                Home::Register(home) => home,
                Home::Memory(place) => self.load_scalar(sub.result_type(), place),
            }),
            _ => None,
        };
        self.f.push(value.map_or(Op::Exit(0), Op::Return));
    }

    /// Gives a parameter the home of its variable.
    fn copy_parameter(&mut self, id: VarId, from: Home) {
        let ty = &self.defs[id.0 as usize].ty;
        match (self.vars[id.0 as usize], from) {
            (Home::Register(home), Home::Register(value)) => self.assign(home, value.into()),
            (Home::Memory(home), Home::Register(value)) => {
                self.f.store(super::scalar_width(ty), home, Operand::Val(value));
            }
            (Home::Memory(home), Home::Memory(place)) => self.copy(place, home, ty.size()),
            (Home::Register(home), Home::Memory(place)) => {
                let value = self.load_scalar(ty, place);
                self.assign(home, value.into());
            }
        }
    }
}
