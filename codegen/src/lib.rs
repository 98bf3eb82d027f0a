//! Typed gotrace programs to eBPF objects: no I/O, no kernel.
//!
//! ```text
//! hir::Program --lower--> ir::Func --opt--> ir::Func --regalloc, emit--> Insn --elf--> bytes
//! ```
//!
//! [`compile`] runs all of it but the last step and gives an [`Object`]: programs, maps, and the layouts that the loader
//! decodes with. [`elf::write`] makes the file that `gotrace build` stores and that a run loads.

mod btf;
pub mod disasm;
pub mod elf;
mod emit;
pub mod error;
pub mod helper;
pub mod insn;
pub mod ir;
pub mod kernel;
pub mod layout;
mod live;
mod lower;
mod machine;
pub mod object;
pub mod opt;
mod regalloc;
pub mod target;
#[cfg(test)]
mod tests;
pub mod unwind;

pub use error::Error;
pub use object::Object;
pub use target::Target;

use lang::env::KernelFunction;
use lang::hir::{self, Attach};
use object::{Program, ProgramKind, Subprogram};

/// Bytes of stack that the kernel gives a program (`MAX_BPF_STACK`).
const STACK_LIMIT: u32 = 512;
/// Bytes of it in which the kernel counts the rounds of loops with `may_goto` (a time stamp and a count, since Linux 6.15).
const ROUND_COUNTER: u32 = 16;
/// Functions that may be under way at the same time (`MAX_CALL_FRAMES`).
const MOST_FRAMES: u32 = 8;
/// Frames of functions that call each other are multiples of this.
const FRAME_UNIT: u32 = 32;

/// Compiles a script for a machine.
///
/// # Errors
/// Constructs that the machine cannot run, at their place in the script.
pub fn compile(program: &hir::Program, target: &Target) -> Result<Object, Error> {
    // Values move from the stack to scratch memory, larger ones first, until every program fits.
    let mut limit = program.config.on_stack_limit;
    loop {
        match compile_with(program, target, limit)? {
            Ok(object) => return Ok(object),
            Err(_) if limit > 8 => limit /= 2,
            Err(probe) => {
                let error = Error::new(
                    probe.span,
                    "this block keeps too many values at the same time for a BPF program",
                )
                .help("split the work into several probes, or use fewer variables at once");
                return Err(error);
            }
        }
    }
}

/// Compiles with values of at most `on_stack_limit` bytes on the stack; `Err` inside is a probe whose stack did not fit.
fn compile_with<'a>(
    program: &'a hir::Program,
    target: &Target,
    on_stack_limit: u32,
) -> Result<Result<Object, &'a hir::Probe>, Error> {
    let mut unit = lower::Unit::new(program, target, on_stack_limit);
    let mut programs = Vec::new();
    for (index, probe) in program.probes.iter().enumerate() {
        let mut f = lower::lower(&mut unit, probe, index)?;
        opt::optimize(&mut f);
        let name = format!("{}_{index}", kind_name(&probe.attach));
        let (code, need, subs) = emit_program(&mut unit, &f, &name);
        if need.frames > MOST_FRAMES {
            let message = format!("functions that call each other are more than {MOST_FRAMES} deep here");
            let error = Error::new(probe.span, message);
            return Err(error.help("a macro in place of a function takes no frame of its own"));
        }
        if need.stack > STACK_LIMIT {
            return Ok(Err(probe));
        }
        let (section, kind) = section(&probe.attach, target);
        programs.push(Program {
            name,
            section,
            kind,
            attach_to: attach_to(&probe.attach),
            insns: code.insns,
            map_refs: code.map_refs,
            lines: code.lines,
            func_refs: code.func_refs,
            subs,
        });
    }
    unit.finish();
    Ok(Ok(Object {
        source_name: program.source_name.clone(),
        source: program.source.clone(),
        imported: program.imported.clone(),
        programs,
        maps: unit.maps,
        user_maps: unit.user_maps,
        records: unit.records,
        counters: unit.counters,
    }))
}

/// Emits a program and its functions. Gives its code, the bytes of stack that it and the deepest of them need together, and them.
fn emit_program(unit: &mut lower::Unit<'_>, f: &ir::Func, name: &str) -> (emit::Code, Need, Vec<Subprogram>) {
    let mut emitted = Emitted { prefix: format!("{name}_"), subs: Vec::new(), functions: Vec::new() };
    for function in &f.functions {
        let (code, need) = emit_all(unit, function, &mut emitted);
        let place = emitted.add(function, code);
        emitted.functions.push((place, need));
    }
    let (code, need) = emit_all(unit, f, &mut emitted);
    (code, need, emitted.subs)
}

/// What a function needs with those that it calls.
#[derive(Clone, Copy, Default)]
struct Need {
    /// Bytes of stack.
    stack: u32,
    /// Functions that are under way at the same time.
    frames: u32,
}

impl Need {
    fn of_either(self, other: Need) -> Need {
        Need { stack: self.stack.max(other.stack), frames: self.frames.max(other.frames) }
    }
}

/// The functions of a program that have been emitted.
struct Emitted {
    /// Start of their names.
    prefix: String,
    subs: Vec<Subprogram>,
    /// Place in `subs` of each function of the script, and what it needs.
    functions: Vec<(usize, Need)>,
}

