//! Blocks of loops that are functions, which a helper calls for each round: of loops over maps always (`bpf_for_each_map_elem`, Linux
//! 5.13), of others where the kernel has no better way (`bpf_loop`, see [`super::loops`]).
//!
//! Such a function has registers and a stack of its own. What it shares with the code around it lies in the **frame**, an object on the
//! stack of the program whose address each of them is given: the program's context, whether the program is to end, and the variables
//! that are mentioned on both sides. Large ones are in scratch memory; the frame has their addresses.
//!
//! Kernels before 6.7 look at such a function once, as if there were one round, and take what it leaves in the frame for what all rounds
//! leave there. So what a loop changes is made unknown to the verifier before it ([`Lower::forget_changed`]).

use super::loops::is_called_back;
use super::{Home, Lower, Once};
use crate::helper::Helper;
use crate::insn::{Cond, Width};
use crate::ir::{Arg, Func, Label, Op, Operand, Place, Role, Val};
use crate::layout;
use crate::target::Loops;
use lang::hir::{Expr, ExprKind, LoopKind, MapId, MapValue, Stmt, StmtKind, Var, VarId};
use lang::types::Type;
use std::collections::{HashMap, HashSet};

/// Offset in the frame of the address of the program's context.
const CONTEXT: u32 = 0;
/// Offset of the word that is a [`Leave`] once the code around the loop is to be left.
const ENDED: u32 = 8;
/// Offset of the variables.
const VARIABLES: u32 = 16;

/// What a program shares with the functions that are called back for it.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Offset in the frame of each shared variable, or of its address.
    at: HashMap<VarId, At>,
    /// Offset of the first number of each loop over a range that is called back.
    first: HashMap<VarId, u32>,
    /// Bytes of the frame; 0 when there is none.
    size: u32,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Value(u32),
    Address(u32),
}

/// Where the code that is being lowered runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Context {
    /// In the program itself.
    Program,
    /// In a function of the script; if it may end the program, this variable becomes 1 when it does.
    Subprogram { ended: Option<Val> },
    /// In a function that is called back; this variable becomes 1 when it is not to be called again.
    Callback { stop: Val },
}

/// What is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Leave {
    /// The program, or the function of the script.
    Return = 1,
    /// The program, from within a function of the script too.
    End = 2,
}

/// What changes between the functions of a program.
struct Outer {
    f: Func,
    exit: Label,
    quit: Label,
    vars: Vec<Home>,
    rounds: Vec<super::loops::Round>,
    scratch_slots: u32,
    known: Vec<(Once, Val)>,
    context: Context,
    frame: Option<Place>,
}

impl Shared {
    /// Offset in the frame of the first number of the range that this variable runs over.
    pub fn first_of(&self, var: VarId) -> Option<u32> {
        self.first.get(&var).copied()
    }

    /// Whether a variable has its place in the frame itself.
    pub fn in_frame(&self, var: VarId) -> bool {
        matches!(self.at.get(&var), Some(At::Value(_)))
    }
}

/// Finds the variables that are mentioned in several functions.
pub(super) struct Scan {
    loops: Loops,
    regions: u32,
    /// The variables of loops over ranges that are called back.
    ranges: Vec<VarId>,
    seen: HashMap<VarId, u32>,
    shared: HashSet<VarId>,
}

impl Scan {
    /// For a machine with loops of this form.
    pub fn new(loops: Loops) -> Scan {
        Scan { loops, regions: 0, ranges: Vec::new(), seen: HashMap::new(), shared: HashSet::new() }
    }

    /// Looks at a predicate and a block.
    pub fn whole(&mut self, predicate: Option<&Expr>, body: &[Stmt]) {
        if let Some(predicate) = predicate {
            self.expr(predicate, 0);
        }
        self.block(body, 0);
    }

    /// A variable that the code outside of all loops mentions.
    pub fn outside(&mut self, var: VarId) {
        self.mention(var, 0);
    }

