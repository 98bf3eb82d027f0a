//! Stacks that are walked by unwinding tables (`dw_ustack`): a function of the program goes from frame to frame, finds the mapping of
//! the code and its row in the maps that [`crate::unwind`] describes, and reads the caller's registers from the thread's stack. Code
//! without rows is left by its frame pointer, as Go code and code that is made at run time have them.

use super::Lower;
use super::subprogram::Own;
use super::unwind_row::Maps;
use crate::error::Error;
use crate::helper::{Callee, Helper};
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Base, Func, Label, Op, Operand, Place, Role, Storage, Val};
use crate::machine::ReturnAddress;
use crate::object::CounterKind;
use crate::target::Loops;
use crate::unwind::{self, SignalFrame, Step};
use lang::env::Stop;
use lang::hir::{Attach, Expr};
use lang::types::{AddrSpace, Type};

/// In what the function returns, above the number of frames: code without a table was met; a rule was not understood.
pub(super) const NO_TABLE: i32 = 1 << 16;
pub(super) const UNKNOWN_RULE: i32 = 1 << 17;
const FRAMES: i32 = 0xff;
/// Frames of the longest stack, a power of two less one.
const MOST_FRAMES: i32 = 127;

/// Most frames where the verifier follows each round of a loop: its time doubles with two or three more.
const MOST_FOLLOWED: u16 = 12;

/// Which function is needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Walk {
    /// Most frames.
    limit: u16,
    /// At the probe the return address is where calls leave it: on top of the stack, or in its register.
    on_top: bool,
}

/// What changes from frame to frame.
#[derive(Clone, Copy)]
pub(super) struct Registers {
    pub ip: Val,
    /// On arm64 0 where it is not known: behind a frame that was left by its frame pointer.
    pub sp: Val,
    /// The frame pointer.
    pub bp: Val,
    /// The register of the return address, where there is one; 0 where what it had is lost, in functions that have called others.
    pub link: Option<Val>,
    /// The address that is looked up: of a caller an address in its call, which may be the last instruction of its function.
    pub looked_up: Val,
}

/// A row, taken apart.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    /// A [`Step`].
    pub step: Val,
    /// Of the CFA.
    pub offset: Val,
    /// The same in bytes.
    pub bytes: Val,
    /// Words below the CFA.
    pub saved: Val,
}

/// What a walk knows.
#[derive(Clone, Copy)]
struct Way {
    /// Address of the stack value.
    to: Val,
    /// The instruction that it begins with.
    start: Val,
    /// The range of the process's mappings.
    first: Val,
    count: Val,
    at: Registers,
    frames: Val,
    flags: Val,
}

impl Way {
    /// Values that no frame changes.
    const CONSTANT: usize = 4;

    fn constant(self) -> [Val; Way::CONSTANT] {
        [self.to, self.start, self.first, self.count]
    }

    fn changing(self) -> impl Iterator<Item = Val> {
        let Registers { ip, sp, bp, link, looked_up } = self.at;
        [ip, sp, bp, looked_up, self.frames, self.flags].into_iter().chain(link)
    }

    /// The places of both in memory.
    fn places(at: Place) -> impl Iterator<Item = Place> {
        (0..).step_by(8).map(move |offset| at.at(offset))
    }
}

/// Where a frame leads.
#[derive(Clone, Copy)]
pub(super) struct Ways {
    pub next: Label,
    pub end: Label,
    pub by_frame_pointer: Label,
}