impl Emitted {
    fn add(&mut self, f: &ir::Func, code: emit::Code) -> usize {
        let emit::Code { insns, map_refs, func_refs, lines, .. } = code;
        let name = match &f.role {
            ir::Role::Function(name) => format!("{}{name}", self.prefix),
            ir::Role::Callback | ir::Role::Program => format!("{}{}", self.prefix, self.subs.len()),
        };
        let (params, separate) = (f.params.len(), f.separate);
        self.subs.push(Subprogram { name, params, separate, insns, map_refs, func_refs, lines });
        self.subs.len() - 1
    }
}

/// Emits a function and those that are called back for it, which are added. Gives its code, and what it and the deepest of those that
/// it calls need together.
fn emit_all(unit: &mut lower::Unit<'_>, f: &ir::Func, emitted: &mut Emitted) -> (emit::Code, Need) {
    if let Some(scratch) = f.scratch {
        unit.reserve_scratch(scratch.size);
    }
    let allocation = regalloc::allocate(f);
    let mut code = emit::emit(f, &allocation);
    let counted = f.ops.iter().any(|op| matches!(op, ir::Op::MayGoto(_)));
    let own = allocation.stack + if counted { ROUND_COUNTER } else { 0 };
    let mut deepest = Need::default();
    let mut places = Vec::new();
    for sub in &f.subs {
        let (code, need) = emit_all(unit, sub, emitted);
        deepest = deepest.of_either(need);
        places.push(emitted.add(sub, code));
    }
    for reference in &mut code.func_refs {
        reference.sub = places[reference.sub];
    }
    for call in std::mem::take(&mut code.calls) {
        let (place, need) = emitted.functions[call.sub];
        deepest = deepest.of_either(need);
        code.func_refs.push(object::FuncRef { sub: place, ..call });
    }
    code.func_refs.sort_by_key(|reference| reference.insn);
    // The kernel rounds the frames of a program of several functions.
    let alone = deepest.frames == 0 && f.role == ir::Role::Program;
    let own = if alone { own } else { own.max(1).next_multiple_of(FRAME_UNIT) };
    (code, Need { stack: own + deepest.stack, frames: 1 + deepest.frames })
}

/// The IR of each probe, before and after optimization; for `-d ir` and tests.
///
/// # Errors
/// As [`compile`].
pub fn lower_only(program: &hir::Program, target: &Target) -> Result<Vec<(ir::Func, ir::Func)>, Error> {
    let mut unit = lower::Unit::new(program, target, program.config.on_stack_limit);
    let probes = program.probes.iter().enumerate();
    probes
        .map(|(index, probe)| {
            let lowered = lower::lower(&mut unit, probe, index)?;
            let mut optimized = lowered.clone();
            opt::optimize(&mut optimized);
            Ok((lowered, optimized))
        })
        .collect()
}

fn section(attach: &Attach, target: &Target) -> (&'static str, ProgramKind) {
    match attach {
        Attach::Begin | Attach::End | Attach::Signal | Attach::Test | Attach::Bench => {
            ("raw_tp", ProgramKind::RunOnce)
        }
        Attach::Interval(_) | Attach::Profile(_) | Attach::Perf { .. } | Attach::Watchpoint(_) => {
            ("perf_event", ProgramKind::PerfEvent)
        }
        Attach::Tracepoint(_) => ("tracepoint", ProgramKind::Tracepoint),
        Attach::RawTracepoint(_) => ("raw_tp", ProgramKind::RawTracepoint),
        Attach::Kprobe { places, ret } => {
            let at_entry = places.iter().all(|(_, p)| p.offset == 0 && p.address != 0);
            let kind = if target.kprobe_multi && at_entry && places.len() > 1 {
                ProgramKind::KprobeMulti
            } else {
                ProgramKind::Kprobe
            };
            (if *ret { "kretprobe" } else { "kprobe" }, kind)
        }
        Attach::Fentry { ret: false, .. } => ("fentry", ProgramKind::Fentry { ret: false }),
        Attach::Fentry { ret: true, .. } => ("fexit", ProgramKind::Fentry { ret: true }),
        Attach::Iter(_) => ("iter", ProgramKind::Iter),
        Attach::Uprobe { .. } => ("uprobe", ProgramKind::Uprobe),
    }
}

fn attach_to(attach: &Attach) -> Option<object::KernelType> {
    let function = match attach {
        Attach::Fentry { function, .. } => function,
        Attach::Iter(iter) => &iter.function,
        _ => return None,
    };
    let KernelFunction { btf_id, module, program, .. } = function;
    Some(object::KernelType { id: *btf_id, module: module.clone(), program: *program })
}

fn kind_name(attach: &Attach) -> &'static str {
    match attach {
        Attach::Begin => "begin",
        Attach::End => "end",
        Attach::Interval(_) => "interval",
        Attach::Profile(_) => "profile",
        Attach::Tracepoint(_) => "tracepoint",
        Attach::RawTracepoint(_) => "rawtp",
        Attach::Kprobe { ret: false, .. } => "kprobe",
        Attach::Kprobe { ret: true, .. } => "kretprobe",
        Attach::Fentry { ret: false, .. } => "fentry",
        Attach::Fentry { ret: true, .. } => "fexit",
        Attach::Watchpoint(_) => "watch",
        Attach::Iter(_) => "iter",
        Attach::Signal => "signal",
        Attach::Test => "test",
        Attach::Bench => "bench",
        Attach::Perf { event, .. } if event.hardware => "hardware",
        Attach::Perf { .. } => "software",
        Attach::Uprobe { class, .. } if class.usdt.is_some() => "usdt",
        Attach::Uprobe { ret: false, .. } => "uprobe",
        Attach::Uprobe { ret: true, .. } => "uretprobe",
    }
}