    /// What the blocks that are called back share with the code around them.
    pub fn shared(self, defs: &[Var], on_stack_limit: u32) -> Shared {
        if self.regions == 0 {
            return Shared::default();
        }
        let mut vars: Vec<VarId> = self.shared.into_iter().collect();
        vars.sort_unstable();
        let mut shared = Shared { size: VARIABLES, ..Shared::default() };
        for var in self.ranges {
            shared.first.insert(var, shared.size);
            shared.size += 8;
        }
        for var in vars {
            let size = defs[var.0 as usize].ty.size().next_multiple_of(8).max(8);
            if size <= on_stack_limit {
                shared.at.insert(var, At::Value(shared.size));
                shared.size += size;
            } else {
                shared.at.insert(var, At::Address(shared.size));
                shared.size += 8;
            }
        }
        shared
    }

    fn mention(&mut self, var: VarId, region: u32) {
        if *self.seen.entry(var).or_insert(region) != region {
            self.shared.insert(var);
        }
    }

    fn block(&mut self, stmts: &[Stmt], region: u32) {
        for stmt in stmts {
            let inside = match &stmt.kind {
                StmtKind::Loop { kind, .. } if is_called_back(kind, self.loops) => {
                    self.regions += 1;
                    self.regions
                }
                _ => region,
            };
            // The condition of a loop is asked in each round.
            let asked = if let StmtKind::Loop { kind: LoopKind::While { .. }, .. } = stmt.kind {
                inside
            } else {
                region
            };
            for e in stmt.exprs() {
                self.expr(e, asked);
            }
            match &stmt.kind {
                StmtKind::SetVar(var, _) => self.mention(*var, region),
                StmtKind::If { then, els, .. } => {
                    self.block(then, region);
                    self.block(els, region);
                }
                StmtKind::Loop { kind, body } => {
                    match kind {
                        LoopKind::Map { var, .. } => self.mention(*var, inside),
                        LoopKind::Range { var, .. } => {
                            self.mention(*var, inside);
                            if inside != region {
                                self.ranges.push(*var);
                            }
                        }
                        LoopKind::While { .. } => {}
                    }
                    self.block(body, inside);
                }
                _ => {}
            }
        }
    }

    fn expr(&mut self, e: &Expr, region: u32) {
        match &e.kind {
            ExprKind::Var(var) | ExprKind::VarAddr(var) | ExprKind::IncVar { var, .. } => {
                self.mention(*var, region);
            }
            ExprKind::Block(stmts, value) => {
                self.block(stmts, region);
                return self.expr(value, region);
            }
            _ => {}
        }
        for child in e.children() {
            self.expr(child, region);
        }
    }
}

impl Lower<'_, '_> {
    /// Makes the frame of a program, if it needs one, and homes for all variables; some have a place already.
    pub(super) fn homes(&mut self, given: &[(VarId, Place)]) {
        if self.shared.size > 0 {
            let frame: Place = self.f.slot(self.shared.size).into();
            self.frame = Some(frame);
            self.f.store(Width::D, frame.at(CONTEXT), Operand::Val(Func::CTX));
            self.f.store(Width::D, frame.at(ENDED), Operand::Imm(0));
        }
        for (n, var) in self.defs.iter().enumerate() {
            let id = VarId(n as u32);
            let given = given.iter().find(|(given, _)| *given == id).map(|(_, place)| *place);
            let home = match (self.shared.at.get(&id), self.frame, given) {
                (Some(At::Value(at)), Some(frame), _) => Home::Memory(frame.at(*at)),
                (_, _, Some(place)) => Home::Memory(place),
                (Some(At::Address(_)), _, _) => Home::Memory(self.scratch(var.ty.size())),
                _ => self.own_home(var),
            };
            if let (true, Home::Memory(place)) = (var.addressed, home) {
                self.f.pin(place);
            }
            self.vars.push(home);
        }
    }

    /// Tells the frame where the shared variables in scratch memory are, which has been claimed.
    pub(super) fn share_addresses(&mut self) {
        let Some(frame) = self.frame else { return };
        let mut large: Vec<(VarId, u32)> = Vec::new();
        for (var, at) in &self.shared.at {
            if let At::Address(at) = at {
                large.push((*var, *at));
            }
        }
        large.sort_unstable();
        for (var, at) in large {
            if let Home::Memory(place) = self.vars[var.0 as usize] {
                let address = self.address(place);
                self.f.store(Width::D, frame.at(at), Operand::Val(address));
            }
        }
    }