impl Lower<'_, '_> {
    /// A stack of a program, walked by its unwinding tables.
    pub(super) fn store_unwound(&mut self, e: &Expr, to: Place) {
        let Type::Stack { limit, .. } = e.ty else { return };
        if let Err(error) = self.can_unwind(e) {
            self.fail(error);
            return;
        }
        // Older kernels let no function write to a place on the caller's stack that it has computed.
        let on_stack = match to.base {
            Base::Slot(slot) => self.f.slots[slot.0 as usize].storage == Storage::Stack,
            Base::Val(_) => false,
        };
        let size = Type::stack_size(limit);
        let room = if on_stack { self.scratch(size) } else { to };
        self.clear(room, size);
        let registers = self.user_registers();
        let on_top = match &self.probe.attach {
            Attach::Uprobe { class, .. } => {
                matches!(class.stop, Stop::Entry | Stop::EntryAtStackCheck | Stop::ReturnInsn)
            }
            _ => false,
        };
        let function = self.walker(Walk { limit, on_top });
        let args = std::iter::once(Arg::Addr(room)).chain(registers.into_iter().map(Arg::Val)).collect();
        let mut told = self.f.temp();
        self.f.push(Op::Call { callee: Callee::Function(function), args, ret: Some(told) });
        // What the verifier knew of the result would keep it from finding rounds of the walk alike.
        if let Some(zero) = self.unknown() {
            told = self.f.alu(AluOp::Add, told, Operand::Val(zero));
        }
        for (flag, counter) in
            [(NO_TABLE, CounterKind::NoUnwindTable), (UNKNOWN_RULE, CounterKind::UnknownUnwindRule)]
        {
            let (set, on) = (self.f.label(), self.f.label());
            self.f.branch(Cond::Set, told, Operand::Imm(flag), set);
            self.f.push(Op::Jump(on));
            self.f.push(Op::Label(set));
            self.count_error(counter);
            self.f.push(Op::Label(on));
        }
        let frames = self.f.alu(AluOp::And, told, Operand::Imm(FRAMES));
        let header = self.f.alu(AluOp::Lsh, frames, Operand::Imm(Type::STACK_FRAMES_SHIFT as i32));
        let owner = self.tgid();
        let header = self.f.alu(AluOp::Or, header, Operand::Val(owner));
        self.f.store(Width::W, room, Operand::Val(header));
        if on_stack {
            self.copy(room, to, size);
        }
    }

    fn can_unwind(&self, e: &Expr) -> Result<(), Error> {
        let target = self.unit.target;
        if target.unwind.is_none() {
            let error = Error::new(e.span, "`dw_ustack` needs a process, whose unwinding tables it walks by");
            return Err(error.help("give one with -p PID, -c CMD or --dwarf-pid PID; `ustack` needs none"));
        }
        let Type::Stack { limit, .. } = e.ty else { return Ok(()) };
        if target.loops == Loops::Plain && limit > MOST_FOLLOWED {
            let error = Error::new(
                e.span,
                format!("`dw_ustack` of {limit} frames is more than the verifier of this kernel can follow"),
            );
            return Err(error.help(format!(
                "write `dw_ustack({MOST_FOLLOWED})`; since 5.17 Linux lets a program call a function in a loop (bpf_loop)"
            )));
        }
        if !matches!(self.probe.attach, Attach::Uprobe { .. }) && !target.task_registers {
            let error = Error::new(
                e.span,
                "`dw_ustack` is not available in this probe: this kernel does not tell the registers of the program (bpf_task_pt_regs)",
            );
            return Err(error.help("Linux has it since 5.15; at uprobes `dw_ustack` works without it"));
        }
        Ok(())
    }

    /// Instruction, stack and frame pointer of the program, and the register of the return address if there is one: where the probe is
    /// in it, else where it entered the kernel.
    fn user_registers(&mut self) -> Vec<Val> {
        let machine = self.machine();
        let mut names = vec![machine.ip, "sp", machine.frame];
        names.extend(self.link_register());
        if matches!(self.probe.attach, Attach::Uprobe { .. }) {
            return names.into_iter().map(|name| self.register(name)).collect();
        }
        let arch = self.unit.target.arch;
        let task = self.f.call(Helper::CurrentTaskBtf, &[]);
        let registers = self.f.call(Helper::TaskRegisters, &[Arg::Val(task)]);
        let mut register = |name: &str| {
            let index = i32::from(arch.register(name).unwrap_or(0));
            let value = self.f.var();
            self.word_or_zero(AddrSpace::Kernel, registers, 8 * index, value);
            self.copy_of(value)
        };
        names.into_iter().map(&mut register).collect()
    }

