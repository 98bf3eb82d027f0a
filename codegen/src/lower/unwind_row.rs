//! Finds the row of an unwinding table that holds at an address: a function of the programs that walk stacks by tables (`unwind`). The
//! maps are those of [`crate::unwind`].
//!
//! The searches halve a range again and again and choose by arithmetic, not by jumps, so that the verifier has few ways to follow.

use super::Lower;
use super::subprogram::Own;
use crate::helper::Helper;
use crate::insn::{AluOp, AtomicOp, Cond, Width};
use crate::ir::{Arg, Func, Label, MapRef, Op, Operand, Place, Val};
use crate::object::{MapDef, MapKind};
use crate::unwind::{self, Code, Step};

impl Lower<'_, '_> {
    /// The function that finds rows, made when the program needs it first. The verifier looks at it by itself, or it would follow all
    /// ways through both searches for each frame.
    pub(super) fn row_finder(&mut self) -> usize {
        if let Some(index) = self.functions.finder {
            return index;
        }
        let own = Own { defs: &[], shared: Default::default(), span: self.span };
        let f = self.in_function("0_unwind_row", own, |lower| {
            lower.f.push(Op::Line(lower.span));
            lower.find_row();
        });
        let index = self.functions.add(Func { separate: true, ..f });
        self.functions.finder = Some(index);
        index
    }

    /// The function: its arguments are the range of the process's mappings and an address; it returns the row that holds there, or a
    /// word with a step alone.
    fn find_row(&mut self) {
        let (first, count, wanted) = (self.f.param(), self.f.param(), self.f.param());
        let [missed, nothing, has_rows] = [(); 3].map(|()| self.f.label());
        self.f.branch(Cond::Eq, count, Operand::Imm(0), nothing);
        let search = Search { map: Maps::Code, width: Width::D, steps: unwind::CODE_STEPS };
        let code = self.search(search, first, count, wanted, missed);
        let start = self.f.load(Width::D, Place::from(code).at(unwind::CODE_START));
        self.f.branch(Cond::Gt, start, Operand::Val(wanted), missed);
        let end = self.f.load(Width::D, Place::from(code).at(unwind::CODE_END));
        self.f.branch(Cond::Ge, wanted, Operand::Val(end), missed);
        let base = self.f.load(Width::D, Place::from(code).at(unwind::CODE_BASE));
        let first = self.f.load(Width::W, Place::from(code).at(unwind::CODE_FIRST));
        let count = self.f.load(Width::W, Place::from(code).at(unwind::CODE_COUNT));
        self.f.branch(Cond::Ne, count, Operand::Imm(0), has_rows);
        // The word behind the number says in its place how such code is left.
        let step = self.f.alu(AluOp::Lsh, first, Operand::Imm(32));
        self.f.push(Op::Return(step));

        self.f.push(Op::Label(has_rows));
        let distance = self.f.alu(AluOp::Sub, wanted, Operand::Val(base));
        let search = Search { map: Maps::Rows, width: Width::W, steps: unwind::ROW_STEPS };
        let found = self.search(search, first, count, distance, nothing);
        let start = self.f.load(Width::W, found.into());
        self.f.branch(Cond::Gt, start, Operand::Val(distance), nothing);
        let row = self.f.load(Width::D, found.into());
        self.f.push(Op::Return(row));

        // The process has mapped something since its mappings were read: the reader looks again.
        self.f.push(Op::Label(missed));
        let one = self.f.constant(1);
        let counter = self.missed_counter();
        self.f.push(Op::Atomic { op: AtomicOp::Add, on: counter.into(), src: one, old: None });
        self.f.push(Op::Label(nothing));
        let row = self.f.constant(unwind::row(0, Step::Missing, 0, 0));
        self.f.push(Op::Return(row));
    }

    /// Address of the last entry of a range, in ascending order of its first word, whose first word is not above `wanted`; of the
    /// first entry if there is none.
    fn search(&mut self, search: Search, first: Val, count: Val, wanted: Val, lost: Label) -> Val {
        let map = self.unwind_map(search.map);
        let key: Place = self.f.slot(4).into();
        let [at, left, rounds] = [(); 3].map(|()| self.f.var());
        self.f.push(Op::Copy { dst: at, src: first });
        self.f.push(Op::Copy { dst: left, src: count });
        self.f.push(Op::Const { dst: rounds, value: search.steps.into() });
        let (next, done) = (self.f.loop_label(), self.f.label());
        self.f.push(Op::Label(next));
        let half = self.f.alu(AluOp::Rsh, left, Operand::Imm(1));
        self.f.branch(Cond::Eq, half, Operand::Imm(0), done);
        let middle = self.f.alu(AluOp::Add, at, Operand::Val(half));
        self.f.store(Width::W, key, Operand::Val(middle));
        let entry = self.f.call(Helper::MapLookup, &[Arg::Map(map), Arg::Addr(key)]);
        self.f.branch(Cond::Eq, entry, Operand::Imm(0), lost);
        let word = self.f.load(search.width, entry.into());
        // Addresses of programs are positive, so the sign tells which is greater: all bits where the middle is too far.
        let distance = self.f.alu(AluOp::Sub, wanted, Operand::Val(word));
        let too_far = self.f.alu(AluOp::Arsh, distance, Operand::Imm(63));
        let near = self.f.alu(AluOp::Xor, too_far, Operand::Imm(-1));
        let by = self.f.alu(AluOp::And, near, Operand::Val(half));
        self.f.push(Op::Alu { op: AluOp::Add, dst: at, a: at, b: Operand::Val(by) });
        self.f.push(Op::Alu { op: AluOp::Sub, dst: left, a: left, b: Operand::Val(half) });
        self.f.push(Op::Alu { op: AluOp::Sub, dst: rounds, a: rounds, b: Operand::Imm(1) });
        self.f.branch(Cond::Ne, rounds, Operand::Imm(0), next);
        self.f.push(Op::Label(done));
        self.f.store(Width::W, key, Operand::Val(at));
        let entry = self.f.call(Helper::MapLookup, &[Arg::Map(map), Arg::Addr(key)]);
        self.f.branch(Cond::Eq, entry, Operand::Imm(0), lost);
        entry
    }

    fn missed_counter(&mut self) -> Val {
        let index = self.unit.global(unwind::MISSED);
        self.unit.maps[index].value_size = 8;
        let address = self.f.temp();
        self.f.push(Op::MapAddr { dst: address, map: MapRef(index as u32), offset: 0 });
        address
    }

    pub(super) fn unwind_map(&mut self, which: Maps) -> MapRef {
        let rows = self.unit.target.unwind.map_or(1, |room| room.rows.max(1));
        let (name, kind, value_size, max_entries) = match which {
            Maps::Rows => (unwind::ROWS, MapKind::Array, 8, rows),
            Maps::Code => (unwind::CODE, MapKind::Array, Code::SIZE, unwind::CODE_ENTRIES),
            Maps::Processes => (unwind::PROCESSES, MapKind::Hash, 8, unwind::MOST_PROCESSES),
        };
        let maps = &mut self.unit.maps;
        let index = maps.iter().position(|map| map.name == name).unwrap_or_else(|| {
            maps.push(MapDef { name: name.into(), kind, key_size: 4, value_size, max_entries });
            maps.len() - 1
        });
        MapRef(index as u32)
    }
}

/// The maps of [`crate::unwind`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Maps {
    Rows,
    Code,
    Processes,
}

/// What is searched, and how often the range is halved at most.
#[derive(Clone, Copy, Debug)]
struct Search {
    map: Maps,
    /// Of the word that entries are ordered by, which is their first.
    width: Width,
    steps: u32,
}
