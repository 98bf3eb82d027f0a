//! Maps of Go programs: a walk over their entries, for a copy of the first ones and to find one by its key.
//!
//! Entries stand in blocks of eight ([`GoMapLayout`]). Which ones are there, a byte for each tells; which block a key is in, only the
//! program's hash function, so the walk goes through all blocks. It is one loop, with an entry in each round. All that it keeps is in
//! scratch memory, of which the verifier knows nothing: so for the verifier all rounds are the same.

use super::Lower;
use super::string::Pad;
use crate::insn::{AluOp, Cond, Width};
use crate::ir::{Arg, Label, Op, Operand, Place, Val};
use crate::object::CounterKind;
use crate::target::Loops;
use lang::gocopy::MapCopy;
use lang::gomap::{GoMapColumn, GoMapForm, GoMapLayout};
use lang::hir::{Expr, ExprKind};
use lang::types::{AddrSpace, Type};

/// Places that are looked at, with and without an entry, where the verifier need not follow each round.
const MOST: u32 = 1 << 13;
/// The same where it must follow them, which costs it time: with little and with much to do in a round.
const MOST_FOLLOWED: u32 = 1 << 7;
const MOST_LABORIOUS: u32 = 1 << 6;
/// Places in a block.
const ENTRIES: u32 = 8;

/// `runtime.hmap` (runtime/map.go, Go 1.15 to 1.23): the number of entries, flags, the binary logarithm of the number of buckets, the
/// buckets, and while the map grows the buckets before.
mod buckets {
    pub const COUNT: u32 = 0;
    pub const FLAGS: u32 = 8;
    pub const LOGARITHM: u32 = 9;
    pub const BUCKETS: u32 = 16;
    pub const OLD: u32 = 24;
    /// Flag: there are as many old buckets as new ones (`sameSizeGrow`), else half as many.
    pub const SAME_SIZE: i32 = 8;
    /// Least byte of an entry that is there (`minTopHash`).
    pub const FILLED: i32 = 5;
    /// The last word of a bucket is the address of the one that it leads on to.
    pub const OVERFLOW: u32 = 8;
}

/// `internal/runtime/maps.Map` (since Go 1.24): the number of entries, a group or an array of tables, and how many tables.
mod groups {
    pub const USED: u32 = 0;
    pub const DIRECTORY: u32 = 16;
    pub const TABLES: u32 = 24;
    /// `table.groups`: the address of the groups and their number less one.
    pub const GROUPS: u32 = 16;
    /// Set in the byte of an entry that is not there (`ctrlEmpty`, `ctrlDeleted`).
    pub const EMPTY: i32 = 0x80;
}

/// Bytes of a map's header that are read.
const HEADER: u32 = 32;

/// What a walk keeps, in words.
#[derive(Clone, Copy)]
struct Walk {
    /// The block that is being looked at.
    block: Place,
    /// Its bytes that say which entries are there.
    control: Place,
    /// The block behind it, and how many there are from there on.
    next: Place,
    left: Place,
    /// Buckets: the one that this one leads on to.
    overflow: Place,
    /// Buckets: the array to go on with. Groups: where the address of the next table is.
    then: Place,
    /// How many buckets, or tables, there are from there on.
    then_left: Place,
    /// Groups: the last table. Several places may lead to one.
    table: Place,
    /// For what is read.
    header: Place,
}

impl Walk {
    const SIZE: u32 = 64 + HEADER;

    fn at(memory: Place) -> Walk {
        let word = |n: u32| memory.at(8 * n);
        Walk {
            block: word(0),
            control: word(1),
            next: word(2),
            left: word(3),
            overflow: word(4),
            then: word(5),
            then_left: word(6),
            table: word(7),
            header: word(8),
        }
    }
}

/// What is done in a round.
#[derive(Clone, Copy)]
enum Rounds {
    Easy,
    Laborious,
}

/// An entry, and where the walk goes on from it.
pub(super) struct Entry {
    /// Address of the key.
    key: Val,
    /// Address of the element.
    element: Val,
    /// To the next one.
    next: Label,
    /// To the end.
    end: Label,
}