    /// The register of the return address, if there is one.
    fn link_register(&self) -> Option<&'static str> {
        match self.machine().return_address {
            ReturnAddress::Stack => None,
            ReturnAddress::Register(name) => Some(name),
        }
    }

    /// The function that walks, made when the program needs it first.
    fn walker(&mut self, walk: Walk) -> usize {
        if let Some(index) = self.functions.walkers.get(&walk) {
            return *index;
        }
        // A digit in front: no function of a script is called so.
        let name = format!("{}_unwind{}", walk.limit, if walk.on_top { "_entry" } else { "" });
        let own = Own { defs: &[], shared: Default::default(), span: self.span };
        let f = self.in_function(&name, own, |lower| {
            lower.f.push(Op::Line(lower.span));
            lower.walk_by_tables(walk);
        });
        let index = self.functions.add(f);
        self.functions.walkers.insert(walk, index);
        index
    }

    /// The function: its arguments are the stack value and [`Lower::user_registers`]; it returns the number of frames and flags.
    fn walk_by_tables(&mut self, walk: Walk) {
        let to = self.f.param();
        let start = [self.f.param(), self.f.param(), self.f.param()];
        let start_link = self.link_register().map(|_| self.f.param());
        // What the loop changes must be unknown to the verifier before it, see `loops`.
        let zero = self.unknown();
        let way = self.way(to, start[0]);
        let Way { at, frames, flags, .. } = way;
        let known = [(at.ip, start[0]), (at.sp, start[1]), (at.bp, start[2]), (at.looked_up, start[0])];
        for (var, value) in known.into_iter().chain(at.link.zip(start_link)) {
            self.f.push(Op::Copy { dst: var, src: value });
        }
        for var in [frames, flags] {
            match zero {
                Some(zero) => self.f.push(Op::Copy { dst: var, src: zero }),
                None => self.f.push(Op::Const { dst: var, value: 0 }),
            }
        }
        self.code_of_process(way.first, way.count);
        if self.unit.target.loops == Loops::Callback {
            self.frames_called_back(walk, way);
        } else {
            let ways =
                Ways { next: self.f.loop_label(), end: self.f.label(), by_frame_pointer: self.f.label() };
            self.f.push(Op::Label(ways.next));
            self.frame_of(walk, way, ways);
            self.f.push(Op::Label(ways.end));
        }
        let told = self.f.alu(AluOp::Or, frames, Operand::Val(flags));
        self.f.push(Op::Return(told));
    }

    fn way(&mut self, to: Val, start: Val) -> Way {
        let [ip, sp, bp, looked_up, frames, flags, first, count] = [(); 8].map(|()| self.f.var());
        let link = self.link_register().map(|_| self.f.var());
        Way { to, start, at: Registers { ip, sp, bp, link, looked_up }, frames, flags, first, count }
    }

    /// Calls a function back for each frame: kernels before 6.9 follow a loop round by round, all ways through each.
    fn frames_called_back(&mut self, walk: Walk, way: Way) {
        let words = Way::CONSTANT + way.changing().count();
        let state: Place = self.f.slot(8 * words as u32).into();
        for (val, place) in way.constant().into_iter().chain(way.changing()).zip(Way::places(state)) {
            self.f.store(Width::D, place, Operand::Val(val));
        }
        let outside = std::mem::replace(&mut self.f, Func::new(Role::Callback));
        self.f.push(Op::Line(self.span));
        let [_, given] = [self.f.param(), self.f.param()];
        let [to, start] = [self.f.var(), self.f.var()];
        let inside = self.way(to, start);
        for (val, place) in
            inside.constant().into_iter().chain(inside.changing()).zip(Way::places(given.into()))
        {
            self.f.push(Op::Load { width: Width::D, dst: val, from: place });
        }
        let ways = Ways { next: self.f.label(), end: self.f.label(), by_frame_pointer: self.f.label() };
        self.frame_of(walk, inside, ways);
        for (label, again) in [(ways.next, 0), (ways.end, 1)] {
            self.f.push(Op::Label(label));
            for (val, place) in inside.changing().zip(Way::places(given.into()).skip(Way::CONSTANT)) {
                self.f.store(Width::D, place, Operand::Val(val));
            }
            self.f.push(Op::Exit(again));
        }
        let frame = std::mem::replace(&mut self.f, outside);
        self.f.subs.push(frame);
        let rounds = Arg::Imm(i64::from(walk.limit));
        let args = [rounds, Arg::Func(self.f.subs.len() - 1), Arg::Addr(state), Arg::Imm(0)];
        self.f.call(Helper::Loop, &args);
        for (val, place) in way.changing().zip(Way::places(state).skip(Way::CONSTANT)) {
            self.f.push(Op::Load { width: Width::D, dst: val, from: place });
        }
    }

    /// Notes a frame and goes to its caller.
    fn frame_of(&mut self, walk: Walk, way: Way, ways: Ways) {
        let finder = self.row_finder();
        let Way { to, start, at, frames, flags, first, count } = way;
        let limit = i32::from(walk.limit);
        // A value of its own, whose bounds the verifier keeps up to its use: those of one on the stack older kernels forget.
        let number = self.f.alu(AluOp::And, frames, Operand::Imm(MOST_FRAMES));
        self.f.branch(Cond::Ge, number, Operand::Imm(limit), ways.end);
        if self.unit.target.loops == Loops::MayGoto {
            self.f.push(Op::MayGoto(ways.end));
        }
        let offset = self.f.alu(AluOp::Lsh, number, Operand::Imm(3));
        let place = self.f.alu(AluOp::Add, to, Operand::Val(offset));
        self.f.store(Width::D, Place::from(place).at(8), Operand::Val(at.ip));
        self.f.push(Op::Alu { op: AluOp::Add, dst: frames, a: frames, b: Operand::Imm(1) });
        self.f.branch(Cond::Ge, frames, Operand::Imm(limit), ways.end);

        let args = vec![Arg::Val(first), Arg::Val(count), Arg::Val(at.looked_up)];
        let row = self.f.temp();
        self.f.push(Op::Call { callee: Callee::Function(finder), args, ret: Some(row) });
        match at.link {
            None => self.step(at, row, flags, ways),
            Some(link) => self.step_linked(at, link, row, flags, ways),
        }

        self.f.push(Op::Label(ways.by_frame_pointer));
        if walk.on_top {
            self.first_by_call(at, start, ways);
        }
        self.step_by_frame_pointer(at, ways);
    }

    /// Zero, which the verifier does not know; where it need not be unknown, nothing.
    fn unknown(&mut self) -> Option<Val> {
        (self.unit.target.loops != Loops::Plain).then(|| self.unknown_zero())
    }

    /// Sets the range of the process's mappings; of a process without any the range is empty.
    fn code_of_process(&mut self, first: Val, count: Val) {
        let key: Place = self.f.slot(4).into();
        let tgid = self.tgid();
        self.f.store(Width::W, key, Operand::Val(tgid));
        let map = self.unwind_map(Maps::Processes);
        let found = self.f.call(Helper::MapLookup, &[Arg::Map(map), Arg::Addr(key)]);
        let (known, on) = (self.f.label(), self.f.label());
        self.f.branch(Cond::Ne, found, Operand::Imm(0), known);
        self.f.push(Op::Const { dst: first, value: 0 });
        self.f.push(Op::Const { dst: count, value: 0 });
        self.f.push(Op::Jump(on));
        self.f.push(Op::Label(known));
        self.f.push(Op::Load { width: Width::W, dst: first, from: found.into() });
        self.f.push(Op::Load { width: Width::W, dst: count, from: Place::from(found).at(4) });
        self.f.push(Op::Label(on));
    }

    pub(super) fn set_flag(&mut self, flags: Val, flag: i32) {
        self.f.push(Op::Alu { op: AluOp::Or, dst: flags, a: flags, b: Operand::Imm(flag) });
    }

    /// What a row says.
    pub(super) fn parts_of_row(&mut self, row: Val) -> Parts {
        let rule = self.f.alu(AluOp::Rsh, row, Operand::Imm(32));
        let step = self.f.alu(AluOp::And, rule, Operand::Imm((1 << unwind::STEP_BITS) - 1));
        let saved = self.f.alu(AluOp::Rsh, row, Operand::Imm(64 - unwind::SAVED_BITS as i32));
        let offset = self.f.alu(AluOp::Lsh, row, Operand::Imm(unwind::SAVED_BITS as i32));
        let offset = self.f.alu(AluOp::Arsh, offset, Operand::Imm(64 - unwind::OFFSET_BITS as i32));
        let bytes = self.f.alu(AluOp::Lsh, offset, Operand::Imm(3));
        Parts { step, offset, bytes, saved }
    }

    /// Goes on where a row gives no rule that is understood.
    pub(super) fn without_rule(&mut self, step: Val, flags: Val, ways: Ways) {
        let missing = self.f.label();
        self.f.branch(Cond::Eq, step, Operand::Imm(i32::from(Step::Missing as u8)), missing);
        self.set_flag(flags, UNKNOWN_RULE);
        self.f.push(Op::Jump(ways.end));
        self.f.push(Op::Label(missing));
        self.set_flag(flags, NO_TABLE);
        self.f.push(Op::Jump(ways.by_frame_pointer));
    }

    /// Goes on with the code that a signal has interrupted.
    pub(super) fn leave_handler(&mut self, at: Registers, ways: Ways) {
        let SignalFrame { frame, link, sp, ip } = SignalFrame::of(self.unit.target.arch);
        let size = ip + 8 - frame;
        let registers: Place = self.f.slot(size).into();
        let from = self.f.alu(AluOp::Add, at.sp, Operand::Imm(frame as i32));
        self.read_or(registers, size, from, ways.end);
        let known = [(at.bp, frame), (at.sp, sp), (at.ip, ip)];
        for (register, offset) in known.into_iter().chain(at.link.zip(link)) {
            let from = registers.at(offset - frame);
            self.f.push(Op::Load { width: Width::D, dst: register, from });
        }
        // The code was interrupted, it has called nothing.
        self.f.push(Op::Copy { dst: at.looked_up, src: at.ip });
        self.f.push(Op::Jump(ways.next));
    }

    /// Goes to the caller as a row of x86-64 says.
    fn step(&mut self, at: Registers, row: Val, flags: Val, ways: Ways) {
        let Parts { step, offset, bytes, saved } = self.parts_of_row(row);
        let [by_bp, plt, at_sp, at_bp, signal, found] = [(); 6].map(|()| self.f.label());
        let cfa = self.f.var();
        let word: Place = self.f.slot(16).into();

        let is = |lower: &mut Self, which: Step, label: Label| {
            lower.f.branch(Cond::Eq, step, Operand::Imm(i32::from(which as u8)), label);
        };
        let sp = self.f.label();
        is(self, Step::Sp, sp);
        is(self, Step::Bp, by_bp);
        is(self, Step::FramePointer, ways.by_frame_pointer);
        is(self, Step::Plt, plt);
        is(self, Step::AtSp, at_sp);
        is(self, Step::AtBp, at_bp);
        is(self, Step::Signal, signal);
        is(self, Step::End, ways.end);
        self.without_rule(step, flags, ways);

        self.f.push(Op::Label(signal));
        self.leave_handler(at, ways);

        self.f.push(Op::Label(plt));
        self.f.push(Op::Alu { op: AluOp::Add, dst: cfa, a: at.sp, b: Operand::Imm(8) });
        let within = self.f.alu(AluOp::And, at.looked_up, Operand::Imm(15));
        self.f.branch(Cond::Gt, offset, Operand::Val(within), found);
        self.f.push(Op::Alu { op: AluOp::Add, dst: cfa, a: cfa, b: Operand::Imm(8) });
        self.f.push(Op::Jump(found));

        self.f.push(Op::Label(at_sp));
        let from = self.f.alu(AluOp::Add, at.sp, Operand::Val(bytes));
        self.read_or(word, 8, from, ways.end);
        self.f.push(Op::Load { width: Width::D, dst: cfa, from: word });
        self.f.push(Op::Alu { op: AluOp::Add, dst: cfa, a: cfa, b: Operand::Imm(8) });
        self.f.push(Op::Jump(found));

        self.f.push(Op::Label(at_bp));
        let from = self.f.alu(AluOp::Add, at.bp, Operand::Val(bytes));
        self.read_or(word, 8, from, ways.end);
        self.f.push(Op::Load { width: Width::D, dst: cfa, from: word });
        self.read_or(word, 8, at.bp, ways.end);
        self.f.push(Op::Load { width: Width::D, dst: at.bp, from: word });
        self.f.push(Op::Jump(found));

        self.f.push(Op::Label(by_bp));
        self.f.push(Op::Alu { op: AluOp::Add, dst: cfa, a: at.bp, b: Operand::Val(bytes) });
        self.f.push(Op::Jump(found));

        self.f.push(Op::Label(sp));
        self.f.push(Op::Alu { op: AluOp::Add, dst: cfa, a: at.sp, b: Operand::Val(bytes) });
        self.f.push(Op::Label(found));
        let (kept, restored) = (self.f.label(), self.f.label());
        self.f.branch(Cond::Eq, saved, Operand::Imm(0), kept);
        let below = self.f.alu(AluOp::Lsh, saved, Operand::Imm(3));
        let from = self.f.alu(AluOp::Sub, cfa, Operand::Val(below));
        self.read_or(word, 8, from, ways.end);
        self.f.push(Op::Load { width: Width::D, dst: at.bp, from: word });
        self.f.push(Op::Jump(restored));
        self.f.push(Op::Label(kept));
        self.f.push(Op::Label(restored));
        let from = self.f.alu(AluOp::Add, cfa, Operand::Imm(-8));
        self.read_or(word, 8, from, ways.end);
        self.f.push(Op::Copy { dst: at.sp, src: cfa });
        self.return_to_caller(at, word, ways);
    }

    /// Where a function is entered or left that the tables do not know, its return address is where calls leave it.
    fn first_by_call(&mut self, at: Registers, start: Val, ways: Ways) {
        let other = self.f.label();
        // To compare the number of frames would make it known, and the verifier count on from there.
        self.f.branch(Cond::Ne, at.ip, Operand::Val(start), other);
        if let Some(link) = at.link {
            self.return_by_link(at, link, ways);
        } else {
            let word: Place = self.f.slot(8).into();
            self.read_or(word, 8, at.sp, ways.end);
            self.f.push(Op::Alu { op: AluOp::Add, dst: at.sp, a: at.sp, b: Operand::Imm(8) });
            self.return_to_caller(at, word, ways);
        }
        self.f.push(Op::Label(other));
    }

    /// The frame pointer leads to the caller's, with the return address above it.
    fn step_by_frame_pointer(&mut self, at: Registers, ways: Ways) {
        let words: Place = self.f.slot(16).into();
        self.f.branch(Cond::Eq, at.bp, Operand::Imm(0), ways.end);
        self.read_or(words, 16, at.bp, ways.end);
        match at.link {
            None => self.f.push(Op::Alu { op: AluOp::Add, dst: at.sp, a: at.bp, b: Operand::Imm(16) }),
            // The two words are anywhere in the frame.
            Some(_) => self.f.push(Op::Const { dst: at.sp, value: 0 }),
        }
        self.f.push(Op::Load { width: Width::D, dst: at.bp, from: words });
        match at.link {
            None => self.return_to_caller(at, words.at(8), ways),
            Some(link) => {
                self.f.push(Op::Load { width: Width::D, dst: link, from: words.at(8) });
                self.return_by_link(at, link, ways);
            }
        }
    }

    /// Goes on with the return address that was read to a place.
    fn return_to_caller(&mut self, at: Registers, from: Place, ways: Ways) {
        self.f.push(Op::Load { width: Width::D, dst: at.ip, from });
        self.f.branch(Cond::Eq, at.ip, Operand::Imm(0), ways.end);
        self.f.push(Op::Alu { op: AluOp::Add, dst: at.looked_up, a: at.ip, b: Operand::Imm(-1) });
        self.f.push(Op::Jump(ways.next));
    }

    /// Reads memory of the program; jumps away when it cannot be read.
    pub(super) fn read_or(&mut self, to: Place, size: u32, from: Val, otherwise: Label) {
        let args = [Arg::Addr(to), Arg::Imm(size.into()), Arg::Val(from)];
        let failed = self.f.call(Helper::ReadUser, &args);
        self.f.branch(Cond::Ne, failed, Operand::Imm(0), otherwise);
    }
}