    fn own_home(&mut self, var: &Var) -> Home {
        if var.ty.is_scalar() && !var.addressed {
            return Home::Register(self.f.var());
        }
        let place = self.memory(var.ty.size());
        if var.addressed {
            self.f.pin(place);
        }
        Home::Memory(place)
    }

    /// `return` and `exit()`: leaves the program or the function, also from within one that is called back.
    pub(super) fn leave(&mut self, what: Leave) {
        match self.context {
            Context::Callback { stop } => {
                if let Some(frame) = self.frame {
                    self.f.store(Width::D, frame.at(ENDED), Operand::Imm(what as i32));
                }
                self.f.push(Op::Const { dst: stop, value: 1 });
            }
            Context::Subprogram { ended: Some(ended) } if what == Leave::End => {
                self.f.push(Op::Const { dst: ended, value: 1 });
            }
            Context::Program | Context::Subprogram { .. } => {}
        }
        self.f.push(Op::Jump(self.exit));
    }

    /// Goes on leaving what a function that was called back has begun to leave; `ended` is its [`Leave`].
    fn go_on_leaving(&mut self, ended: Val) {
        match self.context {
            // The frame says so already.
            Context::Callback { stop } => {
                self.f.push(Op::Const { dst: stop, value: 1 });
                self.f.push(Op::Jump(self.exit));
            }
            Context::Subprogram { ended: Some(_) } => {
                let all = self.f.label();
                self.f.branch(Cond::Eq, ended, Operand::Imm(Leave::End as i32), all);
                self.leave(Leave::Return);
                self.f.push(Op::Label(all));
                self.leave(Leave::End);
            }
            Context::Program | Context::Subprogram { ended: None } => self.leave(Leave::Return),
        }
    }

    /// `for ($kv : @m) { … }`
    pub(super) fn each_entry(&mut self, var: VarId, map: MapId, body: &[Stmt]) {
        self.forget_changed(body, None);
        let entries = Arg::Map(self.map_ref(map));
        let entry = |l: &mut Self, [_, key, value, _]: [Val; 4], _| {
            l.set_entry(var, map, key.into(), value.into());
        };
        self.call_back(Helper::ForEachMapElem, entries, entry, body);
    }

    /// The number of a map's entries on kernels that have no function for it: what the kernel says at the end of a walk over them.
    pub(super) fn count_entries(&mut self, map: MapId) -> Val {
        let mut nothing = Func::new(Role::Callback);
        let _: [Val; 4] = std::array::from_fn(|_| nothing.param());
        nothing.push(Op::Line(self.span));
        nothing.push(Op::Exit(0));
        self.f.subs.push(nothing);
        let reference = self.map_ref(map);
        let args = [Arg::Map(reference), Arg::Func(self.f.subs.len() - 1), Arg::Imm(0), Arg::Imm(0)];
        self.f.call(Helper::ForEachMapElem, &args)
    }

    /// A loop: calls a helper that calls a function back for each round of what `over` says, and goes on leaving what a round has begun
    /// to leave. `head` comes first in each round; it is given what the helper tells, and where to go when there are to be no more
    /// rounds. Gives what the helper returned.
    pub(super) fn call_back<const N: usize>(
        &mut self,
        helper: Helper,
        over: Arg,
        head: impl FnOnce(&mut Self, [Val; N], Label),
        body: &[Stmt],
    ) -> Val {
        // Programs with such a loop have a frame: see [`Scan`].
        let Some(frame) = self.frame else { return self.f.constant(0) };
        let (span, outer) = (self.span, self.enter());
        self.round(head, body);
        let sub = self.return_to(outer);
        self.span = span;
        self.f.subs.push(sub);
        let args = [over, Arg::Func(self.f.subs.len() - 1), Arg::Addr(frame), Arg::Imm(0)];
        let result = self.f.call(helper, &args);
        let ended = self.f.load(Width::D, frame.at(ENDED));
        let on = self.f.label();
        self.f.branch(Cond::Eq, ended, Operand::Imm(0), on);
        self.go_on_leaving(ended);
        self.f.push(Op::Label(on));
        result
    }