impl Lower<'_, '_> {
    /// The address of the element for a key, or 0.
    pub(super) fn find_in_go_map(&mut self, layout: &GoMapLayout, map: &Expr, key: &Expr) -> Val {
        let result = self.f.var();
        let none = self.f.label();
        self.f.push(Op::Const { dst: result, value: 0 });
        let map = self.scalar(map);
        let map = self.val(map);
        let wanted = self.wanted(key);
        self.f.branch(Cond::Eq, map, Operand::Imm(0), none);
        self.each_go_entry(map, layout, wanted.rounds(), Some(CounterKind::GoMapLimit), |lower, entry| {
            lower.unless_key(&wanted, &entry);
            lower.f.push(Op::Copy { dst: result, src: entry.element });
            lower.f.push(Op::Jump(entry.end));
        });
        self.f.push(Op::Label(none));
        self.copy_of(result)
    }

    /// Copies the number of entries and the first ones that there are; `at` is where the address of the map is.
    pub(super) fn copy_go_map(&mut self, map: &MapCopy, at: Place, base: Place) {
        let to = base.at(map.to);
        let copied = to.at(8);
        let most = map.entries.len() as u32;
        self.f.store(Width::D, copied, Operand::Imm(0));
        let address = self.f.load(Width::D, at);
        self.read(to, 8, address.into(), AddrSpace::User);
        if most == 0 {
            return;
        }
        // Entries go to places that are computed.
        self.f.pin(base);
        self.each_go_entry(address, &map.layout, Rounds::Laborious, None, |lower, entry| {
            let n = lower.f.load(Width::D, copied);
            let n = lower.clamp(n, most - 1);
            let offset = lower.f.alu(AluOp::Mul, n, Operand::Imm(map.stride as i32));
            let first = lower.address(to.at(MapCopy::HEADER));
            let there: Place = lower.f.alu(AluOp::Add, first, Operand::Val(offset)).into();
            lower.read_part(there, &map.layout.keys, entry.key);
            // The address again: one that is kept over a call costs a register.
            let there: Place = lower.f.alu(AluOp::Add, first, Operand::Val(offset)).into();
            lower.read_part(there.at(map.element), &map.layout.elements, entry.element);
            let n = lower.f.load(Width::D, copied);
            let n = lower.f.alu(AluOp::Add, n, Operand::Imm(1));
            lower.f.store(Width::D, copied, Operand::Val(n));
            lower.f.branch(Cond::Ge, n, Operand::Imm(most as i32), entry.end);
        });
    }

    fn read_part(&mut self, to: Place, column: &GoMapColumn, from: Val) {
        if column.size > 0 {
            self.read(to, column.size, from.into(), AddrSpace::User);
        }
    }

