//! Lowers typed programs to the IR.
//!
//! Evaluation is **destination-driven**: a value that does not fit a register is written where it is needed (ring-buffer
//! record, map key, variable) instead of into a temporary that is copied there. [`Lower::scalar`] gives a value that fits a register,
//! [`Lower::store`] writes any value to a place, [`Lower::branch`] turns a condition into control flow. One file per concern: `expr`
//! (scalars and conditions), `memory` (places, copies, scratch), `string`, `compare`, `context` (builtins that read the probe's context),
//! `go` (values of Go programs as a whole), `goerror`, `gomap` (maps of Go programs), `snapshot` (reads of memory that are done once),
//! `go_program` (the goroutine of a thread at probes outside of Go code), `map`, `agg` (aggregations), `stmt`, `loops`, `callback` (blocks
//! of loops that helpers call back), `subprogram` (functions of the script), `record` (messages to user space), `fun` (functions of
//! values), `task` (threads), `unwind` and `unwind_row` (stacks by unwinding tables), `walk` (iterators), `followed` (members of kernel
//! structures that the verifier lets programs load), `returning` (programs that do the return they are attached to).

mod agg;
mod callback;
mod compare;
mod context;
mod expr;
mod followed;
mod fun;
mod go;
mod go_program;
mod goerror;
mod gomap;
mod goroutine;
mod kernel_object;
mod loops;
mod map;
mod memory;
mod reads;
mod record;
mod returning;
mod snapshot;
mod stack;
mod stmt;
mod string;
mod subprogram;
mod task;
mod text;
mod unwind;
mod unwind_linked;
mod unwind_row;
mod walk;

use crate::error::Error;
use crate::insn::{Cond, Width};
use crate::ir::{Func, Label, Op, Operand, Place, Role, Val};
use crate::layout;
use crate::object::{self, Counter, CounterKind, MapDef, MapKind, Record, UserMap};
use crate::target::Target;
use lang::env::GoProgram;
use lang::hir::{self, Attach, MapValue};
use lang::span::Span;
use lang::types::Type;
use std::collections::HashMap;
use std::sync::Arc;

/// Least size of a map that evicts. Calls that end by panic or `Goexit` leave their entries behind, and the kernel's
/// eviction is approximate: the map must be much larger than the number of calls under way.
const LRU_ENTRIES: u32 = 65536;

/// What all programs of a script share while they are lowered.
pub(crate) struct Unit<'a> {
    pub target: &'a Target,
    /// See [`hir::Program::go_program`].
    pub go_program: Option<&'a GoProgram>,
    /// See [`hir::Program::subprograms`].
    subprograms: &'a [hir::Subprogram],
    /// Which of them may end the program.
    ending: Vec<bool>,
    pub maps: Vec<MapDef>,
    pub user_maps: Vec<UserMap>,
    pub records: Vec<Record>,
    pub counters: Vec<Counter>,
    /// Index of each counter.
    counter_at: HashMap<(CounterKind, Span), usize>,
    /// Index in `maps` of the global-data map of each section.
    globals: HashMap<String, usize>,
    events: Option<usize>,
    zeros: Option<usize>,
    scratch: Option<usize>,
    /// Values larger than this go to scratch memory.
    on_stack_limit: u32,
    /// Bytes of the ring buffer.
    ring_size: u32,
}

/// A value that fits a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Imm(u64),
    Val(Val),
}

impl From<Val> for Value {
    fn from(val: Val) -> Value {
        Value::Val(val)
    }
}

/// Where a script variable lives.
#[derive(Clone, Copy, Debug)]
enum Home {
    Register(Val),
    Memory(Place),
}

/// What a program computes once, although the script may name it several times.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Once {
    PidTgid,
    /// The address of the current `runtime.g`.
    G,
    Goid,
    /// The `runtime.g` that the thread serves.
    CurrentG,
    CallId,
    /// What is read at an address: see `snapshot`.
    Read(String),
    /// The value of a map entry: index into [`Lower::reads`].
    Entry(usize),
}