    /// Begins a function that is called back.
    fn enter(&mut self) -> Outer {
        let mut f = Func::new(Role::Callback);
        let (exit, quit, stop) = (f.label(), f.label(), f.var());
        Outer {
            f: std::mem::replace(&mut self.f, f),
            exit: std::mem::replace(&mut self.exit, exit),
            quit: std::mem::replace(&mut self.quit, quit),
            vars: std::mem::take(&mut self.vars),
            rounds: std::mem::take(&mut self.rounds),
            scratch_slots: std::mem::take(&mut self.scratch_slots),
            known: std::mem::take(&mut self.known),
            context: std::mem::replace(&mut self.context, Context::Callback { stop }),
            frame: self.frame.take(),
        }
    }

    fn return_to(&mut self, outer: Outer) -> Func {
        self.exit = outer.exit;
        self.quit = outer.quit;
        self.vars = outer.vars;
        self.rounds = outer.rounds;
        self.scratch_slots = outer.scratch_slots;
        self.known = outer.known;
        self.context = outer.context;
        self.frame = outer.frame;
        std::mem::replace(&mut self.f, outer.f)
    }

    /// The function: its variables, the head and the block, and whether it is to be called again.
    fn round<const N: usize>(&mut self, head: impl FnOnce(&mut Self, [Val; N], Label), body: &[Stmt]) {
        let Context::Callback { stop } = self.context else { return };
        self.f.push(Op::Line(self.span));
        let told: [Val; N] = std::array::from_fn(|_| self.f.param());
        // The last is what the caller of the helper gave it.
        let frame = Place::from(told[N - 1]);
        self.frame = Some(frame);
        self.f.push(Op::Const { dst: stop, value: 0 });
        self.f.push(Op::Load { width: Width::D, dst: Func::CTX, from: frame.at(CONTEXT) });
        let claim_at = self.f.ops.len();
        for (n, var) in self.defs.iter().enumerate() {
            let home = match self.shared.at.get(&VarId(n as u32)) {
                Some(At::Value(at)) => Home::Memory(frame.at(*at)),
                Some(At::Address(at)) => {
                    let at = *at;
                    Home::Memory(self.f.load(Width::D, frame.at(at)).into())
                }
                None => self.own_home(var),
            };
            self.vars.push(home);
        }
        let (next, end) = (self.exit, self.f.label());
        head(self, told, end);
        self.rounds.push(super::loops::Round { next, end });
        self.block(body);
        self.rounds.pop();
        self.f.push(Op::Jump(next));
        self.f.push(Op::Label(end));
        self.f.push(Op::Const { dst: stop, value: 1 });
        self.f.push(Op::Label(self.exit));
        self.finish_scratch(claim_at);
        self.f.push(Op::Label(self.quit));
        let on = self.f.label();
        self.f.branch(Cond::Eq, stop, Operand::Imm(0), on);
        self.f.push(Op::Exit(1));
        self.f.push(Op::Label(on));
        self.f.push(Op::Exit(0));
    }

    /// Sets the variable of the loop to the tuple of key and value.
    fn set_entry(&mut self, var: VarId, map: MapId, key: Place, value: Place) {
        let ty = &self.defs[var.0 as usize].ty;
        let (Type::Tuple(members), Home::Memory(to)) = (ty, self.vars[var.0 as usize]) else { return };
        let [key_ty, value_ty] = members.as_slice() else { return };
        let offsets = ty.member_offsets();
        let (first, second, size) = (offsets[0], offsets[1], ty.size());
        self.copy(key, to.at(first), key_ty.size());
        self.clear(to.at(first + key_ty.size()), second - first - key_ty.size());
        match self.unit.user_maps[map.0 as usize].value.clone() {
            MapValue::Plain(_) => self.copy(value, to.at(second), value_ty.size()),
            MapValue::Agg(agg) => {
                let merged = self.read_parts(map, key, agg);
                let merged = self.operand(merged);
                self.f.store(Width::D, to.at(second), merged);
            }
        }
        self.clear(to.at(second + value_ty.size()), size - second - value_ty.size());
        debug_assert!(layout::key_size(Some(key_ty)) >= key_ty.size());
    }
}