    /// Goes through the entries of a map that is not nil. If they are too many for that, `too_many` is counted.
    fn each_go_entry(
        &mut self,
        map: Val,
        layout: &GoMapLayout,
        rounds: Rounds,
        too_many: Option<CounterKind>,
        body: impl FnOnce(&mut Self, Entry),
    ) {
        let counted = self.unit.target.loops == Loops::MayGoto;
        let walk = Walk::at(self.scratch(Walk::SIZE));
        let (next, slot, end, limit) = (self.f.loop_label(), self.f.label(), self.f.label(), self.f.label());
        self.perhaps(|lower| {
            lower.read(walk.header, HEADER, map.into(), AddrSpace::User);
            match layout.form {
                GoMapForm::Buckets => lower.start_buckets(&walk, end),
                GoMapForm::Groups => lower.start_groups(&walk, end),
            }
            let zero = lower.zero_for_jumps();
            let place = lower.f.var();
            lower.f.push(Op::Const { dst: place, value: 0 });
            lower.f.push(Op::Label(next));
            if let Some(zero) = zero {
                lower.f.push(Op::Alu { op: AluOp::Add, dst: place, a: place, b: Operand::Val(zero) });
                lower.f.push(Op::MayGoto(limit));
            }
            let most = match (counted, rounds) {
                (true, _) => MOST,
                (false, Rounds::Easy) => MOST_FOLLOWED,
                (false, Rounds::Laborious) => MOST_LABORIOUS,
            };
            lower.f.branch(Cond::Ge, place, Operand::Imm(most as i32), limit);
            let in_block = lower.f.alu(AluOp::And, place, Operand::Imm(ENTRIES as i32 - 1));
            lower.f.branch(Cond::Ne, in_block, Operand::Imm(0), slot);
            let skip = |lower: &mut Self| {
                let by = Operand::Imm(ENTRIES as i32);
                lower.f.push(Op::Alu { op: AluOp::Add, dst: place, a: place, b: by });
                lower.f.push(Op::Jump(next));
            };
            match layout.form {
                GoMapForm::Buckets => lower.next_bucket(&walk, layout.size, end, skip),
                GoMapForm::Groups => lower.next_group(&walk, layout.size, end, skip),
            }
            lower.f.push(Op::Label(slot));
            let n = lower.f.alu(AluOp::And, place, Operand::Imm(ENTRIES as i32 - 1));
            lower.f.push(Op::Alu { op: AluOp::Add, dst: place, a: place, b: Operand::Imm(1) });
            let control = lower.f.load(Width::D, walk.control);
            let shift = lower.f.alu(AluOp::Lsh, n, Operand::Imm(3));
            let control = lower.f.alu(AluOp::Rsh, control, Operand::Val(shift));
            let control = lower.f.alu(AluOp::And, control, Operand::Imm(0xff));
            match layout.form {
                GoMapForm::Buckets => {
                    lower.f.branch(Cond::Lt, control, Operand::Imm(buckets::FILLED), next);
                }
                GoMapForm::Groups => lower.f.branch(Cond::Set, control, Operand::Imm(groups::EMPTY), next),
            }
            let key = lower.in_block(&walk, &layout.keys, n);
            let element = lower.in_block(&walk, &layout.elements, n);
            body(lower, Entry { key, element, next, end });
            lower.f.push(Op::Jump(next));
        });
        self.f.push(Op::Label(limit));
        if let Some(kind) = too_many {
            self.count_error(kind);
        }
        self.f.push(Op::Label(end));
    }

    /// The address of the `n`-th key or element of the block.
    fn in_block(&mut self, walk: &Walk, column: &GoMapColumn, n: Val) -> Val {
        let block = self.f.load(Width::D, walk.block);
        let offset = self.f.alu(AluOp::Mul, n, Operand::Imm(column.stride as i32));
        let address = self.f.alu(AluOp::Add, block, Operand::Val(offset));
        let address = self.f.alu(AluOp::Add, address, Operand::Imm(column.offset as i32));
        if !column.indirect {
            return address;
        }
        self.read(walk.header, 8, address.into(), AddrSpace::User);
        self.f.load(Width::D, walk.header)
    }

    /// Where the buckets are. While a map grows, entries that have not been moved yet are in the old ones.
    fn start_buckets(&mut self, walk: &Walk, end: Label) {
        let start = self.f.label();
        let count = self.f.load(Width::D, walk.header.at(buckets::COUNT));
        self.f.branch(Cond::Eq, count, Operand::Imm(0), end);
        let logarithm = self.f.load(Width::B, walk.header.at(buckets::LOGARITHM));
        let logarithm = self.f.alu(AluOp::And, logarithm, Operand::Imm(63));
        let one = self.f.constant(1);
        let number = self.f.alu(AluOp::Lsh, one, Operand::Val(logarithm));
        let array = self.f.load(Width::D, walk.header.at(buckets::BUCKETS));
        self.f.store(Width::D, walk.overflow, Operand::Imm(0));
        self.f.store(Width::D, walk.then, Operand::Imm(0));
        self.f.store(Width::D, walk.next, Operand::Val(array));
        self.f.store(Width::D, walk.left, Operand::Val(number));
        let old = self.f.load(Width::D, walk.header.at(buckets::OLD));
        self.f.branch(Cond::Eq, old, Operand::Imm(0), start);
        self.f.store(Width::D, walk.then, Operand::Val(array));
        self.f.store(Width::D, walk.then_left, Operand::Val(number));
        self.f.store(Width::D, walk.next, Operand::Val(old));
        let flags = self.f.load(Width::B, walk.header.at(buckets::FLAGS));
        self.f.branch(Cond::Set, flags, Operand::Imm(buckets::SAME_SIZE), start);
        let half = self.f.alu(AluOp::Rsh, number, Operand::Imm(1));
        self.f.store(Width::D, walk.left, Operand::Val(half));
        self.f.push(Op::Label(start));
    }