/// Lowers one program.
pub(crate) struct Lower<'u, 'a> {
    unit: &'u mut Unit<'a>,
    probe: &'a hir::Probe,
    /// Index of the probe, part of `probe`.
    index: usize,
    f: Func,
    /// The variables that the code being lowered has.
    defs: &'a [hir::Var],
    /// The functions of the script that the program calls and that have been lowered.
    functions: subprogram::Functions,
    /// End of the program after the scratch memory was claimed.
    exit: Label,
    /// End of the program before that.
    quit: Label,
    vars: Vec<Home>,
    /// Which variables an assignment stands before.
    assigned: Vec<bool>,
    /// Which function of the program is being lowered.
    context: callback::Context,
    /// What the functions of the program share, and where it is.
    shared: callback::Shared,
    frame: Option<Place>,
    /// The loops around what is being lowered, the innermost last.
    rounds: Vec<loops::Round>,
    /// How many slots of scratch memory have been made.
    scratch_slots: u32,
    /// What has been computed already on every way here and does not change while the program runs.
    known: Vec<(Once, Val)>,
    /// The map entries that have been read.
    reads: Vec<reads::Read>,
    /// First error; lowering goes on with some value so that the code needs no result plumbing.
    error: Option<Error>,
    span: Span,
}

impl<'a> Unit<'a> {
    /// Creates the maps of a script.
    pub fn new(program: &'a hir::Program, target: &'a Target, on_stack_limit: u32) -> Unit<'a> {
        let mut unit = Unit {
            target,
            go_program: program.go_program.as_ref(),
            subprograms: &program.subprograms,
            ending: subprogram::ending(&program.subprograms),
            maps: Vec::new(),
            user_maps: Vec::new(),
            records: Vec::new(),
            counters: vec![Counter { kind: CounterKind::LostEvents, span: Span::default() }],
            counter_at: HashMap::from([((CounterKind::LostEvents, Span::default()), 0)]),
            globals: HashMap::new(),
            events: None,
            zeros: None,
            scratch: None,
            on_stack_limit,
            ring_size: ring_size(program),
        };
        for map in &program.maps {
            let value_size = layout::value_size(&map.value);
            let plain = matches!(map.value, MapValue::Plain(_));
            let index = if plain && map.key.is_none() {
                let index = unit.global(&format!("{}AT_{}", object::SCALAR, &map.name[1..]));
                unit.maps[index].value_size = value_size + 8;
                index
            } else {
                let kind = match (plain, map.key.is_some(), map.lru) {
                    (_, false, _) => MapKind::PerCpuArray,
                    (true, true, false) => MapKind::Hash,
                    (true, true, true) => MapKind::LruHash,
                    (false, true, false) => MapKind::PerCpuHash,
                    (false, true, true) => MapKind::LruPerCpuHash,
                };
                unit.maps.push(MapDef {
                    name: format!("AT_{}", &map.name[1..]),
                    kind,
                    key_size: layout::key_size(map.key.as_ref()),
                    value_size,
                    max_entries: match (kind, map.entries) {
                        (MapKind::Array | MapKind::PerCpuArray, _) => 1,
                        (_, Some(entries)) => entries,
                        (MapKind::LruHash | MapKind::LruPerCpuHash, None) => {
                            program.config.max_map_keys.max(LRU_ENTRIES)
                        }
                        (_, None) => program.config.max_map_keys,
                    },
                });
                unit.maps.len() - 1
            };
            unit.user_maps.push(UserMap {
                name: map.name.clone(),
                map: index,
                key: map.key.clone(),
                value: map.value.clone(),
                declared: map.entries.is_some(),
            });
        }
        unit
    }

    /// The global-data map of a section, made on first use.
    fn global(&mut self, section: &str) -> usize {
        if let Some(index) = self.globals.get(section) {
            return *index;
        }
        self.globals.insert(section.into(), self.maps.len());
        self.maps.push(MapDef {
            name: section.into(),
            kind: MapKind::Array,
            key_size: 4,
            value_size: 0,
            max_entries: 1,
        });
        self.maps.len() - 1
    }

    /// The ring buffer, made on first use.
    fn events(&mut self) -> usize {
        *self.events.get_or_insert_with(|| {
            self.maps.push(MapDef {
                name: object::EVENTS.into(),
                kind: MapKind::RingBuf,
                key_size: 0,
                value_size: 0,
                max_entries: self.ring_size,
            });
            self.maps.len() - 1
        })
    }

    /// A map with one never-written value of at least `size` zero bytes.
    fn zeros(&mut self, size: u32) -> usize {
        let index = *self.zeros.get_or_insert_with(|| {
            self.maps.push(MapDef {
                name: object::ZEROS.into(),
                kind: MapKind::Array,
                key_size: 4,
                value_size: 0,
                max_entries: 1,
            });
            self.maps.len() - 1
        });
        let value_size = &mut self.maps[index].value_size;
        *value_size = (*value_size).max(size);
        index
    }

    /// Byte offset of an error counter in [`object::COUNTERS`].
    fn counter(&mut self, kind: CounterKind, span: Span) -> u32 {
        let span = if kind == CounterKind::LostEvents { Span::default() } else { span };
        let index = *self.counter_at.entry((kind, span)).or_insert_with(|| {
            self.counters.push(Counter { kind, span });
            self.counters.len() - 1
        });
        8 * index as u32
    }

    /// Sizes that are known only when all programs are lowered.
    pub fn finish(&mut self) {
        let index = self.global(object::COUNTERS);
        self.maps[index].value_size = 8 * self.counters.len() as u32;
    }
}