    /// The bucket that this one leads on to, else the one behind, else the first of the other array.
    fn next_bucket(&mut self, walk: &Walk, size: u32, end: Label, skip: impl FnOnce(&mut Self)) {
        let (read, behind) = (self.f.label(), self.f.label());
        let block = self.f.var();
        let overflow = self.f.load(Width::D, walk.overflow);
        self.f.push(Op::Copy { dst: block, src: overflow });
        self.f.branch(Cond::Ne, block, Operand::Imm(0), read);
        let left = self.f.load(Width::D, walk.left);
        self.f.branch(Cond::Ne, left, Operand::Imm(0), behind);
        let then = self.f.load(Width::D, walk.then);
        self.f.branch(Cond::Eq, then, Operand::Imm(0), end);
        self.f.store(Width::D, walk.next, Operand::Val(then));
        let then_left = self.f.load(Width::D, walk.then_left);
        self.f.store(Width::D, walk.left, Operand::Val(then_left));
        self.f.store(Width::D, walk.then, Operand::Imm(0));
        skip(self);
        self.f.push(Op::Label(behind));
        let taken = self.take_block(walk, size);
        self.f.push(Op::Copy { dst: block, src: taken });
        self.f.push(Op::Label(read));
        self.f.store(Width::D, walk.block, Operand::Val(block));
        self.read(walk.control, 8, block.into(), AddrSpace::User);
        let last = self.f.load(Width::D, walk.block);
        let last = self.f.alu(AluOp::Add, last, Operand::Imm((size - buckets::OVERFLOW) as i32));
        self.read(walk.overflow, 8, last.into(), AddrSpace::User);
    }

    /// Where the groups are: a small map has one, a large one has tables.
    fn start_groups(&mut self, walk: &Walk, end: Label) {
        let start = self.f.label();
        let used = self.f.load(Width::D, walk.header.at(groups::USED));
        self.f.branch(Cond::Eq, used, Operand::Imm(0), end);
        let directory = self.f.load(Width::D, walk.header.at(groups::DIRECTORY));
        let tables = self.f.load(Width::D, walk.header.at(groups::TABLES));
        self.f.store(Width::D, walk.next, Operand::Val(directory));
        self.f.store(Width::D, walk.left, Operand::Imm(1));
        self.f.store(Width::D, walk.then_left, Operand::Val(tables));
        self.f.branch(Cond::Eq, tables, Operand::Imm(0), start);
        self.f.store(Width::D, walk.left, Operand::Imm(0));
        self.f.store(Width::D, walk.then, Operand::Val(directory));
        self.f.store(Width::D, walk.table, Operand::Imm(0));
        self.f.push(Op::Label(start));
    }

    /// The group behind this one, else the first one of the next table.
    fn next_group(&mut self, walk: &Walk, size: u32, end: Label, skip: impl Fn(&mut Self)) {
        let (behind, again, there) = (self.f.label(), self.f.label(), self.f.label());
        let left = self.f.load(Width::D, walk.left);
        self.f.branch(Cond::Ne, left, Operand::Imm(0), behind);
        let tables = self.f.load(Width::D, walk.then_left);
        self.f.branch(Cond::Eq, tables, Operand::Imm(0), end);
        let tables = self.f.alu(AluOp::Sub, tables, Operand::Imm(1));
        self.f.store(Width::D, walk.then_left, Operand::Val(tables));
        let then = self.f.load(Width::D, walk.then);
        self.read(walk.header, 8, then.into(), AddrSpace::User);
        let then = self.f.load(Width::D, walk.then);
        let then = self.f.alu(AluOp::Add, then, Operand::Imm(8));
        self.f.store(Width::D, walk.then, Operand::Val(then));
        let table = self.f.load(Width::D, walk.header);
        let last = self.f.load(Width::D, walk.table);
        self.f.branch(Cond::Eq, table, Operand::Val(last), again);
        self.f.store(Width::D, walk.table, Operand::Val(table));
        let table = self.f.alu(AluOp::Add, table, Operand::Imm(groups::GROUPS as i32));
        self.read(walk.header, 16, table.into(), AddrSpace::User);
        let first = self.f.load(Width::D, walk.header);
        self.f.store(Width::D, walk.next, Operand::Val(first));
        let mask = self.f.load(Width::D, walk.header.at(8));
        let number = self.f.alu(AluOp::Add, mask, Operand::Imm(1));
        self.f.store(Width::D, walk.left, Operand::Val(number));
        self.f.push(Op::Label(again));
        skip(self);
        self.f.push(Op::Label(behind));
        let block = self.take_block(walk, size);
        self.f.store(Width::D, walk.block, Operand::Val(block));
        self.read(walk.control, 8, block.into(), AddrSpace::User);
        // What could not be read is zeros, which would be eight entries, all of hashes that end in seven zero bits.
        let control = self.f.load(Width::D, walk.control);
        self.f.branch(Cond::Ne, control, Operand::Imm(0), there);
        skip(self);
        self.f.push(Op::Label(there));
    }

    /// The next block of the array.
    fn take_block(&mut self, walk: &Walk, size: u32) -> Val {
        let left = self.f.load(Width::D, walk.left);
        let left = self.f.alu(AluOp::Sub, left, Operand::Imm(1));
        self.f.store(Width::D, walk.left, Operand::Val(left));
        let block = self.f.load(Width::D, walk.next);
        let behind = self.f.alu(AluOp::Add, block, Operand::Imm(size as i32));
        self.f.store(Width::D, walk.next, Operand::Val(behind));
        block
    }
}

/// The key that is looked for.
enum Wanted {
    Number { value: Place, ty: Type },
    Text { place: Place, cap: u32, len: Operand },
}

impl Wanted {
    /// A text that is known is short, others are compared in a loop.
    fn rounds(&self) -> Rounds {
        match self {
            Wanted::Text { len: Operand::Val(_), .. } => Rounds::Laborious,
            Wanted::Number { .. } | Wanted::Text { .. } => Rounds::Easy,
        }
    }
}

impl Lower<'_, '_> {
    fn wanted(&mut self, key: &Expr) -> Wanted {
        if key.ty.is_scalar() {
            let value = self.scalar(key);
            let value = self.operand(value);
            let place = self.scratch(8);
            self.f.store(Width::D, place, value);
            return Wanted::Number { value: place, ty: key.ty.clone() };
        }
        let cap = key.ty.size();
        let place = self.place(key);
        let len = match &key.kind {
            ExprKind::Str(text) => Operand::Imm(text.len() as i32),
            _ => Operand::Val(self.length_at(place, cap)),
        };
        Wanted::Text { place, cap, len }
    }

    /// Goes on with the next entry unless this one has the key.
    fn unless_key(&mut self, wanted: &Wanted, entry: &Entry) {
        match wanted {
            Wanted::Number { value, ty } => {
                let got = self.load_traced(ty, entry.key.into(), AddrSpace::User);
                let value = self.f.load(Width::D, *value);
                self.f.branch(Cond::Ne, got, Operand::Val(value), entry.next);
            }
            Wanted::Text { place, cap, len } => {
                let slot: Place = self.f.slot(16).into();
                self.read(slot, 16, entry.key.into(), AddrSpace::User);
                let got = self.f.load(Width::D, slot.at(8));
                self.f.branch(Cond::Ne, got, *len, entry.next);
                let text = self.scratch(*cap);
                self.pad(text, 0, *cap, Pad::Zero);
                let got = self.clamp(got, cap - 1);
                let address = self.f.load(Width::D, slot);
                self.read_sized(text, Arg::Val(got), address.into(), AddrSpace::User);
                self.branch_places((text, *place), *cap, true, false, entry.next);
            }
        }
    }
}