/// Bytes of the ring buffer: what the script sets, else much where events send records and little where only the script's
/// beginning, end and intervals do, and always room for several of the largest records. The reader maps all of it.
fn ring_size(program: &hir::Program) -> u32 {
    const PAGE: u32 = 4096;
    const MANY: u32 = 1024;
    const FEW: u32 = 64;
    const MOST: u32 = 1 << 18;
    const RECORDS: u32 = 8;
    let rare = |p: &hir::Probe| {
        matches!(p.attach, Attach::Begin | Attach::End | Attach::Interval(_) | Attach::Signal | Attach::Test)
    };
    let pages = program.config.ring_pages.unwrap_or_else(|| {
        let largest = program.code().map(|(_, block)| record::largest(block)).max().unwrap_or(0);
        let few = program.probes.iter().all(|p| rare(p) || !sends_records(&p.body))
            && !program.subprograms.iter().any(|s| sends_records(&s.body));
        let usual = if few { FEW } else { MANY };
        usual.max(largest.div_ceil(PAGE).saturating_mul(RECORDS))
    });
    pages.clamp(1, MOST).next_power_of_two() * PAGE
}

fn sends_records(block: &[hir::Stmt]) -> bool {
    let mut sends = false;
    hir::visit_all(block, &mut |stmt| {
        sends |= matches!(&stmt.kind, hir::StmtKind::Emit { action, .. } if *action != hir::Action::Exit);
    });
    sends
}

/// Whether a block sends anything, `exit()` included.
fn sends_records_or_ends(block: &[hir::Stmt]) -> bool {
    let mut sends = false;
    hir::visit_all(block, &mut |stmt| sends |= matches!(&stmt.kind, hir::StmtKind::Emit { .. }));
    sends
}

/// Lowers the program of a probe.
pub(crate) fn lower<'a>(unit: &mut Unit<'a>, probe: &'a hir::Probe, index: usize) -> Result<Func, Error> {
    let mut scan = callback::Scan::new(unit.target.loops);
    scan.whole(probe.predicate.as_ref(), &probe.body);
    let shared = scan.shared(&probe.vars, unit.on_stack_limit);
    let mut lower = Lower::new(unit, probe, index, Role::Program, &probe.vars, shared);
    lower.program();
    match lower.error {
        Some(error) => Err(error),
        None => Ok(Func { functions: lower.functions.take(), ..lower.f }),
    }
}

impl<'u, 'a> Lower<'u, 'a> {
    /// Begins the program of a probe, or a function that it calls, with the variables `defs`.
    fn new(
        unit: &'u mut Unit<'a>,
        probe: &'a hir::Probe,
        index: usize,
        role: Role,
        defs: &'a [hir::Var],
        shared: callback::Shared,
    ) -> Lower<'u, 'a> {
        let mut f = Func::new(role);
        let (exit, quit) = (f.label(), f.label());
        Lower {
            unit,
            probe,
            index,
            f,
            defs,
            functions: subprogram::Functions::default(),
            exit,
            quit,
            vars: Vec::new(),
            assigned: vec![false; defs.len()],
            context: callback::Context::Program,
            shared,
            frame: None,
            rounds: Vec::new(),
            scratch_slots: 0,
            known: Vec::new(),
            reads: Vec::new(),
            error: None,
            span: probe.span,
        }
    }

    fn program(&mut self) {
        self.f.preemptible = matches!(self.probe.attach, Attach::Uprobe { .. });
        self.f.push(Op::Line(self.probe.span));
        let returning = self.begin_return();
        self.guards();
        let probe = self.probe;
        self.homes(&[]);
        let mut claim_at = self.f.ops.len();
        let rejected = self.f.label();
        let mut rejected_holds_scratch = false;
        if let Some(predicate) = &probe.predicate {
            let before = self.scratch_slots;
            self.f.push(Op::Line(predicate.span));
            self.require(predicate, rejected);
            rejected_holds_scratch = self.scratch_slots > before;
            if !rejected_holds_scratch {
                // Runs that the predicate ends do not pay for scratch memory that only the body needs.
                claim_at = self.f.ops.len();
            }
        }
        self.share_addresses();
        self.block(&probe.body);
        self.f.push(Op::Label(self.exit));
        if rejected_holds_scratch {
            self.f.push(Op::Label(rejected));
        }
        self.finish_scratch(claim_at);
        self.f.push(Op::Label(self.quit));
        if !rejected_holds_scratch {
            self.f.push(Op::Label(rejected));
        }
        if let Some(returning) = returning {
            self.end_return(&returning);
        }
        // A tracepoint program that returns 0 hides the event from other users of the tracepoint.
        let result = i32::from(matches!(probe.attach, Attach::Tracepoint(_)));
        self.f.push(Op::Exit(result));
    }

    /// Ends the program early where it must not run: other processes, a Go stack check that will re-enter the function.
    fn guards(&mut self) {
        match &self.probe.attach {
            Attach::Uprobe { class, .. } if class.stop == lang::env::Stop::EntryAtStackCheck => {
                // The branch to runtime.morestack is `jbe`: taken when carry (bit 0) or zero (bit 6) is set.
                let flags = self.register("flags");
                self.f.branch(Cond::Set, flags, Operand::Imm(0x41), self.quit);
            }
            Attach::Iter(iter) => self.start_of_walk(&Arc::clone(iter)),
            Attach::Tracepoint(_)
            | Attach::Profile(_)
            | Attach::Perf { .. }
            | Attach::RawTracepoint(_)
            | Attach::Kprobe { .. }
            | Attach::Fentry { .. }
            | Attach::Watchpoint(_) => {
                if let Some(pid) = self.unit.target.pid {
                    let tgid = self.tgid();
                    let pid = self.f.operand(u64::from(pid));
                    self.f.branch(Cond::Ne, tgid, pid, self.quit);
                }
            }
            _ => {}
        }
    }

    /// A value that is computed where it is needed first.
    fn once(&mut self, what: Once, compute: impl FnOnce(&mut Self) -> Val) -> Val {
        if let Some((_, val)) = self.known.iter().find(|(known, _)| *known == what) {
            return *val;
        }
        let val = compute(self);
        self.known.push((what, val));
        val
    }

    /// Whether that has been computed on every way here.
    fn knows(&self, what: &Once) -> bool {
        self.known.iter().any(|(known, _)| known == what)
    }

    /// Lowers code that does not always run: what it computes is not known behind it.
    fn perhaps<R>(&mut self, lower: impl FnOnce(&mut Self) -> R) -> R {
        let known = self.known.len();
        let result = lower(self);
        self.known.truncate(known);
        result
    }

    /// Counts a run-time error.
    fn count_error(&mut self, kind: CounterKind) {
        let offset = self.unit.counter(kind, self.span);
        let map = crate::ir::MapRef(self.unit.global(object::COUNTERS) as u32);
        let dst = self.f.temp();
        self.f.push(Op::MapAddr { dst, map, offset });
        let one = self.f.constant(1);
        self.f.push(Op::Atomic { op: crate::insn::AtomicOp::Add, on: dst.into(), src: one, old: None });
    }

    /// Notes an error and gives a value to go on with.
    fn fail(&mut self, error: Error) -> Value {
        self.error.get_or_insert(error);
        Value::Imm(0)
    }

    /// The value as a register.
    fn val(&mut self, value: Value) -> Val {
        match value {
            Value::Imm(imm) => self.f.constant(imm),
            Value::Val(val) => val,
        }
    }

    /// The value as a right-hand operand.
    fn operand(&mut self, value: Value) -> Operand {
        match value {
            Value::Imm(imm) => self.f.operand(imm),
            Value::Val(val) => Operand::Val(val),
        }
    }

    /// Assigns a variable.
    fn assign(&mut self, var: Val, value: Value) {
        match value {
            Value::Imm(value) => self.f.push(Op::Const { dst: var, value }),
            Value::Val(src) => self.f.push(Op::Copy { dst: var, src }),
        }
    }

    /// A scalar from memory, canonical for its type.
    fn load_scalar(&mut self, ty: &Type, from: Place) -> Val {
        let loaded = self.f.load(scalar_width(ty), from);
        self.extend_loaded(ty, loaded)
    }

    /// A zero-extended value of the width of `ty` in canonical form.
    fn extend_loaded(&mut self, ty: &Type, src: Val) -> Val {
        match ty.integer() {
            Some((bits, true)) if bits < 64 => {
                let dst = self.f.temp();
                self.f.push(Op::Extend { dst, src, bits, signed: true });
                dst
            }
            _ => src,
        }
    }
}

/// Width of a scalar in memory.
fn scalar_width(ty: &Type) -> Width {
    Width::of(ty.size()).unwrap_or(Width::D)
}
